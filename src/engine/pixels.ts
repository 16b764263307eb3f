import { sha256 } from '@noble/hashes/sha2.js';
import { encode as encodePng } from 'fast-png';
import { AppError } from '../base/errors';
import { toHex } from '../base/ids';
import { browserDecoder } from '../image/browser-decoder';
import { decodeImage } from '../image/decode';
import { fullScale, toMask, toMaskInput, toModelInput } from '../image/model-input';
import type { Raster } from '../image/raster';
import { cropped, largestValue } from '../image/raster';
import { autoWindow, thumbnail, toDisplay8 } from '../image/thumbnail';
import { classReport } from '../metrics/class-report';
import type { ClassReport } from '../metrics/class-report';
import { pixelMetrics } from '../metrics/pixel-metrics';
import { auroc, averagePrecision, f1Max } from '../metrics/ranking';
import type {
  ClassReportRequest,
  DecodedSummary,
  DisplayPixels,
  EvaluationRequest,
  GoOn,
  MaskPixels,
  PixelSpec,
  SampleFile,
  SetFigures,
} from '../protocol/pixels-api';
import { sampleSet } from '../sample/set';

/** Longest side of a thumbnail, px: twice the row's 44 CSS px, for dense screens. */
const THUMBNAIL_SIDE = 88;
/** A file up to this size is hashed in one go by the browser, which is faster; a larger one in parts of this size. */
const HASHED_BYTES = 2 ** 25;

const read = async (blob: Blob): Promise<Uint8Array> => new Uint8Array(await blob.arrayBuffer());

async function decode(blob: Blob, name: string): Promise<Awaited<ReturnType<typeof decodeImage>>> {
  return decodeImage(await read(blob), name, browserDecoder);
}

const greyPng = (width: number, height: number, data: Uint8Array): Blob =>
  new Blob([new Uint8Array(encodePng({ width, height, data, channels: 1, depth: 8 }))], {
    type: 'image/png',
  });

/** What the pixels worker does, call by call; nothing is kept between calls. */
export const pixels = {
  async summarise(blob: Blob, name: string): Promise<DecodedSummary> {
    const { raster, format, metadata } = await decode(blob, name);
    const small = thumbnail(raster, THUMBNAIL_SIDE);
    return {
      width: raster.width,
      height: raster.height,
      bits: raster.bits,
      maxValue: largestValue(raster.data),
      format,
      metadata,
      thumbnail: greyPng(small.width, small.height, small.pixels),
    };
  },

  async load(
    blob: Blob,
    name: string,
    { side, kernel, white, crop }: PixelSpec,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { raster } = await decode(blob, name);
    return toModelInput(crop ? cropped(raster, crop) : raster, {
      size: side,
      kernel,
      white,
    }) as Float32Array<ArrayBuffer>;
  },

  async display(blob: Blob, name: string): Promise<DisplayPixels> {
    const { raster } = await decode(blob, name);
    const { width, height } = raster;
    return { width, height, grey: toDisplay8(raster, windowOf(raster)) as Uint8Array<ArrayBuffer> };
  },

  async mask(blob: Blob, name: string, side: number): Promise<Uint8Array<ArrayBuffer>> {
    const { raster } = await decode(blob, name);
    return toMaskInput(raster, side) as Uint8Array<ArrayBuffer>;
  },

  async wholeMask(blob: Blob, name: string): Promise<MaskPixels> {
    const { raster } = await decode(blob, name);
    const { width, height } = raster;
    return { width, height, inside: toMask(raster) as Uint8Array<ArrayBuffer> };
  },

  drawMask: async ({ width, height, inside }: MaskPixels): Promise<Blob> =>
    greyPng(
      width,
      height,
      inside.map((value) => 255 * value),
    ),

  async evaluate({ side, items }: EvaluationRequest): Promise<SetFigures> {
    const labelled = items.filter(({ defective }) => defective !== undefined);
    const labels = labelled.map(({ defective }) => Number(defective));
    const scores = labelled.map(({ score }) => score);
    const maps = [];
    for (const { map, mask, name, defective } of labelled) {
      // A defective image without a mask says nothing about pixels.
      if (defective && !mask) continue;
      maps.push({ map, mask: mask ? await pixels.mask(mask, name, side) : null, width: side, height: side });
    }
    const best = f1Max(scores, labels);
    return {
      image: {
        auroc: auroc(scores, labels),
        ap: averagePrecision(scores, labels),
        f1: best && best.f1,
        count: scores.length,
        defective: labels.reduce((sum, label) => sum + label, 0),
      },
      pixel: { ...pixelMetrics(maps), images: maps.length },
    };
  },

  reportClasses: async ({ actual, predicted, trained }: ClassReportRequest): Promise<ClassReport> =>
    classReport(actual, predicted, trained),

  sample: async (seed: number): Promise<SampleFile[]> =>
    sampleSet(seed).map(({ path, width, height, pixels: grey }) => ({
      path: `sample/${path}`,
      blob: greyPng(width, height, grey),
    })),

  async hash(blob: Blob, goOn: GoOn = () => true): Promise<string> {
    const part = async (from: number) =>
      new Uint8Array(await blob.slice(from, from + HASHED_BYTES).arrayBuffer());
    if (blob.size <= HASHED_BYTES)
      return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', await part(0))));
    const hash = sha256.create();
    for (let done = 0; done < blob.size; done += HASHED_BYTES) {
      if (!(await goOn(done))) throw new AppError('cancelled', 'cancelled');
      hash.update(await part(done));
    }
    return toHex(hash.digest());
  },
};

/** 8-bit pictures are shown as they are; of 16 bits the range that holds the picture. */
const windowOf = (raster: Raster): { low: number; high: number } =>
  raster.bits === 8 ? { low: 0, high: fullScale(255, 8) } : autoWindow(raster);
