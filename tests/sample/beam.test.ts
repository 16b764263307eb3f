import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { develop, drawBeam, drawIllumination, expose, reachPx, setLevels } from '../../src/sample/beam';
import type { Beam } from '../../src/sample/beam';
import { RANGES } from '../../src/sample/ranges';

const PLAIN: Beam = {
  edge: 0,
  asymmetry: 0,
  detector: { x: -1, y: 0 },
  shadow: 0,
  shadowReachPx: 4,
  spotPx: 0,
  astigmatism: 1,
  trail: 0,
  trailPx: 8,
  charging: 0,
  vignette: 0,
  noise: 0.05,
  noiseLag: 0,
  rowNoise: 0,
};

const SIZE = 48;
const ones = new Float32Array(SIZE * SIZE).fill(1);

/** A raised square in the middle, of one material. */
const mesa = {
  width: SIZE,
  height: SIZE,
  tone: new Float32Array(SIZE * SIZE).fill(0.4),
  relief: Float32Array.from({ length: SIZE * SIZE }, (_, i) => {
    const far = Math.max(Math.abs((i % SIZE) - 24), Math.abs(Math.floor(i / SIZE) - 24));
    return 6 * Math.min(Math.max(12 - far, 0), 2) * 0.5;
  }),
};
const at = (signal: Float32Array, x: number, y: number): number => signal[y * SIZE + x];

describe('expose', () => {
  it('shows the tone alone without slopes', () => {
    const signal = expose(mesa, PLAIN, ones);
    for (const value of signal) expect(value).toBeCloseTo(0.4, 6);
  });

  it('brightens walls as one minus the cosine of their slope', () => {
    const signal = expose(mesa, { ...PLAIN, edge: 0.5 }, ones);
    // Half way up, the height rises 3 px per pixel: the cosine is 1/√10.
    expect(at(signal, 13, 24)).toBeCloseTo(0.4 + 0.5 * (1 - 1 / Math.sqrt(10)), 5);
    expect(at(signal, 24, 24)).toBeCloseTo(0.4, 6);
    expect(at(signal, 2, 24)).toBeCloseTo(0.4, 6);
  });

  it('brightens the wall that faces the detector and darkens the other', () => {
    const left = { ...PLAIN, asymmetry: 0.2, detector: { x: -1, y: 0 } };
    const signal = expose(mesa, left, ones);
    expect(at(signal, 13, 24)).toBeGreaterThan(0.5);
    expect(at(signal, 35, 24)).toBeLessThan(0.3);
    expect(at(signal, 24, 13)).toBeCloseTo(0.4, 5);
    const below = expose(mesa, { ...left, detector: { x: 0, y: 1 } }, ones);
    expect(at(below, 24, 35)).toBeGreaterThan(0.5);
  });

  it('darkens the foot of a wall and brightens its top', () => {
    const signal = expose(mesa, { ...PLAIN, shadow: 0.8 }, ones);
    expect(at(signal, 11, 24)).toBeLessThan(0.38);
    expect(at(signal, 15, 24)).toBeGreaterThan(0.41);
    expect(at(signal, 2, 24)).toBeCloseTo(0.4, 6);
  });

  it('drags a dark trail to the right of what is bright, and no farther than it says', () => {
    const bright = {
      ...mesa,
      relief: new Float32Array(SIZE * SIZE),
      tone: mesa.relief.map((h) => 0.2 + h / 10),
    };
    const trail = { ...PLAIN, trail: 0.2 };
    const [without, dragged] = [expose(bright, PLAIN, ones), expose(bright, trail, ones)];
    expect(at(dragged, 37, 24)).toBeLessThan(at(without, 37, 24) - 0.05);
    expect(at(dragged, 10, 24)).toBeCloseTo(at(without, 10, 24), 6);
    expect(at(dragged, 37 + trail.trailPx, 24)).toBeCloseTo(at(without, 37 + trail.trailPx, 24), 6);
  });

  it('carries a change of the surface exactly as far as reachPx says', () => {
    for (let seed = 0; seed < 40; seed++) {
      const beam = drawBeam(new Rng(seed, 'beam'), RANGES);
      const touched = { ...mesa, tone: mesa.tone.slice(), relief: mesa.relief.slice() };
      touched.tone[24 * SIZE + 20] += 0.3;
      touched.relief[24 * SIZE + 20] += 4;
      const [before, after] = [expose(mesa, beam, ones), expose(touched, beam, ones)];
      let farthest = 0;
      before.forEach((value, i) => {
        // Running sums differ in their last bits along the whole row.
        if (Math.abs(value - after[i]) < 1e-6) return;
        farthest = Math.max(farthest, Math.abs((i % SIZE) - 20), Math.abs(Math.floor(i / SIZE) - 24));
      });
      expect(farthest).toBeLessThanOrEqual(reachPx(beam));
      expect(farthest).toBeGreaterThan(0);
    }
  });
});

