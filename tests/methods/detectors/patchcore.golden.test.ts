import { expect, it } from 'vitest';
import { floatTensor, floats, intTensor } from '../../../src/base/tensor';
import { greedyCoreset } from '../../../src/methods/kit/coreset';
import type { Coreset } from '../../../src/methods/kit/coreset';
import { localFeatures, toPatches } from '../../../src/methods/kit/patch-embedding';
import { projectedWidth } from '../../../src/methods/kit/projection';
import { patchcore } from '../../../src/methods/registry';
import type { Rng } from '../../../src/base/rng';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

interface Golden {
  patchcore: {
    fit_images: number[];
    query_images: number[];
    ratio: number;
    size: number;
    score_by_neighbours: Record<string, number[]>;
    projection_dims_eps_0_9: Record<string, number>;
  };
}

describeGolden(['detectors.json', 'patchcore.safetensors'], 'PatchCore', () => {
  const golden = goldenJson<Golden>('detectors.json').patchcore;
  const runtime = openNodeRuntime();
  const fitted = golden.fit_images.length;
  const taps = async () => {
    const tensors = await goldenTensors('patchcore.safetensors');
    return { tensors, all: { level2: tensors['in.level2'], level3: tensors['in.level3'] } };
  };
  const options = { coresetShare: 100 * golden.ratio, maxPatches: 100_000, neighbours: 9, blurSigma: 4 };

  it('embedding', async () => {
    const { tensors, all } = await taps();
    const { patches } = await evaluate(runtime, all, ({ level2, level3 }) => ({
      patches: toPatches(localFeatures([level2, level3])),
    }));
    expect(patches.shape).toEqual(tensors.embedding.shape);
    expect(relativeError(floats(patches), floats(tensors.embedding))).toBeLessThan(1e-5);
  });

  it('coreset: the same picks in the same order', async () => {
    const { tensors } = await taps();
    const [, count, width] = tensors.embedding.shape;
    const points = {
      values: floats(tensors.embedding).subarray(0, fitted * count * width),
      count: fitted * count,
      width,
    };
    const selection = greedyCoreset(
      contextOf(runtime, { level2: tensors['in.level2'] }, { side: 64 }),
      points,
      golden.size,
      0,
    );
    let step = await selection.next();
    while (!step.done) step = await selection.next();
    const { index, radius }: Coreset = step.value;
    expect([...index]).toEqual([...tensors['coreset.index'].data]);
    expect(relativeError(radius.subarray(1), floats(tensors['coreset.radius']))).toBeLessThan(1e-5);
  });

  it('fit: bank of the golden picks when it starts where they do', async () => {
    const { tensors, all } = await taps();
    const rng = () => ({ integer: () => 0 }) as unknown as Rng;
    const context = contextOf(runtime, someOf(all, 0, fitted), { side: 64, rng });
    const state = await fitToEnd(patchcore, context, options);
    expect(relativeError(floats(state.bank), floats(tensors.bank))).toBeLessThan(1e-5);
    const perImage = tensors.embedding.shape[1];
    expect([...state.origin.data]).toEqual(
      [...tensors['coreset.index'].data].map((patch) => Math.floor(Number(patch) / perImage)),
    );
  });

  it.each(Object.entries(golden.score_by_neighbours))(
    'score and map with %s neighbours',
    async (b, scores) => {
      const { tensors, all } = await taps();
      const queries = someOf(all, fitted, fitted + golden.query_images.length);
      const bank = tensors.bank;
      const state = { bank, origin: intTensor([bank.shape[0]], new Int32Array(bank.shape[0])) };
      const found = await scoreTaps(
        runtime,
        patchcore,
        state,
        { ...options, neighbours: Number(b) },
        queries,
        64,
      );
      expect(relativeError(found.score, scores)).toBeLessThan(1e-5);
      expect(relativeError(found.map, floats(tensors['map.bilinear_blur4']))).toBeLessThan(1e-5);
    },
  );

  it('distances, and the nearest rows', async () => {
    const { tensors, all } = await taps();
    const bank = tensors.bank;
    const state = { bank, origin: intTensor([bank.shape[0]], new Int32Array(bank.shape[0])) };
    const queries = someOf(all, fitted, fitted + golden.query_images.length);
    // Without smoothing and at the features' own size the map is the distances.
    const side = tensors['in.level2'].shape[2];
    const found = await scoreTaps(runtime, patchcore, state, { ...options, blurSigma: 0 }, queries, side);
    expect(relativeError(found.map, floats(tensors['query.distance']))).toBeLessThan(1e-5);
  });

  it('dimensions of the projection', () => {
    for (const [count, width] of Object.entries(golden.projection_dims_eps_0_9))
      expect(projectedWidth(Number(count))).toBe(width);
  });

  it('a floatTensor keeps what it is given', () => {
    expect(() => floatTensor([2], [1])).toThrow('1 values for shape [2]');
  });
});
