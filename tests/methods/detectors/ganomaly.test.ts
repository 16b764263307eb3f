import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, sizeOf } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import type { FitProgress, MethodState } from '../../../src/methods/contract';
import {
  discriminatorLoss,
  ganomaly,
  generatorLoss,
  latentScore,
  redraw,
} from '../../../src/methods/detectors/ganomaly';
import type { GanomalyForm, GanomalyOptions } from '../../../src/methods/detectors/ganomaly';
import { defaultOptions } from '../../../src/methods/options';
import { cutTiles, tilingOf, toSigned } from '../../../src/methods/kit/tiles';
import { DeclaringNet, FittedNet, FlatNet } from '../../../src/nn/net';
import { contextOf, scoreTaps } from '../../support/fixed-taps';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();

/** The names and shapes of a generator, and the shapes of what it gives for a batch of two. */
function declared(form: GanomalyForm) {
  const graph = new GraphBuilder();
  const net = new DeclaringNet(graph);
  const { z, drawn, again } = redraw(net, graph.placeholder('float32', [2, 1, form.tile, form.tile]), form);
  const { slots } = net.parameters;
  return {
    shapes: [z, drawn, again].map(({ shape }) => shape),
    layers: slots.filter(({ name }) => /^encoder1\.conv\d/.test(name)).length,
    encoder: slots
      .filter(({ name }) => name.startsWith('encoder1.'))
      .reduce((sum, { shape }) => sum + sizeOf(shape), 0),
  };
}

describe('networks (methods.md 3.2, 3.7)', () => {
  it.each([
    [64, 4],
    [32, 3],
    [256, 6],
  ])('a side of %i takes %i layers', (tile, layers) => {
    const found = declared({ tile, filters: 2, latent: 10 });
    expect(found.layers).toBe(layers);
    expect(found.shapes).toEqual([
      [2, 10],
      [2, 1, tile, tile],
      [2, 10],
    ]);
  });

  it.each([
    [64, 32, 1_099_136],
    [64, 64, 3_574_528],
    [256, 64, 47_981_312],
  ])('an encoder of side %i and %i filters has %i parameters', (tile, filters, parameters) => {
    expect(declared({ tile, filters, latent: 100 }).encoder).toBe(parameters);
  });
});

describe('losses', () => {
  const form: GanomalyForm = { tile: 16, filters: 2, latent: 3 };

  it('of equal codes is 0', async () => {
    const z = floatTensor([2, 3], [1, 2, 3, -4, 5, 6]);
    const { score } = await evaluate(runtime, { z }, (values) => ({
      score: latentScore(values.z, values.z),
    }));
    expect([...floats(score)]).toEqual([0, 0]);
  });

  it('of a generator that draws grey: L_con is the mean of |x|, L_enc 0; ln 2 for a discriminator that can’t tell', async () => {
    const draft = new GraphBuilder();
    const nets = { generator: new DeclaringNet(draft), judge: new DeclaringNet(draft) };
    generatorLoss(nets.generator, nets.judge, draft.placeholder('float32', [2, 1, 16, 16]), form);
    const x = floatTensor(
      [2, 1, 16, 16],
      Float32Array.from({ length: 512 }, (_, i) => (i % 2 ? 0.5 : -0.25)),
    );
    const nothing = (size: number) => floatTensor([size], new Float32Array(size));
    const feeds = {
      x,
      g: nothing(nets.generator.parameters.size),
      gs: nothing(nets.generator.statistics.size),
      d: nothing(nets.judge.parameters.size),
      ds: nothing(nets.judge.statistics.size),
    };
    const found = await evaluate(runtime, feeds, ({ x, g, gs, d, ds }, graph) => {
      const generator = new FlatNet(graph, nets.generator, { parameters: g, statistics: gs }, {}, 'train');
      const judge = new FlatNet(graph, nets.judge, { parameters: d, statistics: ds }, {}, 'train');
      const { loss, drawn, terms } = generatorLoss(generator, judge, x, form);
      return { loss, ...terms, judged: discriminatorLoss(judge, x, drawn, form) };
    });
    expect(floats(found.contextual)[0]).toBeCloseTo(0.375, 6);
    expect(floats(found.latent)[0]).toBe(0);
    expect(floats(found.adversarial)[0]).toBe(0);
    expect(floats(found.loss)[0]).toBeCloseTo(50 * 0.375, 5);
    expect(floats(found.judged)[0]).toBeCloseTo(Math.LN2, 6);
  });
});

