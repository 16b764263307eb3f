import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { CLASS_NAMES } from '../../src/sample/classes';
import { MASK_BOUNDS, generateImage } from '../../src/sample/generate';
import type { GeneratedImage } from '../../src/sample/generate';
import { LAYOUT_NAMES } from '../../src/sample/layout';
import { FAR_RANGES, PRODUCTS, RANGES } from '../../src/sample/ranges';
import type { ProductName, Ranges } from '../../src/sample/ranges';
import { caseFingerprints } from './cases';

const SIZE = { width: 96, height: 96 };

interface Statistics {
  readonly mean: number;
  readonly deviation: number;
  readonly clipped: number;
  readonly area: number;
}

function statistics({ pixels, mask }: GeneratedImage): Statistics {
  let sum = 0;
  let squares = 0;
  let clipped = 0;
  for (const value of pixels) {
    sum += value;
    squares += value * value;
    if (value === 0 || value === 255) clipped++;
  }
  const mean = sum / pixels.length;
  return {
    mean,
    deviation: Math.sqrt(squares / pixels.length - mean * mean),
    clipped: clipped / pixels.length,
    area: mask.reduce((a, b) => a + b, 0),
  };
}

/** What is wrong with an image, in words; empty for a sound one. */
function faults(image: GeneratedImage): string[] {
  const { mean, deviation, clipped, area } = statistics(image);
  const out: string[] = [];
  if (mean < 40 || mean > 215) out.push(`mean ${mean}`);
  if (deviation <= 8) out.push(`deviation ${deviation}`);
  if (clipped > 0.1) out.push(`${100 * clipped} % clipped`);
  if (image.mask.some((value) => value > 1)) out.push('mask is not 0 and 1');
  const share = area / image.mask.length;
  if (
    image.className === 'good' ? area > 0 : area < MASK_BOUNDS.smallestPx || share > MASK_BOUNDS.largestShare
  )
    out.push(`mask of ${area} pixels`);
  return out;
}

describe('the bytes', () => {
  it('are the same as ever: one image per layout and class, per product and far away, and the sample', async () => {
    const prints = `${JSON.stringify(caseFingerprints(), null, 2)}\n`;
    await expect(prints).toMatchFileSnapshot('fingerprints.json');
  });

  it('depend on the seed', () => {
    const prints = [1, 2].map(
      (seed) => generateImage(new Rng(seed, 'a'), { ...SIZE, className: 'good' }).pixels,
    );
    expect(prints[0]).not.toEqual(prints[1]);
  });

  it('come from streams of their own: the generator advances by one number whatever is drawn', () => {
    const after = CLASS_NAMES.map((className) => {
      const rng = new Rng(4, 'stream');
      generateImage(rng, { ...SIZE, className, dataBar: className === 'hole' });
      return rng.uint32();
    });
    expect(new Set(after).size).toBe(1);
  });

  it('show the same place with and without a defect, noise and all', () => {
    let same = 0;
    for (let seed = 0; seed < 40; seed++) {
      const [good, bad] = (['good', 'particle'] as const).map((className) =>
        generateImage(new Rng(seed, 'pair'), { ...SIZE, className, layout: 'comb' }),
      );
      const changed = good.pixels.filter((value, i) => value !== bad.pixels[i]).length;
      if (changed < 0.5 * good.pixels.length) same++;
      expect(changed).toBeGreaterThan(0);
    }
    // Now and then no particle shows on a place, and another place is drawn.
    expect(same).toBeGreaterThan(30);
  });
});

describe.each(LAYOUT_NAMES)('%s', (layout) => {
  it.each(CLASS_NAMES)('with %s is sound for 50 seeds', (className) => {
    let other = 0;
    for (let seed = 0; seed < 50; seed++) {
      const image = generateImage(new Rng(seed, `${layout} ${className}`), { ...SIZE, className, layout });
      expect(faults(image), `seed ${seed}`).toEqual([]);
      if (image.layout !== layout) other++;
    }
    if (layout === 'blanket' && className === 'bridge') expect(other).toBe(50);
    else expect(other).toBeLessThan(8);
  });
});