describe('illumination', () => {
  it('is even without charging and vignette, and darkest in the corners with a vignette', () => {
    const rng = new Rng(1, 'light');
    expect(new Set(drawIllumination(rng, PLAIN, 20, 10))).toEqual(new Set([1]));
    const light = drawIllumination(rng, { ...PLAIN, vignette: 0.2 }, 40, 40);
    expect(light[20 * 40 + 20]).toBeCloseTo(1, 5);
    expect(light[0]).toBeCloseTo(0.8, 5);
  });
});

describe('levels and development', () => {
  const signal = Float32Array.from({ length: 90_000 }, (_, i) => (i % 300 < 150 ? 0.3 : 0.6));

  it('reach the mean and deviation asked for', () => {
    const levels = setLevels(signal, PLAIN, 120, 40);
    const pixels = develop(signal, 300, PLAIN, levels, new Rng(1, 'noise'));
    const mean = pixels.reduce((a, b) => a + b, 0) / pixels.length;
    const deviation = Math.sqrt(pixels.reduce((a, b) => a + (b - mean) ** 2, 0) / pixels.length);
    expect(mean).toBeCloseTo(120, 0);
    expect(Math.abs(deviation - 40)).toBeLessThan(0.5);
    expect(Math.hypot(levels.pattern, levels.noise)).toBeCloseTo(40, 6);
  });

  it('never stretch the noise of a bare film beyond 18 grey values', () => {
    const bare = new Float32Array(10_000).fill(0.4);
    const levels = setLevels(bare, PLAIN, 120, 45);
    expect(levels.noise).toBeCloseTo(18, 6);
    const pixels = develop(bare, 100, PLAIN, levels, new Rng(1, 'noise'));
    const mean = pixels.reduce((a, b) => a + b, 0) / pixels.length;
    const deviation = Math.sqrt(pixels.reduce((a, b) => a + (b - mean) ** 2, 0) / pixels.length);
    expect(Math.abs(deviation - 18)).toBeLessThan(0.5);
  });

  it('make shot noise grow with the root of the signal, and the lag correlate neighbours', () => {
    const levels = { offset: 100, gain: 100, pattern: 0, noise: 0 };
    const spread = (value: number, beam: Beam): number[] => {
      const flat = new Float32Array(40_000).fill(value);
      const pixels = develop(flat, 200, beam, levels, new Rng(2, 'shot'));
      const clean = 100 + 100 * value;
      let squares = 0;
      let lagged = 0;
      for (let i = 1; i < pixels.length; i++) {
        squares += (pixels[i] - clean) ** 2;
        lagged += (pixels[i] - clean) * (pixels[i - 1] - clean);
      }
      return [Math.sqrt(squares / pixels.length), lagged / squares];
    };
    const [dim, uncorrelated] = spread(0.12, PLAIN);
    const [bright] = spread(0.72, PLAIN);
    expect(bright / dim).toBeCloseTo(Math.sqrt(0.8 / 0.2), 1);
    expect(Math.abs(uncorrelated)).toBeLessThan(0.02);
    const lag = 0.5;
    const [same, correlation] = spread(0.72, { ...PLAIN, noiseLag: lag });
    expect(same / bright).toBeCloseTo(1, 1);
    expect(correlation).toBeCloseTo(lag / (1 + lag * lag), 1);
  });

  it('without a generator are rounding alone', () => {
    const levels = { offset: 10, gain: 100, pattern: 0, noise: 0 };
    expect([...develop(Float32Array.of(0, 0.5, 0.996, 9, -9), 5, PLAIN, levels)]).toEqual([
      10, 60, 110, 255, 0,
    ]);
  });
});
