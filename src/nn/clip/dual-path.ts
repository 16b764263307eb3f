import { AppError } from '../../base/errors';
import { add } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Stages } from './config';
import type { VisionTower } from './vision';

/** What one of the four levels gives on both paths. */
export interface DualLevel {
  /** Z: tokens behind the level's last block, raw, the class token first. [B,1+T,width] */
  readonly tokens: Value;
  /** V: the V-V attention of the level's blocks, added up, raw. [B,1+T,width] */
  readonly values: Value;
  /** V's patches in the space of texts, not normalised. [B,T,embed] */
  readonly projectedValues: Value;
  /** Z's class token in the space of texts, not normalised. [B,embed] */
  readonly projectedClass: Value;
}

export interface DualPathOptions {
  /**
   * Adds to Z what the next block's attention adds to it, as programs do that keep a tensor which the next block then
   * changes in place. V and the class token stay as they are.
   * @source methods.md 16.6
   */
  readonly aliased?: boolean;
}

/**
 * SEM-CLIP's dual path. The plain path is the tower's own and loses nothing by it.
 * @param tokens of every block, as `VisionTower.run` gives them
 * @throws fit/backbone for fewer than four blocks
 * @source methods.md 16.2, (1) to (7)
 */
export function dualLevels(
  tower: VisionTower,
  tokens: readonly Value[],
  { aliased = false }: DualPathOptions = {},
): readonly DualLevel[] {
  const { trunk, config } = tower;
  const sums = stageSums(config.stages, (block) => trunk.valueAttention(tokens[block - 1], block));
  return config.stages.map((end, level) => {
    const clean = tokens[end];
    const next = aliased && end < config.vision.layers;
    return {
      tokens: next ? add(clean, trunk.selfAttention(clean, end + 1)) : clean,
      values: sums[level],
      projectedValues: tower.projectPatches(sums[level]),
      projectedClass: tower.projectClass(clean),
    };
  });
}

/**
 * The V-V path that starts with what goes into the first block and adds the V-V attention of every block.
 * @param tokens of every block, as `VisionTower.run` gives them
 * @returns [B,1+T,width]
 * @source methods.md 13.3
 */
export const accumulatedValues = ({ trunk }: VisionTower, tokens: readonly Value[]): Value =>
  tokens.slice(0, -1).reduce((sum, own, i) => add(sum, trunk.valueAttention(own, i + 1)), tokens[0]);

/**
 * What the blocks of each stage give, added up; every stage starts anew.
 * @throws fit/backbone for a stage without a block
 * @source methods.md 16.2 (7)
 */
export const stageSums = (stages: Stages, valueOf: (block: number) => Value): readonly Value[] =>
  stages.map((end, level) => {
    const start = level ? stages[level - 1] : 0;
    if (end <= start)
      throw new AppError('fit/backbone', `a vision tower of ${stages[3]} blocks has no four levels`);
    let sum = valueOf(start + 1);
    for (let block = start + 2; block <= end; block++) sum = add(sum, valueOf(block));
    return sum;
  });
