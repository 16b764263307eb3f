import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, intTensor } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import type { FitProgress, MethodState } from '../../../src/methods/contract';
import { coupling, fastflow, flow, flowLoss, flowMap } from '../../../src/methods/detectors/fastflow';
import type { FastFlowOptions } from '../../../src/methods/detectors/fastflow';
import { defaultOptions } from '../../../src/methods/options';
import { FittedNet } from '../../../src/nn/net';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

const noise = (stream: string, shape: readonly number[], scale = 1): TensorData => {
  const rng = new Rng(3, stream);
  return floatTensor(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * rng.normal()),
  );
};

/** Parameters of one step that moves things. */
const stepParameters = (c: number, scale: number, kernel = 1): Record<string, TensorData> => {
  const moved = Math.floor(c / 2);
  const kept = c - moved;
  return {
    's.conv1.weight': noise('conv1.w', [kept, kept, kernel, kernel]),
    's.conv1.bias': noise('conv1.b', [kept]),
    's.conv2.weight': noise('conv2.w', [2 * moved, kept, kernel, kernel], scale),
    's.conv2.bias': noise('conv2.b', [2 * moved], scale),
    's.global_scale': noise('global.s', [c], 3),
    's.global_offset': noise('global.o', [c]),
  };
};

const KERNEL_1 = { kernel: 1, hiddenRatio: 1 };

describe('properties (methods.md 10.8)', () => {
  it('z = (1,1,0,2) maps to −0.472367', async () => {
    const z = floatTensor([1, 4, 1, 1], [1, 1, 0, 2]);
    const { map } = await evaluate(runtime, { z }, (values) => ({ map: flowMap(values.z) }));
    expect(floats(map)[0]).toBeCloseTo(-0.472367, 6);
  });

  it('a subnet that says nothing leaves a permuted, normalised x: log det 0, loss ½Σx²', async () => {
    const x = noise('x', [2, 5, 2, 3]);
    const rest = { 'l.norm.weight': [5, 2, 3], 'l.norm.bias': [5, 2, 3] };
    const step = Object.entries(stepParameters(5, 0, 3)).map(([name, tensor]) => [
      name.replace('s.', 'l.step0.'),
      name.startsWith('s.global') ? floatTensor([5], new Float32Array(5)) : tensor,
    ]);
    const parameters: Record<string, TensorData> = {
      ...(Object.fromEntries(step) as Record<string, TensorData>),
      'l.norm.weight': floatTensor(rest['l.norm.weight'], new Float32Array(30).fill(1)),
      'l.norm.bias': floatTensor(rest['l.norm.bias'], new Float32Array(30)),
      // The raw value at which the global scale is 1.
      'l.step0.global_scale': floatTensor([5], new Float32Array(5).fill(9.986478)),
    };
    const order = [3, 0, 4, 1, 2];
    const found = await evaluate(runtime, { x, ...parameters }, (values, graph) => {
      const net = new FittedNet(graph, values, '');
      const made = flow(net, 'l', values.x, [order], { conv3x3Only: true, hiddenRatio: 1 });
      return { z: made.z, loss: flowLoss(made) };
    });
    const values = floats(x);
    const half = (image: number) => {
      const own = values.slice(image * 30, image * 30 + 30);
      const mean = own.reduce((sum, v) => sum + v, 0) / 30;
      const variance = own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 30;
      return Array.from(own, (v) => (v - mean) / Math.sqrt(variance + 1e-5));
    };
    const expected = [0, 1].flatMap((image) => {
      const own = half(image);
      return order.flatMap((channel) => own.slice(channel * 6, channel * 6 + 6));
    });
    floats(found.z).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
    const loss = expected.reduce((sum, v) => sum + v * v, 0) / 4;
    expect(floats(found.loss)[0]).toBeCloseTo(loss, 3);
  });

  it.each([4, 5])('log det of %i channels is the numerical one', async (c) => {
    const parameters = stepParameters(c, 4);
    const order = new Rng(1, 'order').permutation(c);
    const x = noise('point', [1, c, 1, 1]);
    const h = 1e-2;
    // Row 0 is the point, rows 2i+1 and 2i+2 lie on both sides of it along channel i.
    const around = new Float32Array((2 * c + 1) * c);
    for (let row = 0; row <= 2 * c; row++) around.set(floats(x), row * c);
    for (let i = 0; i < c; i++) {
      around[(2 * i + 1) * c + i] += h;
      around[(2 * i + 2) * c + i] -= h;
    }
    const feeds = { x: floatTensor([2 * c + 1, c, 1, 1], around), ...parameters };
    const found = await evaluate(runtime, feeds, (values, graph) => {
      const step = coupling(new FittedNet(graph, values, ''), 's', values.x, order, KERNEL_1);
      return { y: step.y, logScales: step.logScales, globalScale: step.globalScale };
    });
    const y = floats(found.y);
    const jacobian = Array.from({ length: c }, (_, row) =>
      Array.from({ length: c }, (_, i) => (y[(2 * i + 1) * c + row] - y[(2 * i + 2) * c + row]) / (2 * h)),
    );
    const moved = Math.floor(c / 2);
    const formula =
      floats(found.logScales)
        .slice(0, moved)
        .reduce((sum, s) => sum + s, 0) +
      floats(found.globalScale).reduce((sum, scale) => sum + Math.log(scale), 0);
    expect(Math.log(Math.abs(determinant(jacobian)))).toBeCloseTo(formula, 2);
  });

  it('can be undone', async () => {
    const c = 5;
    const kept = 3;
    const size = 9;
    const order = new Rng(1, 'order').permutation(c);
    const parameters = stepParameters(c, 1);
    const offset = floats(parameters['s.global_offset']);
    /** A step on one image, its output brought back to what it was before the permutation and the global scale. */
    const stepOn = async (image: Float32Array) => {
      const feeds = { x: floatTensor([1, c, 3, 3], image), ...parameters };
      const found = await evaluate(runtime, feeds, (values, graph) => {
        const step = coupling(new FittedNet(graph, values, ''), 's', values.x, order, KERNEL_1);
        return { y: step.y, logScales: step.logScales, globalScale: step.globalScale };
      });
      const plain = new Float32Array(c * size);
      order.forEach((source, channel) => {
        for (let p = 0; p < size; p++)
          plain[source * size + p] =
            (floats(found.y)[channel * size + p] - offset[source]) / floats(found.globalScale)[source];
      });
      return { plain, logScales: floats(found.logScales) };
    };
    const x = floats(noise('undone', [1, c, 3, 3]));
    const { plain } = await stepOn(x);
    // From what is kept, with nothing to scale, the step says its scales and shifts again.
    const bare = plain.slice().fill(0, kept * size);
    const { plain: shifts, logScales } = await stepOn(bare);
    const back = plain.map((value, i) =>
      i < kept * size ? value : (value - shifts[i]) * Math.exp(-logScales[i - kept * size]),
    );
    x.forEach((value, i) => expect(back[i]).toBeCloseTo(value, 5));
  });
});

