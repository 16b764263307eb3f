import { floats, floatTensor } from '../base/tensor';
import type { TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import { div, softmax } from '../graph/ops/index';
import type { Value } from '../graph/value';
import type { Classifier } from '../methods/classifier';
import type { MethodState, StateValues } from '../methods/contract';
import type { Options } from '../methods/options';
import type { Classification } from '../protocol/classes-api';
import type { Program } from '../runtime/program';
import type { Priority } from '../runtime/queue';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import { FeatureExtractor, disposeTaps, stackImages, tappedRoles } from './features';
import { stateValues } from './scorer';

/** Where a state keeps what logits are divided by. */
export const TEMPERATURE = 'temperature';

/** @throws internal for a temperature that is none */
export const withTemperature = (state: MethodState, temperature: number): MethodState => ({
  ...state,
  [TEMPERATURE]: floatTensor([1], [temperature]),
});

/** Probabilities of logits. [B,C] */
export const probabilitiesOf = (logits: Value, state: StateValues): Value =>
  softmax(div(logits, state[TEMPERATURE]));

/** What is told of one image. */
export type ClassedImage = Pick<Classification, 'probabilities' | 'experts' | 'attention'> & {
  readonly logits: Float32Array;
};

const expertName = (index: number): string => `expert.${index}`;

/** A classifier's fit at work: backbone program, then class program. */
export class ClassScorer {
  private constructor(
    private readonly extractor: FeatureExtractor,
    private readonly program: Program,
    private readonly experts: number,
    private readonly priority: Priority,
  ) {}

  static async open(
    runtime: Runtime,
    backbone: LoadedBackbone,
    classifier: Classifier,
    state: MethodState,
    options: Options,
    { side, batch, priority }: { side: number; batch: number; priority: Priority },
  ): Promise<ClassScorer> {
    const roles = tappedRoles(classifier, options);
    const extractor = await FeatureExtractor.open(runtime, backbone, roles, side, batch, priority);
    const graph = new GraphBuilder();
    const values = stateValues(graph, state);
    const classified = classifier.classify(graph, extractor.inputsOf(graph), values, options);
    const { logits, experts = [], attention } = classified;
    graph.output('logits', logits);
    graph.output('probabilities', probabilitiesOf(logits, values));
    experts.forEach((expert, i) => graph.output(expertName(i), probabilitiesOf(expert, values)));
    if (attention) graph.output('attention', attention);
    const program = await runtime.compile(graph.build(), { priority });
    return new ClassScorer(extractor, program, experts.length, priority);
  }

  /**
   * Tells the classes of at most a batch.
   * @throws run/not-finite, gpu/lost
   */
  async classify(images: readonly Float32Array[]): Promise<ClassedImage[]> {
    const { side, batch } = this.extractor;
    const stacked = stackImages(images, batch, side);
    const taps = await this.extractor.run(stacked, this.priority);
    try {
      const { values } = await this.program.run({ image: stacked, ...taps }, { priority: this.priority });
      return images.map((_, b) => ({
        logits: rowOf(values.logits, b),
        probabilities: rowOf(values.probabilities, b),
        ...(this.experts && {
          experts: Array.from({ length: this.experts }, (__, i) => rowOf(values[expertName(i)], b)),
        }),
        ...(values.attention && { attention: pictureOf(values.attention, b) }),
      }));
    } finally {
      disposeTaps(taps);
    }
  }
}

/** One image's values out of a batch's. */
function rowOf(tensor: TensorData, index: number): Float32Array {
  const values = floats(tensor);
  const width = values.length / tensor.shape[0];
  return values.slice(index * width, (index + 1) * width);
}

const pictureOf = (tensor: TensorData, index: number): Classification['attention'] => ({
  height: tensor.shape[2],
  width: tensor.shape[3],
  values: rowOf(tensor, index),
});