describe('a fit', () => {
  /** No power of two: two tiles of 32 px a row, the second at the border. */
  const SIDE = 40;
  const rng = new Rng(1, 'ganomaly.images');
  /** Stripes at any phase, some noise. */
  const images = floatTensor(
    [6, 1, SIDE, SIDE],
    Float32Array.from({ length: 6 * SIDE * SIDE }, (_, i) => {
      const phase = 3 * Math.floor(i / (SIDE * SIDE));
      return 0.5 + 0.3 * Math.sign(Math.sin((i % SIDE) / 3 + phase)) + 0.02 * rng.bell();
    }),
  );
  const taps = { level1: floatTensor([6, 1, 1, 1], new Float32Array(6)) };
  const options: GanomalyOptions = {
    ...(defaultOptions(ganomaly.options) as GanomalyOptions),
    steps: 16,
    batch: 4,
    learningRate: 1e-3,
  };
  const remarks: string[] = [];
  const fit = async (changes: Partial<GanomalyOptions> = {}) => {
    const losses: number[] = [];
    const world = { remark: (text: string) => void remarks.push(text) };
    const fitting = ganomaly.fit(contextOf(runtime, taps, { side: SIDE, images, world }), {
      ...options,
      ...changes,
    });
    let step = await fitting.next();
    while (!step.done) {
      const { loss }: FitProgress = step.value;
      if (loss !== undefined) losses.push(loss);
      step = await fitting.next();
    }
    return { losses, state: step.value };
  };
  const score = (state: MethodState, query = images) =>
    scoreTaps(runtime, ganomaly, state, options, taps, SIDE, undefined, query);

  it('lowers the loss, says which form ran, and gives finite maps and one score an image', async () => {
    const { losses, state } = await fit();
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]);
    expect(remarks).toContain('Reduced form: tiles of 32 px, 32 filters.');
    const { map, score: scores } = await score(state);
    expect(map).toHaveLength(6 * SIDE * SIDE);
    expect(scores).toHaveLength(6);
    for (const value of [...map, ...scores]) expect(value >= 0 && Number.isFinite(value)).toBe(true);
  });

  it('is the same for the same seed', async () => {
    const [first, second] = [await fit({ steps: 3 }), await fit({ steps: 3 })];
    expect(first.losses).toEqual(second.losses);
    for (const [name, { data }] of Object.entries(first.state))
      expect(Buffer.from(data.buffer).equals(Buffer.from(second.state[name].data.buffer)), name).toBe(true);
  });

  it('scores an image by its strangest tile', async () => {
    const { state } = await fit({ steps: 2 });
    const tiling = tilingOf(SIDE, 32, 16);
    const { tiles } = await evaluate(runtime, { images, ...state }, ({ images, ...values }, graph) => {
      const net = new FittedNet(graph, values, 'generator.');
      const x = toSigned(cutTiles(images, tiling));
      const { z, again } = redraw(net, x, { tile: 32, filters: 32, latent: 100 });
      return { tiles: latentScore(z, again) };
    });
    const expected = Array.from({ length: 6 }, (_, i) =>
      Math.max(...floats(tiles).subarray(4 * i, 4 * i + 4)),
    );
    expect(relativeError((await score(state)).score, expected)).toBeLessThan(1e-5);
  });

  it('draws pictures between black and white', async () => {
    const { state } = await fit({ steps: 2 });
    const graph = new GraphBuilder();
    const values = Object.fromEntries(
      Object.entries(state).map(([name, tensor]) => [name, graph.weight(name, tensor)]),
    );
    const image = graph.input('image', images.shape);
    const backbone = contextOf(runtime, taps, { side: SIDE }).backbone;
    graph.output('drawn', ganomaly.reconstruct!(graph, { taps: {}, image, backbone }, values, options));
    const { values: found } = await (await runtime.compile(graph.build())).run({ image: images });
    expect(found.drawn.shape).toEqual(images.shape);
    for (const value of floats(found.drawn)) expect(value >= 0 && value <= 1).toBe(true);
  });

  it('states more memory for the full form, and for a larger batch', () => {
    const size = { ...contextOf(runtime, taps, { side: 256 }), goodImages: 20 };
    const bytes = (changes: Partial<GanomalyOptions>) => ganomaly.memory(size, { ...options, ...changes });
    // Four networks of 48 million parameters, twice, and what Adam keeps of each.
    expect(bytes({ form: 'full' }).fitBytes).toBeGreaterThan(4 * 4 * 4 * 47e6);
    expect(bytes({ form: 'full' }).fitBytes).toBeGreaterThan(20 * bytes({}).fitBytes);
    expect(bytes({ batch: 64 }).fitBytes).toBeGreaterThan(bytes({}).fitBytes);
  });
});
