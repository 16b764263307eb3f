import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { matMul, mul, reduceMean, sub } from '../../../src/graph/ops/index';
import { normal } from '../../../src/nn/initialisers';
import type { FitContext, FitProgress, MethodState } from '../../../src/methods/contract';
import { fitByGradient } from '../../../src/methods/kit/gradient-fit';
import type { GradientFit } from '../../../src/methods/kit/gradient-fit';
import type { StepSpec } from '../../../src/methods/kit/training-graph';
import { contextOf } from '../../support/fixed-taps';
import { openNodeRuntime } from '../../support/node-runtime';

const BATCH = 16;
const runtime = openNodeRuntime();
const TAPS = { level1: floatTensor([4, 1, 1, 1], [1, 2, 3, 4]) };
const worldOf = (world: Partial<FitContext> = {}): FitContext => contextOf(runtime, TAPS, { side: 8, world });

/** y = 2x₁ − 3x₂, learnt through a batch norm so that running statistics move too. */
const regression: StepSpec = {
  nets: { line: { optimiser: { kind: 'adam' } } },
  build({ net, input }) {
    const line = net('line');
    const x = line.batchNorm(input('x', [BATCH, 2]), 'norm');
    const found = matMul(x, line.parameter('w', [2, 1], normal(0.1)));
    const error = sub(found, input('y', [BATCH, 1]));
    return { loss: reduceMean(mul(error, error)) };
  },
};

function data(stream: string): Record<string, TensorData> {
  const rng = new Rng(0, stream);
  const x = Float32Array.from({ length: 2 * BATCH }, () => rng.normal());
  const y = Float32Array.from({ length: BATCH }, (_, i) => 2 * x[2 * i] - 3 * x[2 * i + 1]);
  return { x: floatTensor([BATCH, 2], x), y: floatTensor([BATCH, 1], y) };
}

const plan = (changes: Partial<GradientFit> = {}): GradientFit => ({
  key: 'test',
  steps: { regression },
  iterations: 60,
  rate: () => 0.05,
  feeds: (_step, iteration) => data(`batch.${iteration}`),
  ...changes,
});

const heldOut = {
  images: Int32Array.of(0),
  step: 'regression',
  every: 5,
  patience: 3,
  feeds: async () => [data('held out')],
};

async function run(
  context: FitContext,
  fit: GradientFit,
  each: (progress: FitProgress) => void = () => undefined,
): Promise<MethodState> {
  const fitting = fitByGradient(context, fit);
  let step = await fitting.next();
  while (!step.done) {
    each(step.value);
    step = await fitting.next();
  }
  return step.value;
}

describe('training', () => {
  it('lowers the loss and returns parameters and running statistics by name', async () => {
    const losses: number[] = [];
    const state = await run(worldOf(), plan(), ({ loss }) => loss !== undefined && losses.push(loss));
    expect(losses.at(-1)).toBeLessThan(0.2 * losses[0]);
    expect(Object.keys(state).sort()).toEqual(
      ['norm.bias', 'norm.running_mean', 'norm.running_var', 'norm.weight', 'w'].map(
        (name) => `line.${name}`,
      ),
    );
    expect(state['line.w'].shape).toEqual([2, 1]);
    expect(floats(state['line.norm.running_var']).every((value) => value > 0 && value !== 1)).toBe(true);
  });

  it('is the same fit for the same seed', async () => {
    expect(await run(worldOf(), plan())).toEqual(await run(worldOf(), plan()));
  });

  it('keeps memory flat over 500 steps', { timeout: 120_000 }, async () => {
    let live = 0;
    const before = runtime.ledger.liveBytes;
    let resident = 0;
    await run(worldOf(), plan({ iterations: 500 }), ({ done }) => {
      if (done === 20) {
        live = runtime.ledger.liveBytes;
        resident = process.memoryUsage().rss;
      }
      if (done > 20) expect(runtime.ledger.liveBytes).toBe(live);
    });
    expect(runtime.ledger.liveBytes).toBe(before);
    // Rubbish not yet collected and the allocator's slack; a leaked step would be 500 times its tensors.
    expect(process.memoryUsage().rss - resident).toBeLessThan(64 * 2 ** 20);
  });
});

