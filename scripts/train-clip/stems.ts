import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { floatsToHalves, halvesToFloats } from '../../src/base/float16';
import { kept } from '../../src/base/kept';
import { bytesOf, floatTensor, floats } from '../../src/base/tensor';
import type { Shape } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { loadBackbone } from '../../src/engine/backbones';
import type { LoadedBackbone } from '../../src/engine/backbones';
import { normaliseGrey } from '../../src/nn/backbones/backbone';
import { STEM_CHANNELS, STEM_STRIDE } from '../../src/nn/clip/config';
import { semStem } from '../../src/nn/clip/sem-encoder';
import { FrozenLayers } from '../../src/nn/layers';
import type { Program } from '../../src/runtime/program';
import type { Runtime } from '../../src/runtime/runtime';
import type { GeneratedImage } from '../../src/sample/generate';
import { bytesAsSource } from '../../src/weights/byte-source';
import { PATTERN, pictureOf } from './pictures';
import type { PictureSet } from './pictures';

export const LITE0 = 'public/models/efficientnet-lite0.safetensors';
/** Images that go through EfficientNet-Lite0 together. */
const TOGETHER = 16;

/** What training keeps of an image, as half-precision patterns and counts. */
export interface StemRecord {
  /** @shape [320·T] */
  readonly features: Uint16Array;
  /** Defect pixels in each patch, of 256. @shape [T] */
  readonly coverage: Uint16Array;
}

/** Runs images through the frozen part of the encoder. */
export class StemMaker {
  readonly #programs = new Map<string, Promise<Program>>();

  private constructor(
    private readonly runtime: Runtime,
    private readonly lite0: LoadedBackbone,
  ) {}

  static async open(runtime: Runtime): Promise<StemMaker> {
    return new StemMaker(runtime, await loadBackbone(bytesAsSource(readFileSync(LITE0))));
  }

  /** @param images of one side */
  async records(images: readonly GeneratedImage[]): Promise<StemRecord[]> {
    const [{ width: side }] = images;
    const shape = [images.length, 1, side, side];
    const grey = new Float32Array(images.length * side * side);
    images.forEach(({ pixels }, i) =>
      pixels.forEach((value, at) => (grey[i * side * side + at] = value / 255)),
    );
    const { values } = await (await this.#program(shape)).run({ grey: floatTensor(shape, grey) });
    const features = floatsToHalves(floats(values.stem));
    const size = features.length / images.length;
    return images.map(({ mask }, i) => ({
      features: features.slice(i * size, (i + 1) * size),
      coverage: coverageOf(mask, side),
    }));
  }

  #program(shape: Shape): Promise<Program> {
    return kept(this.#programs, shape.join(), () => {
      const { backbone, weights } = this.lite0;
      const graph = new GraphBuilder();
      const layers = new FrozenLayers(graph, weights, backbone.batchNormEpsilon);
      graph.output(
        'stem',
        semStem(layers, normaliseGrey(graph.input('grey', shape), backbone.normalisation)),
      );
      return this.runtime.compile(graph.build());
    });
  }
}

/** Defect pixels in each patch. */
export function coverageOf(mask: Uint8Array, side: number): Uint16Array {
  const grid = side / STEM_STRIDE;
  const counts = new Uint16Array(grid * grid);
  mask.forEach((inside, i) => {
    const [row, column] = [Math.floor(i / side / STEM_STRIDE), Math.floor((i % side) / STEM_STRIDE)];
    counts[row * grid + column] += inside;
  });
  return counts;
}

/** Records of the first images of a set in a file, one after another: made once, found again, never all in memory. */
export class StemFile {
  private constructor(
    private readonly descriptor: number,
    readonly grid: number,
    readonly count: number,
  ) {}

  /**
   * Makes what the file lacks. Its name holds a hash of the first pictures, so that another generator, seed or range
   * gets a file of its own.
   * @param progress called now and then with the number of images that are there
   */
  static async open(
    folder: string,
    set: PictureSet,
    count: number,
    maker: StemMaker,
    progress: (done: number) => void,
  ): Promise<StemFile> {
    const hash = createHash('sha256').update(readFileSync(LITE0));
    for (let i = 0; i < set.sources.length * PATTERN.length; i++) hash.update(pictureOf(set, i).pixels);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${set.name}-${set.side}-${hash.digest('hex').slice(0, 12)}.stems`);
    const file = new StemFile(openSync(path, 'a+'), set.side / STEM_STRIDE, count);
    // A run that was interrupted may have left a part of a record.
    let done = Math.floor(fstatSync(file.descriptor).size / file.#recordBytes);
    ftruncateSync(file.descriptor, done * file.#recordBytes);
    while (done < count) {
      const images = Array.from({ length: Math.min(TOGETHER, count - done) }, (_, i) =>
        pictureOf(set, done + i),
      );
      for (const { features, coverage } of await maker.records(images)) {
        writeSync(file.descriptor, bytesOf(features));
        writeSync(file.descriptor, bytesOf(coverage));
      }
      done += images.length;
      progress(done);
    }
    return file;
  }

  get #recordBytes(): number {
    return 2 * (STEM_CHANNELS + 1) * this.grid ** 2;
  }

  read(index: number): StemRecord {
    const values = new Uint16Array(this.#recordBytes / 2);
    readSync(this.descriptor, bytesOf(values), 0, this.#recordBytes, index * this.#recordBytes);
    const size = STEM_CHANNELS * this.grid ** 2;
    return { features: values.subarray(0, size), coverage: values.subarray(size) };
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** What standardises the stem's channels. */
export interface ChannelStatistics {
  /** @shape [320] */
  readonly mean: Float64Array;
  /** @shape [320] */
  readonly deviation: Float64Array;
}

/** Images that statistics are taken from. */
const SAMPLE = 1000;

/** Mean and deviation of each channel over a file's first images. */
export function channelStatistics(file: StemFile): ChannelStatistics {
  const cells = file.grid ** 2;
  const count = Math.min(SAMPLE, file.count);
  const [sum, squares] = [new Float64Array(STEM_CHANNELS), new Float64Array(STEM_CHANNELS)];
  for (let i = 0; i < count; i++)
    halvesToFloats(file.read(i).features).forEach((value, at) => {
      sum[Math.floor(at / cells)] += value;
      squares[Math.floor(at / cells)] += value * value;
    });
  const mean = sum.map((total) => total / count / cells);
  const deviation = squares.map((total, c) => Math.sqrt(Math.max(total / count / cells - mean[c] ** 2, 0)));
  // A channel that hardly moves on synthetic images may not shout on others.
  const floor = 0.1 * deviation.toSorted()[STEM_CHANNELS / 2];
  return { mean, deviation: deviation.map((own) => own + floor) };
}
