import { floatTensor, floats } from '../base/tensor';
import type { TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import type { Value } from '../graph/value';
import type { ClassShares, Detector, MethodState, StateValues } from '../methods/contract';
import type { Options } from '../methods/options';
import type { Program } from '../runtime/program';
import type { Priority } from '../runtime/queue';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import { FeatureExtractor, disposeTaps, stackImages, tappedRoles } from './features';

export interface ScoredImage {
  readonly score: number;
  /** [side·side] */
  readonly map: Float32Array;
  readonly classes?: ClassShares<Float32Array>;
  /** Above 1 for an image unlike those that the encoder was trained on. */
  readonly strangeness?: number;
}

/** A fit's state inside a graph, as frozen weights. */
export const stateValues = (graph: GraphBuilder, state: MethodState): StateValues =>
  Object.fromEntries(
    Object.entries(state).map(([name, tensor]): [string, Value] => [
      name,
      graph.weight(`state.${name}`, tensor),
    ]),
  );

const SHARES = ['fused', 'text', 'head'] as const;

/** One image's probabilities out of a batch's. */
function sharesOf(values: Readonly<Record<string, TensorData>>, index: number): ClassShares<Float32Array> {
  const of = (part: (typeof SHARES)[number]) => {
    const count = values[part].shape[1];
    return floats(values[part]).slice(index * count, (index + 1) * count);
  };
  return { fused: of('fused'), text: of('text'), head: of('head') };
}

/** A fit at work: backbone program, then score program; only map and score are read back. */
export class Scorer {
  private constructor(
    private readonly runtime: Runtime,
    private readonly extractor: FeatureExtractor,
    private readonly program: Program,
    private readonly heldOut: boolean,
    private readonly priority: Priority,
  ) {}

  /** @param heldOut whether images are scored as if the fit had not seen them */
  static async open(
    runtime: Runtime,
    backbone: LoadedBackbone,
    detector: Detector,
    state: MethodState,
    options: Options,
    size: { side: number; batch: number; heldOut: boolean; priority: Priority },
  ): Promise<Scorer> {
    const { side, batch, heldOut, priority } = size;
    const roles = tappedRoles(detector, options);
    const extractor = await FeatureExtractor.open(
      runtime,
      backbone,
      // Whoever stands on an encoder is told what that makes of the image itself.
      detector.needs.support && backbone.backbone.levels.strangeness ? [...roles, 'strangeness'] : roles,
      side,
      batch,
      priority,
    );
    const graph = new GraphBuilder();
    const inputs = extractor.inputsOf(graph, roles);
    const scored = detector.score(
      graph,
      heldOut ? { ...inputs, heldOut: graph.input('heldOut', [batch]) } : inputs,
      stateValues(graph, state),
      options,
    );
    graph.output('map', scored.map);
    graph.output('score', scored.score);
    for (const part of SHARES) if (scored.classes) graph.output(part, scored.classes[part]);
    return new Scorer(
      runtime,
      extractor,
      await runtime.compile(graph.build(), { priority }),
      heldOut,
      priority,
    );
  }

  get batch(): number {
    return this.extractor.batch;
  }

  /**
   * Scores at most a batch.
   * @param index which of the fitted images each one is, when scoring held out
   * @throws run/not-finite, gpu/lost
   */
  async score(images: readonly Float32Array[], index: readonly number[] = []): Promise<ScoredImage[]> {
    const { side, batch } = this.extractor;
    const stacked = stackImages(images, batch, side);
    const taps = await this.extractor.run(stacked, this.priority);
    const { strangeness, ...fed } = taps;
    try {
      const feeds: Record<string, TensorData> = { image: stacked };
      if (this.heldOut)
        feeds.heldOut = floatTensor(
          [batch],
          Float32Array.from({ length: batch }, (_, b) => index[b] ?? -1),
        );
      const { values } = await this.program.run({ ...feeds, ...fed }, { priority: this.priority });
      const maps = floats(values.map);
      const scores = floats(values.score);
      const strange = strangeness && floats(await this.runtime.read(strangeness));
      const pixels = side * side;
      return images.map((_, b) => ({
        score: scores[b],
        map: maps.slice(b * pixels, (b + 1) * pixels),
        ...('fused' in values && { classes: sharesOf(values, b) }),
        ...(strange && { strangeness: strange[b] }),
      }));
    } finally {
      disposeTaps(taps);
    }
  }
}
