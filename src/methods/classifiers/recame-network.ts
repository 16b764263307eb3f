import { add, div, globalAveragePool, linear } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { uniformFanIn } from '../../nn/initialisers';
import { cosineLogits } from '../../nn/losses/metric';
import type { Net } from '../../nn/net';
import { regionalAttention } from '../../nn/regional-attention';
import { residualBlock } from '../../nn/residual-blocks';
import type { RecameOptions } from './recame-options';

/** Names of the networks in a state. */
export const EXPERTS = 'experts';
export const STUDENT = 'student';

/** What a network's unfinished training is kept as; earlier versions, which padded odd maps, have other names. */
export const unfinished = (network: string): string => `${network} inside`;

/** Length of the vector that classes are told by. @source methods.md 18.3 */
export const EMBEDDING = 128;

/** What experts are like. */
export interface ExpertForm {
  readonly classes: number;
  /** Channels of its block. */
  readonly width: number;
  readonly attention: boolean;
  /** Whether it takes odd maps without padding. */
  readonly inside: boolean;
}

export const countOf = ({ experts }: RecameOptions): number => Number(experts);

export const formOf = ({ width, attention }: RecameOptions, classes: number, inside = true): ExpertForm => ({
  classes,
  width,
  attention,
  inside,
});

/** What one expert makes of features. */
export interface Expert {
  /** What its block says of the image, pooled. [B,width] */
  readonly z: Value;
  /** What classes are told by; only its direction counts. [B,128] */
  readonly u: Value;
  /** 16 times the cosines with the classes' directions, without a prior. [B,C] */
  readonly logits: Value;
  /** How much each region counts; of experts with attention. [B,1,4,4] */
  readonly regions?: Value;
}

/**
 * A residual block of stride 2, attention, a projection and a cosine classifier.
 * @param x features [B,C,h,w]
 * @param name of the expert in its network
 * @source methods.md 18.3
 */
export function expert(
  net: Net,
  x: Value,
  name: string,
  { classes, width, attention, inside }: ExpertForm,
): Expert {
  const map = residualBlock(net, x, `${name}.block`, { bottleneck: false, widen: 1, inside }, width, 2);
  const attended = attention ? regionalAttention(net, map, `${name}.attention`) : undefined;
  const z = attended?.pooled ?? globalAveragePool(map);
  const projection = net.parameter(`${name}.projection.weight`, [EMBEDDING, width], uniformFanIn);
  const u = net.batchNorm(linear(z, projection), `${name}.norm`);
  const weight = net.parameter(`${name}.classifier.weight`, [classes, EMBEDDING], uniformFanIn);
  return { z, u, logits: cosineLogits(u, weight), regions: attended?.regions };
}

export const expertName = (e: number): string => `expert${e}`;

/** Several experts on the same features. */
export const expertsOf = (net: Net, x: Value, count: number, form: ExpertForm): Expert[] =>
  Array.from({ length: count }, (_, e) => expert(net, x, expertName(e), form));

/** Sum of values of one shape. */
export const sumOf = (values: readonly Value[]): Value => values.reduce((sum, value) => add(sum, value));

/** Mean of values of one shape. */
export const meanOf = (values: readonly Value[]): Value => div(sumOf(values), values.length);
