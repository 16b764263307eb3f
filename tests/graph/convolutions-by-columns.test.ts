import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import { add, conv, reduceSum, relu } from '../../src/graph/ops/index';
import type { ConvOptions } from '../../src/graph/ops/conv';
import type { Shape } from '../../src/base/tensor';
import type { Value } from '../../src/graph/value';
import { verify } from '../../src/graph/verify';
import { convolveByColumns } from '../../src/graph/convolutions-by-columns';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';
import { float } from './samples';

const IMAGES = 9;

/** Height, width and kernel, and what else a convolution has. */
const CASES: readonly [name: string, side: Shape, kernel: Shape, options: ConvOptions][] = [
  ['the same size', [7, 7], [3, 3], { pads: [1, 1, 1, 1] }],
  ['no pads', [8, 6], [3, 3], {}],
  ['an odd side, stride 2', [15, 15], [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }],
  ['an even side, stride 2', [14, 14], [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }],
  ['unlike strides', [9, 5], [3, 3], { strides: [3, 1], pads: [1, 1, 1, 1] }],
  ['unlike pads', [6, 7], [3, 2], { strides: [1, 2], pads: [0, 1, 2, 0] }],
  ['pads above alone', [5, 5], [4, 4], { pads: [3, 0, 0, 3] }],
  ['a kernel with a wide reach', [4, 4], [5, 5], { pads: [2, 2, 2, 2] }],
  ['a stride beyond the kernel', [11, 8], [2, 2], { strides: [4, 2] }],
  ['one pixel of four', [9, 8], [1, 1], { strides: [2, 2] }],
  ['dilated', [7, 8], [3, 3], { dilations: [2, 1], pads: [2, 1, 2, 1] }],
];

describe('convolutions of many small maps as one product', () => {
  /** The types of a graph's operators behind the pass. */
  const typesOf = (shape: Shape, weightOf: (graph: GraphBuilder) => Value, options: ConvOptions = {}) => {
    const graph = new GraphBuilder();
    const x = graph.input('x', shape);
    graph.output('y', conv(relu(x), weightOf(graph), undefined, options));
    const before = graph.build();
    const after = convolveByColumns(before);
    verify(after);
    expect([...after.inputs.keys()]).toEqual([...before.inputs.keys()]);
    expect([...after.weights.keys()]).toEqual([...before.weights.keys()]);
    expect(after.outputs.get('y')!.shape).toEqual(before.outputs.get('y')!.shape);
    return after === before ? 'as it was' : after.nodes.map(({ op }) => op.type).join(' ');
  };
  const fed = (shape: Shape) => (graph: GraphBuilder) => graph.input('weight', shape);

  it.each(CASES)('gives what each image gives alone: %s', async (name, side, kernel, options) => {
    expect(typesOf([IMAGES, 4, ...side], fed([5, 4, ...kernel]), options)).toContain('Gemm');
    const rng = new Rng(0, name);
    const x = float(rng, [IMAGES, 4, ...side]);
    const weight = float(rng, [5, 4, ...kernel]);
    const bias = float(rng, [5]);
    const runtime = openNodeRuntime();
    const convolved = async (images: typeof x) =>
      floats(
        (
          await evaluate(runtime, { x: images, weight, bias }, (fed) => ({
            y: relu(conv(fed.x, fed.weight, fed.bias, options)),
          }))
        ).y,
      );
    const alone: number[] = [];
    const each = floats(x).length / IMAGES;
    for (let i = 0; i < IMAGES; i++)
      alone.push(
        ...(await convolved(floatTensor([1, 4, ...side], floats(x).slice(i * each, (i + 1) * each)))),
      );
    expect(relativeError(await convolved(x), alone)).toBeLessThan(1e-6);
    await runtime.close();
  });

  it('is a product of what its kernel sees, at whatever weights are fed', () => {
    const padded = typesOf([8, 4, 8, 8], fed([4, 4, 3, 3]), { pads: [1, 1, 1, 1] });
    const product = 'Gather Reshape Transpose Reshape Gemm Reshape Transpose';
    expect(padded).toBe(`Relu Transpose Reshape Pad ${product}`);
    const moved = (graph: GraphBuilder) => add(graph.input('weight', [4, 4, 3, 3]), graph.constant(1));
    expect(typesOf([8, 4, 8, 8], moved)).toBe(`Relu Add Transpose Reshape ${product}`);
  });

  it('makes columns once for all that take them: other convolutions, and the gradient by the weight', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [8, 4, 8, 8]);
    const weights = [graph.input('a', [4, 4, 3, 3]), graph.input('b', [6, 4, 3, 3])];
    const loss = weights.map((weight) => reduceSum(relu(conv(x, weight)))).reduce((a, b) => add(a, b));
    gradients(loss, weights).forEach((gradient, i) => graph.output(`d${i}`, gradient));
    const { nodes } = convolveByColumns(graph.build());
    expect(nodes.filter(({ op }) => op.type === 'Conv')).toEqual([]);
    expect(nodes.filter(({ op }) => op.type === 'Gather')).toHaveLength(1);
  });

  it('leaves alone what gains nothing: few images, large maps, 1×1, groups, frozen weights', () => {
    const frozen = (graph: GraphBuilder) => graph.weight('w', float(new Rng(0, 'w'), [4, 4, 3, 3]));
    expect(typesOf([7, 4, 8, 8], fed([4, 4, 3, 3]))).toBe('as it was');
    expect(typesOf([8, 4, 11, 11], fed([4, 4, 3, 3]))).toBe('as it was');
    expect(typesOf([8, 4, 8, 8], fed([4, 4, 1, 1]))).toBe('as it was');
    expect(typesOf([8, 4, 8, 8], fed([4, 1, 3, 3]), { group: 4 })).toBe('as it was');
    expect(typesOf([8, 4, 8, 8], frozen)).toBe('as it was');
  });
});
