import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { gradients, tangent } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import * as op from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';
import { float } from './samples';

const { add, mul, reduceSum, stopGradient, sub } = op;
const runtime = openNodeRuntime();

/** Numbers that a graph of x = (3, −2) gives. */
async function at3and2(build: (x: Value, graph: GraphBuilder) => Record<string, Value>) {
  const found = await evaluate(runtime, { x: floatTensor([2], [3, -2]) }, ({ x }, graph) => build(x, graph));
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, [...floats(tensor)]]));
}

describe('gradients', () => {
  it('stop where they are told to', async () => {
    const found = await at3and2((x) => {
      const square = mul(x, x);
      const [whole] = gradients(reduceSum(mul(x, square)), [x]);
      const [stopped] = gradients(reduceSum(mul(x, stopGradient(square))), [x]);
      return { whole, stopped };
    });
    expect(found).toEqual({ whole: [27, 12], stopped: [9, 4] });
  });

  it('are zero for what the loss does not depend on, with the shape of each', async () => {
    const found = await at3and2((x, graph) => {
      const other = graph.weight('other', floatTensor([1, 3], [1, 2, 3]));
      const behind = op.exp(x);
      const loss = reduceSum(mul(x, stopGradient(mul(x, x))));
      const [dOther, dBehind] = gradients(loss, [other, behind]);
      expect(dOther.shape).toEqual([1, 3]);
      return { dOther, dBehind };
    });
    expect(found).toEqual({ dOther: [0, 0, 0], dBehind: [0, 0] });
  });

  it('are zero for an unused scalar too', async () => {
    const found = await at3and2((x, graph) => {
      const [unused] = gradients(reduceSum(x), [graph.weight('temperature', floatTensor([], [1]))]);
      return { unused };
    });
    expect(found).toEqual({ unused: [0] });
  });

  it('reach values inside the graph, beside those before them', async () => {
    const found = await at3and2((x) => {
      const tripled = mul(x, 3);
      const [dx, dTripled] = gradients(reduceSum(mul(tripled, tripled)), [x, tripled]);
      return { dx, dTripled };
    });
    expect(found).toEqual({ dx: [54, -36], dTripled: [18, -12] });
  });

  it('of the loss itself are 1, and the same target twice gets the same', async () => {
    const found = await at3and2((x) => {
      const loss = reduceSum(mul(x, x));
      const [first, second] = gradients(loss, [x, x]);
      return { own: gradients(loss, [loss])[0], first, second };
    });
    expect(found).toEqual({ own: [1], first: [6, -4], second: [6, -4] });
  });

  it('add up over all paths', async () => {
    // L = Σ x² + 5·relu(x) + x·(y·x) with y = x + 1: dL/dx = 2x + 5·[x>0] + 2yx + x².
    const found = await at3and2((x) => {
      const y = add(x, 1);
      const terms = [mul(x, x), mul(op.relu(x), 5), mul(x, mul(y, x))];
      return { dx: gradients(reduceSum(terms.reduce(add)), [x])[0] };
    });
    expect(found).toEqual({ dx: [6 + 5 + 24 + 9, -4 + 4 + 4] });
  });

  it('are summed over what was broadcast', async () => {
    const found = await at3and2((x, graph) => {
      const [column, scalar] = [
        graph.weight('c', floatTensor([3, 1], [1, 2, 4])),
        graph.weight('s', floatTensor([], [1])),
      ];
      const loss = reduceSum(add(mul(column, x), scalar));
      const [dx, dColumn, dScalar] = gradients(loss, [x, column, scalar]);
      expect([dx.shape, dColumn.shape, dScalar.shape]).toEqual([[2], [3, 1], []]);
      return { dx, dColumn, dScalar: mul(dScalar, 1.5) };
    });
    expect(found).toEqual({ dx: [7, 7], dColumn: [1, 1, 1], dScalar: [9] });
  });

  it('take a seed for a loss of any shape', async () => {
    const found = await at3and2((x, graph) => {
      const seed = graph.constant(floatTensor([2], [10, 100]));
      return { dx: gradients(mul(x, x), [x], seed)[0] };
    });
    expect(found).toEqual({ dx: [60, -400] });
  });

  it('want a scalar without one; sides of 1 do no harm', () => {
    const x = new GraphBuilder().input('x', [2]);
    expect(() => gradients(mul(x, x), [x])).toThrow(
      expect.objectContaining({ code: 'internal', message: 'a loss is a scalar' }) as Error,
    );
    expect(gradients(op.reshape(reduceSum(x), [1, 1, 1]), [x])[0].shape).toEqual([2]);
  });
});

