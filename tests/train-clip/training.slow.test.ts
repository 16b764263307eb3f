import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors';
import { Rng } from '../../src/base/rng';
import { bytesOf, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import type { Feeds } from '../../src/runtime/program';
import { bytesAsSource } from '../../src/weights/byte-source';
import { Safetensors } from '../../src/weights/safetensors';
import { batchClasses, standardise, Batches } from '../../scripts/train-clip/batches';
import { Captions, GROUPS } from '../../scripts/train-clip/captions';
import { PARTS, namedTensors } from '../../scripts/train-clip/encoder';
import { semEncoderConfig } from '../../src/nn/clip/sem-encoder';
import { encoderFile, foldStatistics, requireSame } from '../../scripts/train-clip/export';
import { Judge, quality } from '../../scripts/train-clip/judge';
import { NORMAL, PATTERN, trainingPictures } from '../../scripts/train-clip/pictures';
import type { Plan } from '../../scripts/train-clip/plan';
import { loadProgress } from '../../scripts/train-clip/progress';
import type { Best } from '../../scripts/train-clip/progress';
import { StemFile, StemMaker, channelStatistics } from '../../scripts/train-clip/stems';
import type { ChannelStatistics } from '../../scripts/train-clip/stems';
import { encoderLayouts } from '../../scripts/train-clip/step';
import { GroupEncoder } from '../../scripts/train-clip/texts';
import { train } from '../../scripts/train-clip/training';
import { openNodeRuntime } from '../support/node-runtime';
import { tokenizer } from '../text/shipped-tokenizer';

const IMAGES = 32;
const phase = { images: IMAGES, batch: 8, rate: 1e-3, warmUp: 2, lookEvery: 6 };
const PLAN: Plan = {
  seed: 3,
  phases: [
    { ...phase, side: 160, steps: 12 },
    { ...phase, side: 160, steps: 2 },
  ],
  each: 1,
  decay: 0.9,
  dropout: 0.1,
  noise: 0.1,
};

const runtime = openNodeRuntime();
const captions = new Captions(tokenizer);
const config = semEncoderConfig(captions.tokenIds.length);
const layouts = encoderLayouts(config);
const encoder = { layouts, config };
const folder = mkdtempSync(join(tmpdir(), 'train-clip-'));
let stems: StemFile;
let maker: StemMaker;
let statistics: ChannelStatistics;

beforeAll(async () => {
  maker = await StemMaker.open(runtime);
  stems = await StemFile.open(folder, trainingPictures(160, 3), IMAGES, maker, () => undefined);
  statistics = channelStatistics(stems);
}, 120_000);
afterAll(async () => {
  stems.close();
  rmSync(folder, { recursive: true });
  await runtime.close();
});

/** @param options looks in earlier runs, and the look that ends the training from outside */
async function trained(
  name: string,
  { before = 0, until = Infinity } = {},
): Promise<{ best: Best; lines: string[] }> {
  let looks = before;
  const lines: string[] = [];
  const best = await train({
    runtime,
    plan: PLAN,
    config,
    captions,
    stems: [stems, stems],
    statistics,
    path: join(folder, name),
    saveEveryMs: 0,
    print: (line) => lines.push(line),
    async look() {
      if (looks === until) throw new AppError('cancelled', 'ended');
      // The last one is the best.
      return ++looks / 10;
    },
  });
  return { best, lines };
}

/** Everything that an ended training left, but for the time that it took. */
async function left(name: string): Promise<Buffer> {
  const { packed, average, best } = (await loadProgress(join(folder, name), JSON.stringify(PLAN)))!;
  const weights = [average, best!.vectors].flatMap((own) => PARTS.map((part) => own[part].parameters));
  return Buffer.concat([packed, ...weights].map(bytesOf));
}

describe('stems', () => {
  it('are found again, and only what lacks is made', async () => {
    const made: number[] = [];
    const again = await StemFile.open(folder, trainingPictures(160, 3), IMAGES + 8, maker, (done) =>
      made.push(done),
    );
    expect(made).toEqual([IMAGES + 8]);
    expect(again.read(5)).toEqual(stems.read(5));
    again.close();
  });

  it('are standardised channel by channel', () => {
    const all = Array.from({ length: IMAGES }, (_, i) => {
      const out = new Float32Array(320 * 100);
      standardise(stems.read(i).features, statistics, out);
      return out;
    });
    for (const channel of [0, 150, 319]) {
      const own = all.flatMap((image) => [...image.subarray(channel * 100, (channel + 1) * 100)]);
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
      expect(mean).toBeCloseTo(0, 3);
      const variance = own.reduce((sum, value) => sum + value * value, 0) / own.length;
      expect(variance).toBeGreaterThan(0.2);
      expect(variance).toBeLessThanOrEqual(1);
    }
  });
});

describe('batches', () => {
  const settings = { ...PLAN, batch: 16 };

  it('show every image of a pass once, and the labels of its mask', () => {
    const batches = new Batches(stems, statistics, captions, { ...settings, dropout: 0, noise: 0 });
    const seen = [0, 1].map((step) => batches.feeds(step));
    const first = new Set(
      seen.flatMap(({ stem }) =>
        Array.from({ length: 16 }, (_, i) => floats(stem as TensorData)[i * 32_000]),
      ),
    );
    expect(first.size).toBe(IMAGES);
    const weights = floats(seen[0].weights as TensorData);
    expect(weights.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
    batchClasses(16).forEach((of, image) =>
      weights.slice(image * 700, (image + 1) * 700).forEach((value, i) => {
        if (value) expect([of, NORMAL]).toContain(i % 7);
      }),
    );
  });

  it('are the same whenever they are drawn, and different from step to step', () => {
    const [a, b] = [0, 1].map(() => new Batches(stems, statistics, captions, settings));
    b.feeds(4);
    const bytes = (feeds: Feeds) =>
      Buffer.concat(Object.values(feeds).map((own) => bytesOf((own as TensorData).data)));
    expect(bytes(a.feeds(5)).equals(bytes(b.feeds(5)))).toBe(true);
    expect(bytes(a.feeds(5)).equals(bytes(a.feeds(7)))).toBe(false);
  });
});

describe('a training', () => {
  it('goes on after an interruption to the same numbers', async () => {
    const whole = await trained('whole');
    expect(whole.best.phase).toBe(1);
    await expect(trained('parts', { until: 1 })).rejects.toThrow('ended');
    const rest = await trained('parts', { before: 1 });
    expect(rest.lines[0]).toBe('160 px: goes on at step 11');
    expect((await left('parts')).equals(await left('whole'))).toBe(true);
  }, 300_000);

  it('refuses the unfinished work of another plan', async () => {
    const path = join(folder, 'whole');
    expect(existsSync(path)).toBe(true);
    const other = { ...PLAN, seed: 4 };
    await expect(
      train({
        runtime,
        plan: other,
        config,
        captions,
        stems: [stems, stems],
        statistics,
        path,
        print: () => undefined,
        look: () => Promise.reject(new Error('not reached')),
      }),
    ).rejects.toMatchObject({ code: 'usage', hint: 'Repeat those, or begin anew with --fresh.' });
  });
});

describe('an exported encoder', () => {
  const vectors = Object.fromEntries(
    Object.entries(layouts).map(([part, { parameters }]) => [
      part,
      { parameters: parameters.start((name) => new Rng(1, name)), statistics: new Float32Array() },
    ]),
  );

  it('gives what the weights gave that it came from, out of stems as they are', async () => {
    const texts = await (await GroupEncoder.open(runtime, encoder, captions)).vectors(vectors, false);
    const file = encoderFile(
      foldStatistics(namedTensors(layouts, vectors), statistics),
      captions.tokenIds,
      texts,
    );
    expect(file.byteLength).toBeLessThan(8e6);
    const read = await Safetensors.open(bytesAsSource(file));
    expect(read.metadata.classes.split(',')).toEqual(GROUPS);
    expect(read.tensors.get('text_vectors')).toMatchObject({ dtype: 'F32', shape: [9, 192] });
    expect((await read.read('token_ids')).data).toEqual(captions.tokenIds);
    const records = [0, 1, 2].map((i) => stems.read(i));
    const from = { layouts, config, vectors, statistics };
    expect(await requireSame(runtime, file, from, records, captions)).toBeLessThan(1e-2);
    // The check sees a file whose statistics are not folded in.
    const raw = encoderFile(namedTensors(layouts, vectors), captions.tokenIds, texts);
    await expect(requireSame(runtime, raw, from, records, captions)).rejects.toThrow(
      'differs from the trained one',
    );
  });
});

it('a judge finds random weights to know nothing', async () => {
  const start = Object.fromEntries(
    Object.entries(layouts).map(([part, { parameters }]) => [
      part,
      { parameters: parameters.start((name) => new Rng(2, name)), statistics: new Float32Array() },
    ]),
  );
  const judge = await Judge.open(
    runtime,
    encoder,
    trainingPictures(160, 8),
    4 * PATTERN.length,
    maker,
    statistics,
  );
  const texts = await (await GroupEncoder.open(runtime, encoder, captions)).vectors(start, false);
  const figures = await judge.figures(start, texts);
  expect(figures.imageAuroc).toBeGreaterThan(0.1);
  expect(figures.imageAuroc).toBeLessThan(0.9);
  expect(figures.accuracy).toBeLessThan(0.6);
  expect(quality(figures)).toBe((figures.imageAuroc + figures.pixelAuroc) / 2);
});
