import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { RATE_COUNT, clipByNorm, optimiserStep, rates, slotNames } from '../../src/nn/optimisers';
import type { OptimiserSpec } from '../../src/nn/optimisers';
import { constantRate, cosine, everySteps, multiStep } from '../../src/nn/schedules';
import type { Schedule } from '../../src/nn/schedules';
import { describeGolden, goldenJson, relativeError } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';

interface Case {
  name: string;
  settings: {
    lr: number;
    betas?: [number, number];
    wd?: number;
    amsgrad?: boolean;
    momentum?: number;
    nesterov?: boolean;
    clip?: number;
    s0?: number;
  };
  learning_rates: number[];
  f: number[];
  x: number[][];
}

interface Golden {
  a: number[];
  b: number[];
  c: number[];
  x0: number[];
  cases: Case[];
}

function specOf({ name, settings }: Case): OptimiserSpec {
  const { betas, wd, amsgrad, momentum, nesterov } = settings;
  const kind = name.split('_')[0];
  if (kind === 'sgd') return { kind, momentum, nesterov, weightDecay: wd };
  if (kind === 'rmsprop') return { kind, form: name.includes('tensorflow') ? 'tensorflow' : 'pytorch' };
  return { kind: kind as 'adam' | 'adamw', betas, weightDecay: wd, amsgrad };
}

/** Schedules by the names of the cases, over as many steps as there are. */
function scheduleOf({ name, settings: { lr }, x }: Case): Schedule {
  const number = (pattern: RegExp) => pattern.exec(name)!.slice(1).map(Number);
  if (name.includes('cosine')) return cosine(lr, x.length, /min_/.test(name) ? number(/min_([\d.]+)/)[0] : 0);
  if (name.includes('multistep')) {
    const [first, second, gamma] = number(/multistep_(\d+)_(\d+)_gamma_([\d.]+)/);
    return multiStep(lr, [first, second], gamma);
  }
  if (name.includes('_step_')) {
    const [every, gamma] = number(/step_(\d+)_gamma_([\d.]+)/);
    return everySteps(lr, every, gamma);
  }
  return constantRate(lr);
}

describeGolden(['optimisers.json'], 'optimisers', () => {
  const golden = goldenJson<Golden>('optimisers.json');
  const runtime = openNodeRuntime();
  const n = golden.x0.length;
  const gradientAt = (x: Float32Array) =>
    Float32Array.from(x, (xi, i) => golden.a[i] * (xi - golden.c[i]) + golden.b[i] * Math.cos(xi));
  const valueAt = (x: Float32Array) =>
    x.reduce(
      (sum, xi, i) => sum + (golden.a[i] * (xi - golden.c[i]) ** 2) / 2 + golden.b[i] * Math.sin(xi),
      0,
    );

  it.each(golden.cases)('$name', async (given) => {
    const spec = specOf(given);
    const schedule = scheduleOf(given);
    const graph = new GraphBuilder();
    const gradient = graph.input('gradient', [n]);
    const step = optimiserStep(spec, {
      parameters: graph.input('parameters', [n]),
      gradient: given.settings.clip ? clipByNorm(gradient, given.settings.clip) : gradient,
      slots: Object.fromEntries(slotNames(spec).map((name) => [name, graph.input(name, [n])])),
      rates: graph.input('rates', [RATE_COUNT]),
    });
    graph.output('next', step.parameters);
    for (const [name, value] of Object.entries(step.slots)) graph.output(`next.${name}`, value);
    const program = await runtime.compile(graph.build());
    let x = Float32Array.from(golden.x0);
    const start = new Float32Array(n).fill(given.settings.s0 ?? 0);
    let slots: Record<string, TensorData> = Object.fromEntries(
      slotNames(spec).map((name) => [name, floatTensor([n], start)]),
    );
    for (const [i, expected] of given.x.entries()) {
      const rate = schedule(i);
      expect(rate).toBeCloseTo(given.learning_rates[i], 12);
      const { values } = await program.run({
        parameters: floatTensor([n], x),
        gradient: floatTensor([n], gradientAt(x)),
        rates: floatTensor([RATE_COUNT], rates(spec, rate, i + 1)),
        ...slots,
      });
      x = floats(values.next) as Float32Array<ArrayBuffer>;
      slots = Object.fromEntries(slotNames(spec).map((name) => [name, values[`next.${name}`]]));
      expect(relativeError(x, expected)).toBeLessThan(1e-4);
      expect(Math.abs(valueAt(x) - given.f[i])).toBeLessThan(1e-4 * Math.max(1, Math.abs(given.f[0])));
    }
  });
});
