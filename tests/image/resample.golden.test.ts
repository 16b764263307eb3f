import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { TensorData } from '../../src/base/tensor';
import { floats } from '../../src/base/tensor';
import { decodePng } from '../../src/image/png';
import type { Kernel } from '../../src/image/resample';
import { resampleWeights, resize8, resizeFloat, resizeNearest } from '../../src/image/resample';
import {
  DATA_DIR,
  describeGolden,
  describeWith,
  digestPositions,
  GOLDEN_DIR,
  goldenJson,
  goldenTensors,
  relativeError,
} from '../support/golden';

/** A picture of the data folder, resized: its fingerprint, and some of its values. */
interface Picture {
  readonly key: string;
  readonly picture: string;
  readonly size: number;
  readonly kernel: Kernel;
  readonly sha256: string;
  readonly values: readonly number[];
}

const bytes = (tensor: TensorData) => tensor.data as Uint8Array;

/** Rows, then columns of an [N, C, H, W] tensor through the weights of plain or antialiased interpolation. */
function interpolate(
  { data, shape: [n, c, h, w] }: TensorData,
  [outHeight, outWidth]: readonly number[],
  kernel: Kernel,
  antialias: boolean,
): number[] {
  const along = resampleWeights(w, outWidth, kernel, { antialias });
  const down = resampleWeights(h, outHeight, kernel, { antialias });
  const out: number[] = [];
  for (let plane = 0; plane < n * c; plane++)
    for (let y = 0; y < outHeight; y++)
      for (let x = 0; x < outWidth; x++) {
        let sum = 0;
        for (let j = 0; j < down.counts[y]; j++)
          for (let i = 0; i < along.counts[x]; i++)
            sum +=
              down.weights[y * down.taps + j] *
              along.weights[x * along.taps + i] *
              Number(data[(plane * h + down.starts[y] + j) * w + along.starts[x] + i]);
        out.push(sum);
      }
  return out;
}

describeGolden(['image.safetensors'], 'resampling against Pillow and PyTorch', () => {
  const tensors = goldenTensors('image.safetensors');

  it('8 bits: bit for bit', async () => {
    let seen = 0;
    for (const [name, expected] of Object.entries(await tensors)) {
      const [, source, kernel] = /^resize\.pil8\.(\w+)\.(\w+)\.\d+x\d+$/.exec(name) ?? [];
      if (!source) continue;
      const { data, shape } = (await tensors)[`resize.source.${source}`];
      const [h, w] = expected.shape;
      const actual = resize8(data as Uint8Array, shape[1], shape[0], w, h, kernel as Kernel);
      expect([name, Buffer.compare(actual, bytes(expected))]).toEqual([name, 0]);
      seen++;
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('without rounding', async () => {
    let seen = 0;
    for (const [name, expected] of Object.entries(await tensors)) {
      const [, source, kernel] = /^resize\.float\.(\w+)\.(\w+)\.\d+x\d+$/.exec(name) ?? [];
      if (!source) continue;
      const { data, shape } = (await tensors)[`resize.source.${source}`];
      const [h, w] = expected.shape;
      const plane = Float32Array.from(data as Uint8Array);
      const actual = resizeFloat(plane, shape[1], shape[0], w, h, kernel as Kernel);
      expect(relativeError(actual, floats(expected)), name).toBeLessThan(1e-6);
      seen++;
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('nearest', async () => {
    let seen = 0;
    for (const [name, expected] of Object.entries(await tensors)) {
      const [, source] = /^resize\.nearest\.(\w+)\.\d+x\d+$/.exec(name) ?? [];
      if (!source) continue;
      const { data, shape } = (await tensors)[`resize.source.${source}`];
      const [h, w] = expected.shape;
      expect(resizeNearest(data as Uint8Array, shape[1], shape[0], w, h)).toEqual(bytes(expected));
      seen++;
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('the weights of position embeddings (antialiased) and of maps (plain)', async () => {
    let seen = 0;
    for (const [name, expected] of Object.entries(await tensors)) {
      const kind = /^(posembed\.bicubic_antialias|enlarge\.bilinear\.half|enlarge\.bicubic075)\./.exec(
        name,
      )?.[1];
      if (!kind) continue;
      const source = (await tensors)[`${kind.split('.')[0]}.source`];
      const kernel = kind.includes('bicubic') ? 'bicubic' : 'bilinear';
      const actual = interpolate(source, expected.shape.slice(2), kernel, kind.startsWith('posembed'));
      expect(relativeError(actual, floats(expected)), name).toBeLessThan(1e-6);
      seen++;
    }
    expect(seen).toBeGreaterThan(0);
  });
});

const needed = [join(GOLDEN_DIR, 'image.json'), join(GOLDEN_DIR, 'image.safetensors'), DATA_DIR];
describeWith(needed, 'pictures of the data folder, resized', () => {
  const { pictures } = goldenJson<{ pictures: readonly Picture[] }>('image.json');

  it.each(pictures)('$picture to $size, $kernel', async ({ key, picture, size, kernel, sha256, values }) => {
    const { raster } = decodePng(readFileSync(join(DATA_DIR, picture.replace(/^data\//, ''))), picture);
    const resized = resize8(raster.data as Uint8Array, raster.width, raster.height, size, size, kernel);
    expect(createHash('sha256').update(resized).digest('hex')).toBe(sha256);
    expect(digestPositions(resized.length, values.length).map((at) => resized[at])).toEqual(values);
    const whole = (await goldenTensors('image.safetensors'))[key] as TensorData | undefined;
    if (whole) expect(Buffer.compare(resized, bytes(whole))).toBe(0);
  });
});
