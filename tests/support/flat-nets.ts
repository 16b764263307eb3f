/** Networks as a training step sees them, with the weights that golden files compute from names. */
import { floatTensor, floats } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import type { Value } from '../../src/graph/value';
import { DeclaringNet, FlatNet } from '../../src/nn/net';
import type { FlatLayout, Net } from '../../src/nn/net';
import type { Runtime } from '../../src/runtime/runtime';
import { weight } from './procedural';

/** What the names of a network's tensors begin with in the golden files, and whether its batch norms see the batch. */
export interface NetPart {
  readonly prefix: string;
  readonly mode: 'train' | 'evaluate';
}

interface Built {
  readonly outputs: Readonly<Record<string, Value>>;
  /** Differentiated by every parameter of the networks named in `by`. */
  readonly losses?: Readonly<Record<string, { readonly loss: Value; readonly by: readonly string[] }>>;
}

export interface Found {
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /** By loss, then by the tensor's name with its prefix. */
  readonly gradients: Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;
  /** Running statistics after the pass, by name with prefix. */
  readonly statistics: Readonly<Record<string, Float32Array>>;
}

const packed = (layout: FlatLayout, prefix: string): TensorData => {
  const tensors = layout.slots.map(({ name, shape }) => [name, weight(prefix + name, shape)] as const);
  return floatTensor([layout.size], layout.pack(Object.fromEntries(tensors)));
};

const named = (layout: FlatLayout, prefix: string, vector: Float32Array): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(layout.tensors(vector)).map(([name, tensor]) => [prefix + name, floats(tensor)]),
  );

/** Writes `build` once to learn what the networks are made of, once to run it. */
export async function runNets(
  runtime: Runtime,
  parts: Readonly<Record<string, NetPart>>,
  feeds: Readonly<Record<string, TensorData>>,
  build: (net: (name: string) => Net, value: (name: string) => Value) => Built,
): Promise<Found> {
  const draft = new GraphBuilder();
  const declared: Record<string, DeclaringNet> = {};
  const placeholder = (shape: Shape) => draft.placeholder('float32', shape);
  build(
    (name) => (declared[name] ??= new DeclaringNet(draft)),
    (name) => placeholder(feeds[name].shape),
  );

  const graph = new GraphBuilder();
  const vectors: Record<string, TensorData> = {};
  const vector = (name: string, tensor: TensorData): Value => {
    vectors[name] = tensor;
    return graph.input(name, tensor.shape);
  };
  const nets = Object.fromEntries(
    Object.entries(declared).map(([name, layout]) => {
      const { prefix, mode } = parts[name];
      const { parameters, statistics } = layout;
      const values = {
        parameters: vector(`${name}.parameters`, packed(parameters, prefix)),
        statistics: statistics.size ? vector(`${name}.statistics`, packed(statistics, prefix)) : undefined,
      };
      return [name, new FlatNet(graph, layout, values, {}, mode)];
    }),
  );
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape }]) => [name, graph.input(name, shape)]),
  );
  const { outputs, losses = {} } = build(
    (name) => nets[name],
    (name) => inputs[name],
  );
  for (const [name, value] of Object.entries(outputs)) graph.output(name, value);
  for (const [loss, { loss: value, by }] of Object.entries(losses))
    for (const net of by) {
      const found = gradients(value, nets[net].parameters);
      declared[net].parameters.slots.forEach(({ name }, i) =>
        graph.output(`gradient|${loss}|${parts[net].prefix}${name}`, found[i]),
      );
    }
  for (const [name, net] of Object.entries(nets))
    if (net.nextStatistics) graph.output(`statistics|${name}`, net.nextStatistics);

  const { values } = await (await runtime.compile(graph.build())).run({ ...feeds, ...vectors });
  const gradientsOf: Record<string, Record<string, Float32Array>> = {};
  const statistics: Record<string, Float32Array> = {};
  const plain: Record<string, Float32Array> = {};
  for (const [output, tensor] of Object.entries(values)) {
    const [kind, first, name] = output.split('|');
    if (kind === 'gradient') (gradientsOf[first] ??= {})[name] = floats(tensor);
    else if (kind === 'statistics')
      Object.assign(statistics, named(declared[first].statistics, parts[first].prefix, floats(tensor)));
    else plain[output] = floats(tensor);
  }
  return { outputs: plain, gradients: gradientsOf, statistics };
}
