import { describe, expect, it, vi } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import type { Value } from '../../../src/graph/value';
import type { FitProgress, MethodState } from '../../../src/methods/contract';
import {
  criticLoss,
  criticise,
  encode,
  fAnogan,
  generate,
  redraw,
  unlikeness,
} from '../../../src/methods/detectors/f-anogan';
import type { FAnoganForm, FAnoganOptions } from '../../../src/methods/detectors/f-anogan';
import { Trainer } from '../../../src/methods/kit/trainer';
import type { StepSpec } from '../../../src/methods/kit/training-graph';
import { defaultOptions } from '../../../src/methods/options';
import { DeclaringNet, FittedNet } from '../../../src/nn/net';
import type { Net } from '../../../src/nn/net';
import { contextOf, scoreTaps } from '../../support/fixed-taps';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

/** A network's description run for its tensors alone. */
function declared(build: (net: Net, draft: GraphBuilder) => Value) {
  const draft = new GraphBuilder();
  const net = new DeclaringNet(draft);
  const { shape } = build(net, draft);
  const { slots } = net.parameters;
  return { shape, net, parameters: slots.reduce((sum, slot) => sum + sizeOf(slot.shape), 0) };
}

describe('networks (methods.md 2.2, 2.7)', () => {
  const image = (draft: GraphBuilder) => draft.placeholder('float32', [2, 1, 64, 64]);

  it.each([
    [64, 128, 7_490_689, 8_531_200, 8_539_329],
    [32, 64, 1_876_545, 2_134_656, 2_138_721],
  ])('of %i filters and codes of %i have the published sizes', (filters, latent, d, e, g) => {
    const form: FAnoganForm = { tile: 64, filters, latent };
    const critic = declared((net, draft) => criticise(net, image(draft), form).value);
    const encoder = declared((net, draft) => encode(net, image(draft), form));
    const generator = declared((net, draft) =>
      generate(net, draft.placeholder('float32', [2, latent]), form),
    );
    expect([critic.parameters, encoder.parameters, generator.parameters]).toEqual([d, e, g]);
    expect([critic.shape, encoder.shape, generator.shape]).toEqual([
      [2, 1],
      [2, latent],
      [2, 1, 64, 64],
    ]);
  });

  it('the critic’s features are 8,192 numbers of a square of 64', () => {
    const form: FAnoganForm = { tile: 64, filters: 64, latent: 128 };
    expect(declared((net, draft) => criticise(net, image(draft), form).features).shape).toEqual([2, 8192]);
  });
});

const form: FAnoganForm = { tile: 32, filters: 2, latent: 4 };

/** Networks with their first values. */
function started(stream: string) {
  const nets = {
    encoder: declared((net, draft) => encode(net, draft.placeholder('float32', [1, 1, 32, 32]), form)),
    generator: declared((net, draft) => generate(net, draft.placeholder('float32', [1, 4]), form)),
    critic: declared(
      (net, draft) => criticise(net, draft.placeholder('float32', [1, 1, 32, 32]), form).value,
    ),
  };
  const state: Record<string, TensorData> = {};
  for (const [name, { net }] of Object.entries(nets))
    for (const layout of [net.parameters, net.statistics]) {
      const tensors = layout.tensors(layout.start((tensor) => new Rng(0, `${stream}.${name}.${tensor}`)));
      for (const [tensor, data] of Object.entries(tensors)) state[`${name}.${tensor}`] = data;
    }
  return state;
}

describe('scores (methods.md 2.4)', () => {
  const rng = new Rng(1, 'scores');
  const x = floatTensor(
    [3, 1, 32, 32],
    Float32Array.from({ length: 3 * 1024 }, () => rng.between(-1, 1)),
  );

  it('are not negative, and 0 for a picture that is the image', async () => {
    const found = await evaluate(runtime, { x, ...started('a') }, ({ x, ...values }, graph) => {
      const net = (name: string) => new FittedNet(graph, values, `${name}.`);
      const { drawn, score } = redraw(net('encoder'), net('generator'), net('critic'), x, form);
      return { drawn, score, same: unlikeness(net('critic'), x, x, form).score };
    });
    for (const value of floats(found.score)) expect(value).toBeGreaterThan(0);
    expect([...floats(found.same)]).toEqual([0, 0, 0]);
    for (const value of floats(found.drawn)) expect(Math.abs(value)).toBeLessThanOrEqual(1);
  });
});

describe('a step of the critic', () => {
  it('lowers its loss on the points it was made on', async () => {
    const rng = new Rng(2, 'toy');
    const point = () =>
      floatTensor(
        [2, 1, 32, 32],
        Float32Array.from({ length: 2048 }, () => rng.between(-1, 1)),
      );
    const feeds = { real: point(), fake: point(), epsilon: floatTensor([2, 1, 1, 1], [0.3, 0.8]) };
    const step: StepSpec = {
      nets: { critic: { optimiser: { kind: 'adam', betas: [0, 0.9] } } },
      build({ net, input }) {
        const [real, fake] = ['real', 'fake'].map((name) => input(name, [2, 1, 32, 32]));
        return criticLoss(net('critic'), real, fake, input('epsilon', [2, 1, 1, 1]), form);
      },
    };
    const trainer = new Trainer(contextOf(runtime, { level1: floatTensor([1], [0]) }, { side: 32 }), {
      step,
    });
    const losses: number[] = [await trainer.loss('step', feeds, 'forward')];
    for (let i = 0; i < 5; i++) {
      const { report } = await trainer.step('step', feeds, () => 1e-4);
      report.dispose();
      losses.push(await trainer.loss('step', feeds, 'forward'));
    }
    trainer.dispose();
    expect(losses[1]).toBeLessThan(losses[0]);
    expect(losses[5]).toBeLessThan(losses[1]);
  });
});

