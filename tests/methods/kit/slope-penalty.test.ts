import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { gemm, mul, reduceMean, reduceSum, relu, reshape, softplus } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { slopePenalty } from '../../../src/methods/kit/slope-penalty';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();
const rng = new Rng(6, 'slope');
const drawn = (...shape: number[]) =>
  floatTensor(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal()),
  );

describe('the slope penalty (methods.md 2.7)', () => {
  it('of D(x) = a·x is (‖a‖ − 1)²', async () => {
    const a = drawn(5, 1);
    const { penalty } = await evaluate(runtime, { x: drawn(3, 5), a }, ({ x, a }) => ({
      penalty: slopePenalty(gemm(x, a), x),
    }));
    const norm = Math.hypot(...floats(a));
    for (const value of floats(penalty)) expect(value).toBeCloseTo((norm - 1) ** 2, 5);
  });

  it('of D(x) = ½xᵀQx is (‖Qx‖ − 1)²', async () => {
    const half = floats(drawn(4, 4));
    const q = Float32Array.from(half, (value, i) => value + half[(i % 4) * 4 + (i >> 2)]);
    const x = drawn(2, 4);
    const { penalty } = await evaluate(runtime, { x, q: floatTensor([4, 4], q) }, ({ x, q }) => ({
      penalty: slopePenalty(mul(reduceSum(mul(gemm(x, q), x), [1], true), 0.5), x),
    }));
    for (let image = 0; image < 2; image++) {
      const row = floats(x).subarray(4 * image, 4 * image + 4);
      const slope = Array.from({ length: 4 }, (_, i) => row.reduce((sum, v, j) => sum + q[4 * i + j] * v, 0));
      expect(floats(penalty)[image]).toBeCloseTo((Math.hypot(...slope) - 1) ** 2, 4);
    }
  });

  it('is 1 and has a finite gradient where a critic is flat', async () => {
    const { penalty, gradient } = await evaluate(
      runtime,
      { x: drawn(2, 3), a: floatTensor([3, 1], [0, 0, 0]) },
      ({ x, a }) => {
        const penalty = slopePenalty(gemm(x, a), x);
        return { penalty, gradient: gradients(reduceMean(penalty), [a])[0] };
      },
    );
    expect([...floats(penalty)]).toEqual([1, 1]);
    expect(floats(gradient).every(Number.isFinite)).toBe(true);
  });

  it('has the gradients of finite differences', async () => {
    const weights = drawn(6, 4);
    const feeds = { x: drawn(3, 4), out: drawn(1, 6) };
    const critic = (x: Value, w: Value, out: Value) =>
      gemm(softplus(gemm(x, w, undefined, false, true)), out, undefined, false, true);
    const at = async (w: Float32Array) => {
      const found = await evaluate(runtime, { ...feeds, w: floatTensor([6, 4], w) }, ({ x, w, out }) => {
        const loss = reduceMean(slopePenalty(critic(x, w, out), x));
        return { loss: reshape(loss, [1]), gradient: gradients(loss, [w])[0] };
      });
      return { loss: floats(found.loss)[0], gradient: floats(found.gradient) };
    };
    const start = floats(weights);
    const h = 1e-2;
    const differences: number[] = [];
    for (let i = 0; i < start.length; i++) {
      const moved = (by: number) => start.map((value, j) => (i === j ? value + by : value));
      differences.push(((await at(moved(h))).loss - (await at(moved(-h))).loss) / (2 * h));
    }
    expect(relativeError((await at(start)).gradient, differences)).toBeLessThan(1e-2);
  });

  it('doesn’t see where a rectifier bends', async () => {
    const feeds = { x: floatTensor([1, 2], [1, -1]), w: floatTensor([2, 2], [1, 0, 0, 1]) };
    const { penalty, gradient } = await evaluate(runtime, feeds, ({ x, w }) => {
      const penalty = slopePenalty(reduceSum(relu(gemm(x, w, undefined, false, true)), [1], true), x);
      return { penalty, gradient: gradients(reshape(penalty, []), [w])[0] };
    });
    // One unit on with slope (1, 0): norm 1, no penalty, no gradient.
    expect(floats(penalty)[0]).toBeCloseTo(0, 6);
    for (const value of floats(gradient)) expect(value).toBeCloseTo(0, 5);
  });
});
