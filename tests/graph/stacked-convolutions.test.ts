import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { add, conv, relu } from '../../src/graph/ops/index';
import type { ConvOptions } from '../../src/graph/ops/conv';
import type { Shape } from '../../src/base/tensor';
import type { Value } from '../../src/graph/value';
import { verify } from '../../src/graph/verify';
import { stackConvolutions } from '../../src/graph/stacked-convolutions';
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
];

describe('convolutions of many small maps as one of a tall image', () => {
  /** The types of a graph's operators behind the pass. */
  const stackedTypes = (
    shape: Shape,
    weightOf: (graph: GraphBuilder) => Value,
    options: ConvOptions = {},
  ) => {
    const graph = new GraphBuilder();
    const x = graph.input('x', shape);
    graph.output('y', conv(relu(x), weightOf(graph), undefined, options));
    const before = graph.build();
    const after = stackConvolutions(before);
    verify(after);
    expect([...after.inputs.keys()]).toEqual([...before.inputs.keys()]);
    expect([...after.weights.keys()]).toEqual([...before.weights.keys()]);
    expect(after.outputs.get('y')!.shape).toEqual(before.outputs.get('y')!.shape);
    return after === before ? 'as it was' : after.nodes.map(({ op }) => op.type).join(' ');
  };
  const fed = (shape: Shape) => (graph: GraphBuilder) => graph.input('weight', shape);

  it.each(CASES)('gives what each image gives alone: %s', async (name, side, kernel, options) => {
    expect(stackedTypes([IMAGES, 4, ...side], fed([5, 4, ...kernel]), options)).toContain(
      'Transpose Reshape Conv',
    );
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

  it('is one of a batch of one, at whatever weights are fed', () => {
    const stacked = stackedTypes([8, 4, 8, 8], fed([4, 4, 3, 3]), { pads: [1, 1, 1, 1] });
    expect(stacked).toBe('Relu Pad Transpose Reshape Conv Reshape Slice Transpose');
    const moved = (graph: GraphBuilder) => add(graph.input('weight', [4, 4, 3, 3]), graph.constant(1));
    expect(stackedTypes([8, 4, 8, 8], moved)).toBe('Relu Add Transpose Reshape Conv Reshape Slice Transpose');
  });

  it('leaves alone what gains nothing: few images, large maps, 1×1, groups, dilation, frozen weights', () => {
    const frozen = (graph: GraphBuilder) => graph.weight('w', float(new Rng(0, 'w'), [4, 4, 3, 3]));
    expect(stackedTypes([7, 4, 8, 8], fed([4, 4, 3, 3]))).toBe('as it was');
    expect(stackedTypes([8, 4, 11, 11], fed([4, 4, 3, 3]))).toBe('as it was');
    expect(stackedTypes([8, 4, 8, 8], fed([4, 4, 1, 1]))).toBe('as it was');
    expect(stackedTypes([8, 4, 8, 8], fed([4, 1, 3, 3]), { group: 4 })).toBe('as it was');
    expect(stackedTypes([8, 4, 8, 8], fed([4, 4, 3, 3]), { dilations: [2, 2] })).toBe('as it was');
    expect(stackedTypes([8, 4, 8, 8], frozen)).toBe('as it was');
  });
});