/** By elimination with the largest pivot. */
function determinant(matrix: number[][]): number {
  const m = matrix.map((row) => [...row]);
  let product = 1;
  for (let i = 0; i < m.length; i++) {
    let best = i;
    for (let row = i; row < m.length; row++) if (Math.abs(m[row][i]) > Math.abs(m[best][i])) best = row;
    if (best !== i) {
      [m[i], m[best]] = [m[best], m[i]];
      product = -product;
    }
    product *= m[i][i];
    for (let row = i + 1; row < m.length; row++) {
      const factor = m[row][i] / m[i][i];
      for (let column = i; column < m.length; column++) m[row][column] -= factor * m[i][column];
    }
  }
  return product;
}

describe('a fit', () => {
  const taps = {
    level1: noise('level1', [6, 4, 8, 8]),
    level2: noise('level2', [6, 5, 4, 4]),
    level3: noise('level3', [6, 3, 2, 2]),
  };
  const options: FastFlowOptions = {
    ...(defaultOptions(fastflow.options) as FastFlowOptions),
    steps: 20,
    learningRate: 0.01,
  };
  const context = (seed = 0) => contextOf(runtime, taps, { side: 32, seed });

  it('becomes likelier, the same for the same seed, and gives finite maps', async () => {
    const losses: number[] = [];
    const fit = fastflow.fit(context(), options);
    let step = await fit.next();
    while (!step.done) {
      const { loss }: FitProgress = step.value;
      if (loss !== undefined) losses.push(loss);
      step = await fit.next();
    }
    expect(losses.at(-1)).toBeLessThan(losses[0] - 0.05);
    const state = step.value;
    expect(await fitToEnd(fastflow, context(), options)).toEqual(state);
    expect(await fitToEnd(fastflow, context(1), options)).not.toEqual(state);
    const { map, score } = await scoreTaps(runtime, fastflow, state, options, someOf(taps, 0, 2), 32);
    expect([map.length, score.length]).toEqual([2 * 32 * 32, 2]);
    expect(map.every((value) => value >= -1 && value <= 0)).toBe(true);
    expect([...score]).toEqual([0, 1].map((b) => Math.max(...map.slice(b * 1024, (b + 1) * 1024))));
  });

  it('by the published likelihood moves the norm otherwise, and looks at no held-out image', async () => {
    const published = { ...options, likelihood: 'published' };
    const fit = fastflow.fit(context(), published);
    let step = await fit.next();
    while (!step.done) {
      expect(step.value.heldOutLoss).toBeUndefined();
      step = await fit.next();
    }
    const name = 'flow.level1.norm.weight';
    const mean = (state: MethodState) => floats(state[name]).reduce((sum, x) => sum + x, 0);
    // What is shrunk there costs nothing in that loss.
    expect(mean(step.value)).toBeLessThan(mean(await fitToEnd(fastflow, context(), options)));
  });

  it('keeps the drawn order of the channels', async () => {
    const state = await fitToEnd(fastflow, context(), { ...options, steps: 1, conv3x3Only: true });
    expect(state['permutation.level2.7']).toEqual(
      intTensor([5], new Rng(0, 'permutation.level2.7').permutation(5)),
    );
    expect(state['flow.level1.step1.conv1.weight'].shape).toEqual([2, 2, 3, 3]);
  });

  it('states its memory', () => {
    const { fitBytes, stateBytes } = fastflow.memory(context(), options);
    expect(stateBytes).toBeGreaterThan(4 * 2 * (4 * 64 + 5 * 16 + 3 * 4));
    expect(fitBytes).toBeGreaterThan(stateBytes);
  });
});
