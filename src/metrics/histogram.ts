import { connectedComponents } from '../base/components';
import { assert } from '../base/errors';
import { checkMap } from './aupro';
import type { LabelledMap, RegionSweep } from './aupro';
import { ascendingKey, bitsOf, floatOfKey, notFinite } from './order';

/** Upper 16 bits of a pixel's key: sign, exponent and 7 bits of fraction, so 1/128 of a value or finer. */
const SLOTS = 65536;
const LOW = 65536;

/** @throws internal when the second walk over the maps saw others than the first, as a spent generator does */
export function assertSamePixels(second: number, first: number): void {
  assert(second === first, `the first pass saw ${first} pixels, the second ${second}`);
}

/**
 * A sweep over more pixels than one wants to sort. Two passes over the same maps: `survey` counts them in coarse slots,
 * `count` in some 65,536 bins that are placed where the pixels lie, half of them by the defect-free pixels and half by
 * the defect ones. Bins of equal width between minimum and maximum (the form of 20.8) would put nearly all pixels of a
 * heavy-tailed map, such as a product of levels, into a few bins. A bin is a tie group; areas differ from the exact
 * ones by less than 1e-4.
 */
export class PixelHistogram {
  readonly #surveyed = { normal: new Uint32Array(SLOTS), defect: new Uint32Array(SLOTS) };
  /** Bins of each slot, and the first of them; made at the first `count`. */
  #plan: { readonly cells: Uint32Array; readonly first: Uint32Array } | undefined;
  #normal = new Uint32Array(0);
  #defect = new Uint32Array(0);
  #overlap = new Float64Array(0);
  #maps = 0;
  #counted = 0;
  #regions = 0;
  #pixels = 0;
  #positives = 0;

  /** Pixels seen by `survey`. */
  get pixels(): number {
    return this.#pixels;
  }

  /** First pass. @throws internal when sides disagree; run/not-finite naming map and pixel */
  survey(item: LabelledMap): void {
    checkMap(item, this.#maps);
    const { map, mask, width } = item;
    const bits = bitsOf(map);
    const { normal, defect } = this.#surveyed;
    for (let i = 0; i < bits.length; i++) {
      if ((bits[i] & 0x7f800000) === 0x7f800000)
        throw notFinite(`map ${this.#maps} at x ${i % width}, y ${Math.floor(i / width)}`, map[i]);
      const slot = ascendingKey(bits[i]) >>> 16;
      if (mask?.[i]) {
        defect[slot]++;
        this.#positives++;
      } else normal[slot]++;
    }
    this.#pixels += bits.length;
    this.#maps++;
  }

  /** Second pass: the same maps again, in any order. */
  count({ map, mask, width, height }: LabelledMap): void {
    const { cells, first } = (this.#plan ??= this.#makePlan());
    const components = mask && connectedComponents(mask, width, height);
    const sizes = new Uint32Array((components?.count ?? 0) + 1);
    components?.labels.forEach((region) => sizes[region]++);
    const bits = bitsOf(map);
    for (let i = 0; i < bits.length; i++) {
      const key = ascendingKey(bits[i]);
      const slot = key >>> 16;
      const bin = first[slot] + Math.floor(((key & 0xffff) * cells[slot]) / LOW);
      const region = components ? components.labels[i] : 0;
      if (region) {
        this.#defect[bin]++;
        this.#overlap[bin] += 1 / sizes[region];
      } else this.#normal[bin]++;
    }
    this.#regions += components?.count ?? 0;
    this.#counted += bits.length;
  }

  /** The sweep over everything counted; a threshold is the lowest value of its bin. @throws internal */
  sweep(): RegionSweep {
    assertSamePixels(this.#counted, this.#pixels);
    const { cells, first } = (this.#plan ??= this.#makePlan());
    const filled = this.#normal.reduce((sum, normal, bin) => sum + (normal || this.#defect[bin] ? 1 : 0), 0);
    const thresholds = new Float64Array(filled);
    const truePositives = new Uint32Array(filled);
    const falsePositives = new Uint32Array(filled);
    const overlap = new Float64Array(filled);
    let caught = 0;
    let alarms = 0;
    let covered = 0;
    let entry = 0;
    for (let slot = SLOTS - 1; slot >= 0; slot--) {
      for (let cell = cells[slot] - 1; cell >= 0; cell--) {
        const bin = first[slot] + cell;
        if (!this.#normal[bin] && !this.#defect[bin]) continue;
        caught += this.#defect[bin];
        alarms += this.#normal[bin];
        covered += this.#overlap[bin];
        thresholds[entry] = floatOfKey(slot * LOW + Math.ceil((cell * LOW) / cells[slot]));
        truePositives[entry] = caught;
        falsePositives[entry] = alarms;
        overlap[entry++] = covered / this.#regions;
      }
    }
    const counts = { positives: caught, negatives: alarms, regions: this.#regions };
    return { thresholds, truePositives, falsePositives, overlap, ...counts };
  }

  #makePlan() {
    const { normal, defect } = this.#surveyed;
    const normals = Math.max(this.#pixels - this.#positives, 1);
    const defects = Math.max(this.#positives, 1);
    const cells = new Uint32Array(SLOTS);
    const first = new Uint32Array(SLOTS);
    let bins = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const share = normal[slot] / normals + defect[slot] / defects;
      cells[slot] = Math.min(Math.ceil(32768 * share), LOW);
      first[slot] = bins;
      bins += cells[slot];
    }
    this.#normal = new Uint32Array(bins);
    this.#defect = new Uint32Array(bins);
    this.#overlap = new Float64Array(bins);
    return { cells, first };
  }
}