describe('a fit', () => {
  const SIDE = 64;
  const rng = new Rng(1, 'f-anogan.images');
  /** Stripes at any phase, some noise. */
  const images = floatTensor(
    [5, 1, SIDE, SIDE],
    Float32Array.from({ length: 5 * SIDE * SIDE }, (_, i) => {
      const phase = 3 * Math.floor(i / (SIDE * SIDE));
      return 0.5 + 0.3 * Math.sign(Math.sin((i % SIDE) / 3 + phase)) + 0.02 * rng.bell();
    }),
  );
  const taps = { level1: floatTensor([5, 1, 1, 1], new Float32Array(5)) };
  const options: FAnoganOptions = {
    ...(defaultOptions(fAnogan.options) as FAnoganOptions),
    form: 'small',
    steps: 1,
    encoderSteps: 16,
    batch: 2,
    encoderRate: 2e-3,
  };
  const remarks: string[] = [];
  const fit = async (changes: Partial<FAnoganOptions> = {}) => {
    const ticks: FitProgress[] = [];
    const world = { remark: (text: string) => void remarks.push(text) };
    const fitting = fAnogan.fit(contextOf(runtime, taps, { side: SIDE, images, world }), {
      ...options,
      ...changes,
    });
    let step = await fitting.next();
    while (!step.done) {
      ticks.push(step.value);
      step = await fitting.next();
    }
    return { ticks, state: step.value };
  };
  const drawn = async (state: MethodState) => {
    const graph = new GraphBuilder();
    const values = Object.fromEntries(
      Object.entries(state).map(([name, tensor]) => [name, graph.weight(name, tensor)]),
    );
    const image = graph.input('image', images.shape);
    const { backbone } = contextOf(runtime, taps, { side: SIDE });
    graph.output('drawn', fAnogan.reconstruct!(graph, { taps: {}, image, backbone }, values, options));
    return (await (await runtime.compile(graph.build())).run({ image: images })).values.drawn;
  };

  it('trains a generator, then an encoder whose loss falls; finite maps, one score an image, pictures', async () => {
    const { ticks, state } = await fit();
    expect([...new Set(ticks.map(({ phase }) => phase))]).toEqual(['features', 'generator', 'encoder']);
    expect(ticks.some(({ phase, usable }) => phase === 'generator' && usable)).toBe(false);
    const losses = ticks.flatMap(({ phase, loss }) =>
      phase === 'encoder' && loss !== undefined ? [loss] : [],
    );
    expect(losses.at(-1)).toBeLessThan(losses[0]);
    expect(remarks.some((text) => text.startsWith('Small form'))).toBe(true);
    const { map, score } = await scoreTaps(runtime, fAnogan, state, options, taps, SIDE, undefined, images);
    expect(map).toHaveLength(5 * SIDE * SIDE);
    expect(score).toHaveLength(5);
    for (const value of [...map, ...score]) expect(value >= 0 && Number.isFinite(value)).toBe(true);
    const pictures = await drawn(state);
    expect(pictures.shape).toEqual(images.shape);
    for (const value of floats(pictures)) expect(value >= 0 && value <= 1).toBe(true);
  });

  it('keeps the generator’s rate; the encoder’s falls along half a cosine', async () => {
    const steps = vi.spyOn(Trainer.prototype, 'step');
    await fit({ steps: 2, encoderSteps: 4 });
    const ratesOf = (net: string) =>
      steps.mock.calls.flatMap(([name, , rateOf]) => (name === net ? [rateOf(net)] : []));
    expect(ratesOf('generator')).toEqual([options.learningRate, options.learningRate]);
    const falling = [0, 1, 2, 3].map((i) => (options.encoderRate * (1 + Math.cos((Math.PI * i) / 4))) / 2);
    expect(ratesOf('encoder')).toHaveLength(4);
    ratesOf('encoder').forEach((rate, i) => expect(rate).toBeCloseTo(falling[i], 9));
  });

  it('is the same for the same seed', async () => {
    const [first, second] = [
      await fit({ steps: 1, encoderSteps: 2 }),
      await fit({ steps: 1, encoderSteps: 2 }),
    ];
    expect(first.ticks).toEqual(second.ticks);
    for (const [name, { data }] of Object.entries(first.state))
      expect(Buffer.from(data.buffer).equals(Buffer.from(second.state[name].data.buffer)), name).toBe(true);
  });

  it('states more memory for larger forms', () => {
    const size = { ...contextOf(runtime, taps, { side: 224 }), goodImages: 20 };
    const bytes = ['small', 'reduced', 'full'].map(
      (form) => fAnogan.memory(size, { ...options, form }).fitBytes,
    );
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
    // Three networks of eight million parameters, and what is kept of each.
    expect(bytes[2]).toBeGreaterThan(3 * 4 * 8e6);
  });
});
