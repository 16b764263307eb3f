import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../src/base/tensor';
import type { Shape } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { averagePool, conv, mul, reduceSum, repeatPixels } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { convThenHalve, doubleThenConv } from '../../src/nn/folded-kernels';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';

const runtime = openNodeRuntime();
const rng = new Rng(2, 'folded');
const drawn = (shape: Shape) =>
  floatTensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );

type Layer = (x: Value, weight: Value, bias?: Value) => Value;

describe('a kernel with a change of resolution in it', () => {
  const feeds = { x: drawn([2, 3, 6, 8]), weight: drawn([5, 3, 3, 3]), bias: drawn([5]) };
  const same = { pads: [1, 1, 1, 1] } as const;

  it.each<[string, Layer, Layer, Shape]>([
    [
      'the mean of 2×2 behind it',
      convThenHalve,
      (x, weight, bias) => averagePool(conv(x, weight, bias, same), { kernel: [2, 2] }),
      [2, 5, 3, 4],
    ],
    [
      'every pixel twice before it',
      doubleThenConv,
      (x, weight, bias) => conv(repeatPixels(x, 2), weight, bias, same),
      [2, 5, 12, 16],
    ],
  ])('%s: values and gradients of the two in a row', async (_, folded, plain, shape) => {
    const upstream = drawn(shape);
    const run = (layer: Layer) =>
      evaluate(runtime, { ...feeds, upstream }, ({ x, weight, bias, upstream: g }) => {
        const y = layer(x, weight, bias);
        const [dx, dWeight, dBias] = gradients(reduceSum(mul(y, g)), [x, weight, bias]);
        return { y, dx, dWeight, dBias };
      });
    const [found, expected] = [await run(folded), await run(plain)];
    expect(found.y.shape).toEqual(shape);
    for (const name of ['y', 'dx', 'dWeight', 'dBias'])
      expect(relativeError(floats(found[name]), floats(expected[name])), name).toBeLessThan(1e-5);
  });
});