describe('options', () => {
  it('any usual size works', () => {
    for (const [width, height] of [
      [64, 64],
      [200, 120],
      [90, 260],
      [512, 384],
    ])
      for (const className of CLASS_NAMES) {
        const image = generateImage(new Rng(9, 'size'), { width, height, className });
        expect([image.width, image.height, image.pixels.length, image.mask.length]).toEqual([
          width,
          height,
          width * height,
          width * height,
        ]);
        expect(faults(image)).toEqual([]);
      }
  });

  it('far ranges lie outside the training ranges, every one, and make sound images', () => {
    const names = Object.keys(RANGES) as (keyof Ranges)[];
    for (const name of names) {
      const [near, far] = [RANGES[name], FAR_RANGES[name]];
      expect(near[0]).toBeLessThan(near[1]);
      expect(far[0] > near[1] || far[1] < near[0], name).toBe(true);
    }
    for (let seed = 0; seed < 70; seed++) {
      const className = CLASS_NAMES[seed % 7];
      const image = generateImage(new Rng(seed, 'far'), { ...SIZE, className, ranges: FAR_RANGES });
      expect(faults(image), `${className}, seed ${seed}`).toEqual([]);
    }
  });

  it('a product keeps to its layouts, and the two differ in pitch by half', () => {
    for (const product of Object.keys(PRODUCTS) as ProductName[])
      for (let seed = 0; seed < 14; seed++) {
        const className = CLASS_NAMES[seed % 7];
        const image = generateImage(new Rng(seed, product), { ...SIZE, className, product });
        expect(PRODUCTS[product].layouts).toContain(image.layout);
        expect(faults(image)).toEqual([]);
      }
    expect(PRODUCTS.logic.ranges.pitchPx[0]).toBeGreaterThan(1.45 * PRODUCTS.memory.ranges.pitchPx[1]);
  });

  it('a data bar covers its rows alone, and no mask reaches into it', () => {
    for (let seed = 0; seed < 20; seed++) {
      const className = CLASS_NAMES[seed % 7];
      const options = { width: 160, height: 160, className };
      const image = generateImage(new Rng(seed, 'bar'), { ...options, dataBar: true });
      const isBar = Array.from({ length: 160 }, (_, y) =>
        image.pixels.subarray(160 * y, 160 * (y + 1)).every((value) => value === 0 || value === 255),
      );
      const barRows = isBar.filter(Boolean).length;
      expect(barRows).toBeGreaterThanOrEqual(7);
      expect(barRows).toBeLessThan(24);
      expect(isBar[0] !== isBar[159]).toBe(true);
      isBar.forEach((bar, y) => {
        if (bar) expect(image.mask.subarray(160 * y, 160 * (y + 1)).every((value) => value === 0)).toBe(true);
      });
    }
  });

  it('the caption names class, layout and variety, and tones that the pixels bear out', () => {
    const means: Record<string, number[]> = { dark: [], bright: [] };
    for (let seed = 0; seed < 120; seed++) {
      const className = CLASS_NAMES[seed % 7];
      const image = generateImage(new Rng(seed, 'caption'), { ...SIZE, className });
      expect(image.caption).toMatchObject({ className, layout: image.layout });
      expect(image.caption.variety === undefined).toBe(className === 'good');
      for (const tone of image.caption.tones) means[tone]?.push(statistics(image).mean);
    }
    expect(Math.max(...means.dark)).toBeLessThan(Math.min(...means.bright));
    expect(means.dark.length).toBeGreaterThan(5);
  });

  it('says why when an image is too small to hold the defect', () => {
    expect(() => generateImage(new Rng(1, 'tiny'), { width: 6, height: 6, className: 'bridge' })).toThrow(
      'no place for bridge on 6 × 6 pixels in 40 attempts',
    );
  });
});
