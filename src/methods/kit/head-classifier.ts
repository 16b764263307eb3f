import type { Value } from '../../graph/value';
import type { TapRole } from '../../nn/backbones/backbone';
import type { Classifier, ClassifierSize } from '../classifier';
import type { Inputs } from '../contract';
import type { FlagSpec, NumberSpec, OptionSpecs, Options } from '../options';
import { fitHead, fittedLogits, headStep } from './class-head';
import type { HeadTraining } from './class-head';
import { labelledRows } from './labelled-rows';
import { mirrorsOf } from './mirror';
import { netBytes, trainingBytes } from './training-graph';
import { stepsOption } from './training-options';

/** What a head sees of an image. */
export interface HeadInputs {
  readonly taps: readonly TapRole[];
  /** [B,D] */
  build(inputs: Inputs): Value;
}

/** A backbone's own vector for an image. */
export const POOLED: HeadInputs = { taps: ['pooled'], build: ({ taps }) => taps.pooled! };

export const flipsOption: FlagSpec = {
  kind: 'flag',
  default: true,
  label: 'Turned over as well',
  help: 'Learns from each image turned over left and right, up and down, and both.',
};

export const headStepsOption: NumberSpec = stepsOption(300, 'fixed');

export type HeadOptions = Options & { readonly steps: number; readonly flips: boolean };

export const HEAD_OPTIONS: OptionSpecs<{ steps: number; flips: boolean }> = {
  steps: headStepsOption,
  flips: flipsOption,
};

/** A head over frozen features: everything of a classifier but what it is called. @source methods.md 19.3 */
export function headOn<O extends HeadOptions>(
  inputs: HeadInputs,
  hidden: (options: O) => HeadTraining['hidden'] = () => undefined,
): Pick<Classifier<O>, 'needs' | 'refits' | 'passes' | 'memory' | 'fit' | 'classify'> {
  return {
    needs: { taps: inputs.taps },
    refits: () => true,
    passes: (o) => mirrorsOf(o.flips).length,
    memory: (size, o) => headMemory(size, mirrorsOf(o.flips).length, widthOf(size), hidden(o)),
    async *fit(context, o) {
      const rows = yield* labelledRows(context, (from) => inputs.build(from), mirrorsOf(o.flips));
      const { length } = context.labels.classes;
      return yield* fitHead(context, rows, length, { steps: o.steps, hidden: hidden(o) });
    },
    classify: (_graph, from, state) => ({ logits: fittedLogits(state, inputs.build(from)) }),
  };
}

/** Values of one image: of all taps together, which is at least what a head sees. */
const widthOf = ({ taps }: ClassifierSize): number =>
  Object.values(taps).reduce((sum, shape) => sum + shape.at(-1)!, 0);

function headMemory(
  { images, classes }: ClassifierSize,
  views: number,
  width: number,
  hidden: HeadTraining['hidden'],
) {
  const step = headStep(images * views, width, classes, hidden);
  // Rows lie in memory, standardised beside that, and on the device.
  return {
    fitBytes: 2 * 4 * images * views * width + trainingBytes([step]),
    stateBytes: netBytes([step]) + 4 * (2 * width + classes),
  };
}
