import { expect, it } from 'vitest';
import type { Rng } from '../../../src/base/rng';
import { floats } from '../../../src/base/tensor';
import type { Grid } from '../../../src/methods/kit/nested-grids';
import { padim } from '../../../src/methods/registry';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';
import { assembled } from '../kit/assembled';

interface Golden {
  padim: { fit_images: number[]; query_images: number[]; scores: number[] };
}

describeGolden(['detectors.json', 'padim.safetensors'], 'PaDiM', () => {
  const golden = goldenJson<Golden>('detectors.json').padim;
  const runtime = openNodeRuntime();
  const fitted = golden.fit_images.length;

  async function fit(gaussian: string) {
    const tensors = await goldenTensors('padim.safetensors');
    const all = { level1: tensors['in.level1'], level2: tensors['in.level2'], level3: tensors['in.level3'] };
    const channels = Int32Array.from(tensors.channels.data as Int32Array).sort();
    const rng = () => ({ choose: () => channels }) as unknown as Rng;
    const options = { channels: channels.length, gaussian, blurSigma: 4 };
    const context = contextOf(runtime, someOf(all, 0, fitted), { side: 32, rng });
    const state = await fitToEnd(padim, context, options);
    return { tensors, all, state, options };
  }

  it('mean and inverse covariance', async () => {
    const { tensors, all, state } = await fit('position');
    // Coarsest level first; the golden channels count through all levels, finest first.
    const grids: Grid[] = [];
    let order: number[] = [];
    let before = 0;
    for (const level of ['level1', 'level2', 'level3'] as const) {
      const [, channels, rows, columns] = all[level].shape;
      const drawn = Array.from(state[level].data as Int32Array);
      grids.unshift({ rows, columns, width: drawn.length });
      order = [...drawn.map((channel) => before + channel), ...order];
      before += channels;
    }
    const place = Array.from(tensors.channels.data as Int32Array, (channel) => order.indexOf(channel));
    const { mean, whitening, cells: positions, width: d } = assembled(state, grids);
    expect(positions).toBe(tensors.mean.shape[0]);
    const sortedMean = new Float32Array(positions * d);
    const inverse = new Float32Array(positions * d * d);
    for (let p = 0; p < positions; p++)
      for (let i = 0; i < d; i++) {
        sortedMean[p * d + i] = mean[p * d + place[i]];
        for (let j = 0; j < d; j++)
          for (let k = 0; k < d; k++)
            inverse[(p * d + i) * d + j] +=
              whitening[(p * d + place[i]) * d + k] * whitening[(p * d + place[j]) * d + k];
      }
    expect(relativeError(sortedMean, floats(tensors.mean))).toBeLessThan(1e-5);
    expect(relativeError(inverse, floats(tensors.inverse))).toBeLessThan(1e-4);
  });

  it('map, smoothed map and score', async () => {
    const { tensors, all, state, options } = await fit('position');
    const queries = someOf(all, fitted, fitted + golden.query_images.length);
    const plain = await scoreTaps(runtime, padim, state, { ...options, blurSigma: 0 }, queries, 8);
    expect(relativeError(plain.map, floats(tensors.map8))).toBeLessThan(1e-4);
    const smooth = await scoreTaps(runtime, padim, state, options, queries, 32);
    expect(relativeError(smooth.map, floats(tensors['map32.blur4']))).toBeLessThan(1e-4);
    expect(relativeError(smooth.score, golden.scores)).toBeLessThan(1e-4);
  });

  it('one Gaussian for all positions', async () => {
    const { tensors, all, state, options } = await fit('shared');
    const queries = someOf(all, fitted, fitted + golden.query_images.length);
    const { map } = await scoreTaps(runtime, padim, state, { ...options, blurSigma: 0 }, queries, 8);
    expect(relativeError(map, floats(tensors['map8.shared_gaussian']))).toBeLessThan(1e-4);
  });
});
