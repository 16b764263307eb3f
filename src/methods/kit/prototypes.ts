import type { Classifier, ClassifierContext } from '../classifier';
import type { FitProgress, Inputs, StateValues } from '../contract';
import type { Value } from '../../graph/value';
import type { Options } from '../options';
import { POOLED } from './head-classifier';
import { labelledRows } from './labelled-rows';
import { mirrorsOf } from './mirror';
import { standardise, standardised } from './standardise';
import type { Standard } from './standardise';

export type PrototypeOptions = Options & { readonly flips: boolean };

/** Of classifiers that keep vectors of labelled images and train nothing: what they have in common. */
export const PROTOTYPES: Pick<Classifier<PrototypeOptions>, 'needs' | 'refits' | 'passes' | 'memory'> = {
  needs: { taps: POOLED.taps },
  refits: () => true,
  passes: (o) => mirrorsOf(o.flips).length,
  memory({ images, taps }, o) {
    const width = taps.pooled![0];
    const bytes = 4 * images * mirrorsOf(o.flips).length * width;
    return { fitBytes: 3 * bytes, stateBytes: bytes };
  },
};

/** Vectors of the trained images, standardised, with their classes. */
export async function* standardRows(
  context: ClassifierContext,
  { flips }: PrototypeOptions,
): AsyncGenerator<
  FitProgress,
  { rows: readonly Float32Array[]; classOf: readonly number[]; standard: Standard }
> {
  const { rows, classOf } = yield* labelledRows(context, (from) => POOLED.build(from), mirrorsOf(flips));
  return { ...standardised(rows), classOf };
}

/** An image's vector, brought to where the kept ones are. [B,D] */
export const standardVector = (inputs: Inputs, { mean, std }: StateValues): Value =>
  standardise(POOLED.build(inputs), { mean, std });
