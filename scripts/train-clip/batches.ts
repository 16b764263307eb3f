import { Rng } from '../../src/base/rng';
import { floatTensor } from '../../src/base/tensor';
import { halvesToFloats } from '../../src/base/float16';
import { patchWeights } from '../../src/nn/clip/alignment';
import { STEM_CHANNELS, STEM_STRIDE } from '../../src/nn/clip/config';
import type { Feeds } from '../../src/runtime/program';
import { CLASS_NAMES } from '../../src/sample/classes';
import type { Captions } from './captions';
import { NORMAL, PATTERN } from './pictures';
import type { ChannelStatistics, StemFile, StemRecord } from './stems';

/** What makes the same image another one every time. */
export interface Disturbance {
  /** Share of an image's channels that are silent. */
  readonly dropout: number;
  /** One sigma of noise on standardised features. */
  readonly noise: number;
}

/** Random numbers that are drawn once and read from a place of their own for every image. */
const NOISE_LENGTH = 1 << 18;

/** Class of each image of a batch, class by class: every batch has the shares of `PATTERN`. */
export const batchClasses = (batch: number): readonly number[] =>
  PATTERN.flatMap((of) => Array.from({ length: batch / PATTERN.length }, () => of));

/** Batches out of a file of stems; any of them can be drawn by itself, so that an interrupted training goes on alike. */
export class Batches {
  readonly #noise: Float32Array;

  /** @param batch images, a multiple of `PATTERN`'s length */
  constructor(
    private readonly file: StemFile,
    private readonly statistics: ChannelStatistics,
    private readonly captions: Captions,
    private readonly settings: Disturbance & {
      readonly batch: number;
      readonly each: number;
      readonly seed: number;
    },
  ) {
    const rng = new Rng(settings.seed, 'noise');
    this.#noise = Float32Array.from({ length: NOISE_LENGTH }, () => settings.noise * rng.normal());
  }

  /** What a training step is fed with. */
  feeds(step: number): Feeds {
    const { batch, each, seed } = this.settings;
    const rng = new Rng(seed, `batch.${step}`);
    const records = this.#indices(step).map((index) => this.file.read(index));
    const { grid } = this.file;
    const stem = new Float32Array(batch * STEM_CHANNELS * grid ** 2);
    records.forEach((record, i) => this.#disturbed(record, rng, stem.subarray(i * (stem.length / batch))));
    const classes = batchClasses(batch);
    const coverage = Float32Array.from(
      records.flatMap((record) => [...record.coverage]),
      (pixels) => pixels / STEM_STRIDE ** 2,
    );
    const bad = classes.map((of) => Number(of !== NORMAL));
    return {
      stem: floatTensor([batch, STEM_CHANNELS, grid, grid], stem),
      weights: patchWeights({ classes, coverage, normal: NORMAL, classCount: CLASS_NAMES.length }),
      genericWeights: patchWeights({ classes: bad, coverage, normal: 0, classCount: 2 }),
      ...this.captions.draw(rng, each),
    };
  }

  /** Images of a batch: each place of the pattern has an order of its own, anew every time it has been gone through. */
  #indices(step: number): number[] {
    const { batch, seed } = this.settings;
    const perPlace = batch / PATTERN.length;
    const rounds = Math.floor(this.file.count / PATTERN.length);
    const steps = Math.floor(rounds / perPlace);
    const [epoch, turn] = [Math.floor(step / steps), step % steps];
    return PATTERN.flatMap((_, place) => {
      const order = new Rng(seed, `order.${place}.${epoch}`).permutation(rounds);
      return Array.from(
        order.slice(turn * perPlace, (turn + 1) * perPlace),
        (round) => round * PATTERN.length + place,
      );
    });
  }

  #disturbed({ features }: StemRecord, rng: Rng, out: Float32Array): void {
    const { dropout } = this.settings;
    standardise(features, this.statistics, out);
    const cells = features.length / STEM_CHANNELS;
    const offset = rng.integer(NOISE_LENGTH);
    for (let c = 0; c < STEM_CHANNELS; c++) {
      // What is left is raised, so that a silent channel changes no sum on average.
      const factor = rng.uniform() < dropout ? 0 : 1 / (1 - dropout);
      for (let i = c * cells; i < (c + 1) * cells; i++)
        out[i] = factor * out[i] + this.#noise[(offset + i) % NOISE_LENGTH];
    }
  }
}

/** Features with mean 0 and deviation 1 in every channel. */
export function standardise(
  features: Uint16Array,
  { mean, deviation }: ChannelStatistics,
  out: Float32Array,
): void {
  const cells = features.length / STEM_CHANNELS;
  halvesToFloats(features).forEach((value, i) => {
    const c = Math.floor(i / cells);
    out[i] = (value - mean[c]) / deviation[c];
  });
}