describe('an operator without a gradient', () => {
  const none = (message: string) => expect.objectContaining({ code: 'graph/no-gradient', message }) as Error;
  const step = 'it is a step; its derivative is 0 where it has one';

  it('on the way is an error that names it', () => {
    const x = new GraphBuilder().input('x', [2]);
    expect(() => gradients(reduceSum(op.floor(mul(x, x))), [x])).toThrow(
      none(`Floor has no gradient: ${step}`),
    );
  });

  it('and where it was made', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    const rounded = graph.scope('decoder', () => graph.scope('quantise', () => op.floor(x)));
    expect(() => gradients(reduceSum(rounded), [x])).toThrow(
      none(`Floor in decoder.quantise has no gradient: ${step}`),
    );
  });

  it('and is none where no gradient passes', async () => {
    const found = await at3and2((x) => {
      op.floor(x);
      const half = stopGradient(op.floor(mul(x, 0.5)));
      const chosen = op.where(op.greater(x, 0), mul(x, 2), x);
      const [dx] = gradients(reduceSum(mul(add(chosen, 0), half)), [x]);
      return { dx };
    });
    expect(found).toEqual({ dx: [2, -1] });
  });

  it('is none before the target', () => {
    const x = new GraphBuilder().input('x', [2]);
    const start = op.floor(x);
    expect(gradients(reduceSum(mul(start, start)), [start])[0].shape).toEqual([2]);
  });
});

/** Convolution, ReLU, layer normalisation over channels and positions: [B,2,5,4] to [B,3,5,4]. */
const features = (v: Record<string, Value>): Value =>
  op.layerNorm(op.relu(op.conv(v.x, v.w, v.b, { pads: [1, 1, 1, 1] })), v.scale, v.shift, 1e-2, 1);

/** One number for each image: [B]. */
const critic = (v: Record<string, Value>): Value => reduceSum(mul(op.tanh(features(v)), v.last), [1, 2, 3]);

function netInputs(batch: number): Record<string, TensorData> {
  const rng = new Rng(5, 'autodiff.net');
  return {
    x: float(rng, [batch, 2, 5, 4]),
    w: float(rng, [3, 2, 3, 3], -0.5, 0.5),
    b: float(rng, [3], -0.3, 0.3),
    scale: float(rng, [3, 5, 4], 0.5, 1.5),
    shift: float(rng, [3, 5, 4]),
    last: float(rng, [3, 5, 4]),
  };
}

const WEIGHTS = ['w', 'b', 'scale', 'last'] as const;

describe('tangent', () => {
  it('is the directional derivative that finite differences give', async () => {
    const inputs = netInputs(1);
    const direction = float(new Rng(6, 'autodiff.direction'), [1, 2, 5, 4]);
    const found = await evaluate(runtime, { ...inputs, direction }, ({ direction: along, ...v }) => ({
      forward: tangent(features(v), v.x, along),
    }));
    const moved = async (step: number) => {
      const x = floatTensor(
        inputs.x.shape,
        floats(inputs.x).map((value, i) => value + step * floats(direction)[i]),
      );
      const { y } = await evaluate(runtime, { ...inputs, x }, (v) => ({ y: features(v) }));
      return floats(y);
    };
    const step = 2e-3;
    const [after, before] = [await moved(step), await moved(-step)];
    const numeric = after.map((value, i) => (value - before[i]) / (2 * step));
    expect(relativeError(floats(found.forward), numeric)).toBeLessThan(2e-3);
  });

  it('of a linear map is the map, of a value along itself the direction, elsewhere zero', async () => {
    const found = await at3and2((x, graph) => {
      const matrix = graph.weight('m', floatTensor([2, 2], [1, 2, 3, 4]));
      const along = graph.constant(floatTensor([2], [1, 10]));
      const row = op.reshape(op.matMul(op.reshape(x, [1, 2]), matrix), [2]);
      return {
        mapped: tangent(add(row, 7), x, along),
        own: mul(tangent(x, x, along), 1.5),
        none: tangent(reduceSum(matrix, [0]), x, along),
      };
    });
    expect(found).toEqual({ mapped: [31, 42], own: [1.5, 15], none: [0, 0] });
  });

  it('leaves no placeholder behind', () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', [2]);
    graph.output('y', tangent(op.exp(mul(x, x)), x, x));
    expect([...graph.build().inputs.keys()]).toEqual(['x']);
  });
});