describe('held-out good images', () => {
  it('end the training when they stop getting better, and the best networks are returned', async () => {
    // The held-out batch obeys another law, so that learning this one soon makes it worse.
    const other = data('held out');
    const wrong = {
      ...other,
      y: floatTensor(
        [BATCH, 1],
        floats(other.y).map((value) => -0.05 * value),
      ),
    };
    const seen: [number, number][] = [];
    const state = await run(
      worldOf(),
      plan({ iterations: 400, heldOut: { ...heldOut, feeds: async () => [wrong] } }),
      ({ done, heldOutLoss }) => heldOutLoss !== undefined && seen.push([done, heldOutLoss]),
    );
    const best = seen.reduce((a, b) => (b[1] < a[1] ? b : a));
    expect(seen.at(-1)![0]).toBe(best[0] + 15);
    const exact = await run(worldOf(), plan({ iterations: best[0] }));
    expect(state).toEqual(exact);
  });
});

describe('a fit that is interrupted', () => {
  /** A store that saves at every step, and a world that breaks down after some of them. */
  function interrupted(afterSteps: number) {
    const pieces = new Map<string, TensorData>();
    const checkpoint = {
      get: async (key: string) => pieces.get(key),
      put: async (key: string, piece: TensorData) => void pieces.set(key, structuredClone(piece)),
    };
    return { pieces, world: worldOf({ checkpoint }), afterSteps };
  }

  it.each([false, true])('goes on where it was, to the same result (held out: %s)', async (held) => {
    const fit = plan({ checkpointMs: 0, ...(held && { heldOut }) });
    const whole = await run(worldOf(), fit);
    const { world, afterSteps, pieces } = interrupted(23);
    await expect(
      run(world, fit, ({ done }) => {
        if (done === afterSteps) throw new Error('the tab was closed');
      }),
    ).rejects.toThrow('the tab was closed');
    expect(pieces.size).toBe(1);
    const done: number[] = [];
    const resumed = await run(world, fit, (progress) => done.push(progress.done));
    expect(done[0]).toBe(afterSteps);
    expect(resumed).toEqual(whole);
  });
});

describe('a fit that is ended by hand', () => {
  it('keeps what it has and says so', async () => {
    const remarks: string[] = [];
    let ending = false;
    const world = worldOf({ remark: (text) => void remarks.push(text) });
    Object.defineProperty(world, 'ending', { get: () => ending });
    const state = await run(world, plan(), ({ done, usable }) => {
      expect(usable).toBe(true);
      ending = done === 7;
    });
    expect(remarks).toEqual(['Ended by hand after 7 of 60 steps; kept is step 7.']);
    expect(state).toEqual(await run(worldOf(), plan({ iterations: 7 })));
  });
});

describe('a loss that stops being finite', () => {
  it('stops the fit and keeps the last good state, with step and likely cause', async () => {
    const remarks: string[] = [];
    const world = worldOf({ remark: (text) => void remarks.push(text) });
    const infinite = floatTensor([BATCH, 1], new Float32Array(BATCH).fill(Infinity));
    const feeds: GradientFit['feeds'] = (_step, iteration) =>
      iteration < 10 ? data(`batch.${iteration}`) : { ...data('x'), y: infinite };
    const state = await run(world, plan({ feeds, heldOut, divergence: 'an image without a finite value' }));
    expect(remarks).toEqual([
      'The loss stopped being a finite number at step 11 of 60; kept is the last good state. ' +
        'Likely an image without a finite value.',
    ]);
    expect(floats(state['line.w']).every(Number.isFinite)).toBe(true);
    expect(state).toEqual(await run(worldOf(), plan({ iterations: 10, heldOut })));
  });

  it('at the first step is an error', async () => {
    const infinite = floatTensor([BATCH, 1], new Float32Array(BATCH).fill(Infinity));
    await expect(
      run(worldOf(), plan({ feeds: () => ({ ...data('x'), y: infinite }) })),
    ).rejects.toMatchObject({
      code: 'fit/diverged',
      message: 'the loss stopped being a finite number at step 1 of 60',
    });
  });
});

describe('a trial', () => {
  it('reports what a step costs and trains nothing', async () => {
    const costs: unknown[] = [];
    const state = await run(worldOf({ trial: { report: (cost) => void costs.push(cost) } }), plan());
    expect(state).toEqual({});
    expect(costs).toEqual([
      {
        stepMs: expect.any(Number) as number,
        forwardMs: expect.any(Number) as number,
        iterationMs: expect.any(Number) as number,
        iterations: 60,
      },
    ]);
    expect((costs[0] as { stepMs: number }).stepMs).toBeGreaterThan(0);
  });
});
