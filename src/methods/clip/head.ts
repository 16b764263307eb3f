import { concat, reshape, slice } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Level } from '../../nn/backbones/backbone';
import type { Inputs } from '../contract';
import { headLevels } from './options';
import type { HeadLevels } from './options';

/** Raw class tokens of the levels, one after another. @returns [B,n·w] @source methods.md 17.2, equation 20 */
export function headInputs({ taps }: Inputs, o: HeadLevels): Value {
  const rows = headLevels(o).map((level) => {
    const token = slice(taps[`tokens${level}`]!, 1, 0, 1);
    return reshape(token, [token.shape[0], token.shape[2]]);
  });
  return concat(rows, 1);
}

/** Class token of a level in the space of texts: [B,4,E] to [B,E]. */
export function classTokenOf({ taps }: Inputs, level: Level): Value {
  const classes = taps.classes!;
  const [batch, , embed] = classes.shape;
  return reshape(slice(classes, 1, level - 1, level), [batch, embed]);
}