/** Input gradient of each image, its norm [B], and the derivative along the normalised gradient [B]. */
function slopes(output: Value, x: Value): { norm: Value; along: Value } {
  const axes = x.shape.map((_, axis) => axis).slice(1);
  const [gradient] = gradients(reduceSum(output), [x]);
  const norm = op.sqrt(reduceSum(mul(gradient, gradient), axes, true));
  const direction = stopGradient(op.div(gradient, norm));
  return { norm: op.reshape(norm, [x.shape[0]]), along: tangent(output, x, direction) };
}

const penalty = (slope: Value): Value => {
  const excess = sub(slope, 1);
  return op.reduceMean(mul(excess, excess));
};

describe('the gradient penalty by a tangent pass (methods.md 2.3, 2.7)', () => {
  it("the derivative along the normalised gradient is the gradient's norm, image by image", async () => {
    const { norm, along } = await evaluate(runtime, netInputs(3), (v) => slopes(critic(v), v.x));
    expect(new Set(floats(norm)).size).toBe(3);
    expect(relativeError(floats(along), floats(norm))).toBeLessThan(1e-5);
  });

  it('its weight gradients are those of double backward', async () => {
    const found = await evaluate(runtime, netInputs(3), (v) => {
      const { norm, along } = slopes(critic(v), v.x);
      const targets = WEIGHTS.map((name) => v[name]);
      const byTangent = gradients(penalty(along), targets);
      const twice = gradients(penalty(norm), targets);
      return Object.fromEntries(
        WEIGHTS.flatMap((name, i) => [
          [`${name}.tangent`, byTangent[i]],
          [`${name}.twice`, twice[i]],
        ]),
      );
    });
    for (const name of WEIGHTS) {
      expect(Math.max(...floats(found[`${name}.tangent`]).map(Math.abs))).toBeGreaterThan(1e-3);
      expect(
        relativeError(floats(found[`${name}.tangent`]), floats(found[`${name}.twice`])),
        name,
      ).toBeLessThan(1e-4);
    }
  });

  it('D(x) = a·x: the penalty is (|a| − 1)², its gradient 2(|a| − 1)·a/|a|', async () => {
    const inputs = { x: float(new Rng(1, 'linear critic'), [2, 3]), a: floatTensor([3], [2, -1, 2]) };
    const { value, da } = await evaluate(runtime, inputs, ({ x, a }) => {
      const value = penalty(slopes(reduceSum(mul(x, a), [1]), x).along);
      return { value, da: gradients(value, [a])[0] };
    });
    expect(floats(value)[0]).toBeCloseTo(4, 5);
    expect(relativeError(floats(da), [8 / 3, -4 / 3, 8 / 3])).toBeLessThan(1e-6);
  });

  it('D(x) = ½ xᵀQx: the slope is n·Qx', async () => {
    const q = [
      [2, 1],
      [1, 3],
    ];
    const inputs = { x: floatTensor([1, 2], [1, -2]), q: floatTensor([2, 2], q.flat()) };
    const { along } = await evaluate(runtime, inputs, ({ x, q }) =>
      slopes(mul(reduceSum(mul(op.matMul(x, q), x), [1]), 0.5), x),
    );
    // Qx = (0, −5)
    expect(floats(along)[0]).toBeCloseTo(5, 5);
  });
});
