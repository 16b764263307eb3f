/** A fit's world made of given feature maps: what the engine does with a backbone, without one. */
import { Rng } from '../../src/base/rng';
import { floats, floatTensor } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import type { Value } from '../../src/graph/value';
import type {
  ClassShares,
  Detector,
  EmbeddedBatch,
  FitContext,
  FitProgress,
  Inputs,
  MethodState,
  StateValues,
} from '../../src/methods/contract';
import type { Options } from '../../src/methods/options';
import { efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import type { TapRole } from '../../src/nn/backbones/backbone';
import type { Runtime } from '../../src/runtime/runtime';

export type Taps = Readonly<Partial<Record<TapRole, TensorData>>>;

/** Images `from` … `to`−1 of every tap. */
export const someOf = (taps: Taps, from: number, to: number): Taps =>
  Object.fromEntries(
    Object.entries(taps).map(([role, tap]) => {
      const size = floats(tap).length / tap.shape[0];
      const data = floats(tap).subarray(from * size, to * size);
      return [role, floatTensor([to - from, ...tap.shape.slice(1)], data)];
    }),
  );

const countOf = (taps: Taps): number => Object.values(taps)[0].shape[0];

export function inputsFor(graph: GraphBuilder, taps: Taps, side: number): Inputs {
  const values = Object.entries(taps).map(([role, tap]) => [role, graph.input(role, tap.shape)]);
  return {
    taps: Object.fromEntries(values) as Inputs['taps'],
    image: graph.input('image', [countOf(taps), 1, side, side]),
    backbone: efficientNetLite0,
  };
}

/** @param images [B,1,S,S]; black ones where a method sees features alone */
export const feedsFor = (taps: Taps, side: number, images?: TensorData): Record<string, TensorData> => ({
  ...taps,
  image: images ?? floatTensor([countOf(taps), 1, side, side], new Float32Array(countOf(taps) * side * side)),
});

const someImages = (images: TensorData | undefined, from: number, to: number): TensorData | undefined =>
  images && Object.values(someOf({ level1: images }, from, to))[0];

export function contextOf(
  runtime: Runtime,
  taps: Taps,
  options: {
    side: number;
    seed?: number;
    batch?: number;
    rng?: (stream: string) => Rng;
    /** Grey planes [N,1,S,S], for methods that see pixels. */
    images?: TensorData;
    /** What else this fit's world is: a checkpoint store, an end that was asked for. */
    world?: Partial<FitContext>;
  },
): FitContext {
  const { side, seed = 0, batch = 4 } = options;
  const images = countOf(taps);
  return {
    taps: Object.fromEntries(Object.entries(taps).map(([role, tap]) => [role, tap.shape.slice(1)])),
    side,
    goodImages: images,
    count: (of) => (of === 'good' ? images : 0),
    defectImages: 0,
    backbone: efficientNetLite0,
    rng: options.rng ?? ((stream) => new Rng(seed, stream)),
    async *embed(_key, build): AsyncGenerator<EmbeddedBatch> {
      for (let first = 0; first < images; first += batch) {
        const count = Math.min(batch, images - first);
        const some = someOf(taps, first, first + count);
        const graph = new GraphBuilder();
        graph.output('values', build(inputsFor(graph, some, side)));
        const feeds = feedsFor(some, side, someImages(options.images, first, first + count));
        const { values } = await (await runtime.compile(graph.build())).run(feeds);
        yield { first, count, values: values.values };
      }
    },
    compile: (graph, resident) => runtime.compile(graph, { resident }),
    upload: (tensor) => runtime.upload(tensor),
    read: (tensor) => runtime.read(tensor),
    checkpoint: { get: async () => undefined, put: async () => undefined },
    defectMask: () => Promise.reject(new Error('there is no mask')),
    backboneWeights: () => {
      throw new Error('there are no weights');
    },
    ending: false,
    remark: () => undefined,
    ...options.world,
  };
}

/** Runs a fit to its end. */
export async function fitToEnd<O extends Options, C = FitContext>(
  method: { fit(context: C, options: O): AsyncGenerator<FitProgress, MethodState> },
  context: C,
  options: O,
): Promise<MethodState> {
  const fit = method.fit(context, options);
  let step = await fit.next();
  while (!step.done) step = await fit.next();
  return step.value;
}

/** A state's tensors as weights of a graph. */
export const weightsOf = (graph: GraphBuilder, state: MethodState): StateValues =>
  Object.fromEntries(
    Object.entries(state).map(([name, tensor]): [string, Value] => [
      name,
      graph.weight(`state.${name}`, tensor),
    ]),
  );

/** Where shares of classes come from. */
export const SHARES = ['fused', 'text', 'head'] as const;

/** Map [B,1,S,S] and score [B] of given features; shares of classes [B,C] of methods that tell them. */
export async function scoreTaps<O extends Options>(
  runtime: Runtime,
  detector: Detector<O>,
  state: MethodState,
  options: O,
  taps: Taps,
  side: number,
  heldOut?: readonly number[],
  queries?: TensorData,
): Promise<{ map: Float32Array; score: Float32Array; classes?: ClassShares<Float32Array> }> {
  const graph = new GraphBuilder();
  const stateValues = weightsOf(graph, state);
  const inputs: Inputs = {
    ...inputsFor(graph, taps, side),
    ...(heldOut && { heldOut: graph.input('heldOut', [heldOut.length]) }),
  };
  const scored = detector.score(graph, inputs, stateValues, options);
  graph.output('map', scored.map);
  graph.output('score', scored.score);
  const told = scored.classes;
  if (told) for (const source of SHARES) graph.output(`classes.${source}`, told[source]);
  const feeds = {
    ...feedsFor(taps, side, queries),
    ...(heldOut && { heldOut: floatTensor([heldOut.length], heldOut) }),
  };
  const { values } = await (await runtime.compile(graph.build())).run(feeds);
  const shares = (source: keyof ClassShares<Value>) => floats(values[`classes.${source}`]);
  return {
    map: floats(values.map),
    score: floats(values.score),
    ...(told && {
      classes: { fused: shares('fused'), text: shares('text'), head: shares('head') },
    }),
  };
}
