/** From the wafer to grey values: secondary-electron contrast, the beam's spot, charging, noise and the display. */
import type { Rng } from '../base/rng';
import { blur, blurPasses, boxMean, clamp, direction, grain, smoothNoise } from './fields';
import type { Ranges } from './ranges';
import type { Surface } from './scene';

/** One set-up of the microscope. */
export interface Beam {
  readonly edge: number;
  readonly asymmetry: number;
  /** Where the detector sits, a unit vector. */
  readonly detector: { readonly x: number; readonly y: number };
  readonly shadow: number;
  readonly shadowReachPx: number;
  readonly spotPx: number;
  readonly astigmatism: number;
  readonly trail: number;
  readonly trailPx: number;
  readonly charging: number;
  readonly vignette: number;
  readonly noise: number;
  readonly noiseLag: number;
  readonly rowNoise: number;
}

/** Brightness and contrast: grey value = offset + gain · signal. */
export interface Levels {
  readonly offset: number;
  readonly gain: number;
  /** One sigma of the noise-free picture and of the noise, in grey values. */
  readonly pattern: number;
  readonly noise: number;
}

/** A microscope within the ranges; trail, charging, vignette and row noise are absent from many. */
export function drawBeam(rng: Rng, ranges: Ranges): Beam {
  const between = (name: keyof Ranges): number => rng.between(...ranges[name]);
  // A product of two: most images are fairly clean, a few very noisy.
  const dose = rng.uniform() * rng.uniform();
  return {
    edge: between('edge'),
    asymmetry: between('asymmetry'),
    detector: direction(rng),
    shadow: between('shadow'),
    shadowReachPx: Math.floor(between('shadowReachPx')),
    spotPx: between('spotPx'),
    astigmatism: between('astigmatism'),
    trail: rng.uniform() < 0.3 ? between('trail') : 0,
    trailPx: 6 + rng.integer(9),
    charging: rng.uniform() < 0.5 ? between('charging') : 0,
    vignette: rng.uniform() < 0.4 ? between('vignette') : 0,
    noise: ranges.noise[0] + (ranges.noise[1] - ranges.noise[0]) * dose,
    noiseLag: between('noiseLag'),
    rowNoise: rng.uniform() < 0.4 ? between('rowNoise') : 0,
  };
}

/** Slow brightness changes over the field, drawn apart from what lies on the wafer. @shape [height·width] */
export function drawIllumination(rng: Rng, beam: Beam, width: number, height: number): Float32Array {
  const field = new Float32Array(width * height).fill(1);
  if (beam.charging > 0) {
    const hills = smoothNoise(rng, width, height, Math.max(width, height) / (1.5 + 2 * rng.uniform()));
    // Charge gathers along the fast scan: bands rather than spots.
    const bands = smoothNoise(rng, 1, height, height / 6);
    for (let y = 0, i = 0; y < height; y++)
      for (let x = 0; x < width; x++, i++) field[i] += beam.charging * (hills[i] + bands[y]);
  }
  if (beam.vignette > 0) {
    const corner = width * width + height * height;
    for (let y = 0, i = 0; y < height; y++)
      for (let x = 0; x < width; x++, i++) {
        const dx = 2 * x - width;
        const dy = 2 * y - height;
        field[i] -= (beam.vignette * (dx * dx + dy * dy)) / corner;
      }
  }
  return field;
}

/** How far from a change of the surface the signal can change, px: slope, shadow, spot, and to the right the trail. */
export function reachPx(beam: Beam): number {
  const spot = blurPasses(beam.spotPx * Math.max(beam.astigmatism, 1));
  return Math.max(1, beam.shadow > 0 ? beam.shadowReachPx : 0) + spot + (beam.trail > 0 ? beam.trailPx : 0);
}

/**
 * The noise-free signal of a surface.
 *
 * A wall of slope angle θ yields 1/cos θ times what a flat does, held by the electrons' escape depth: `edge · (1 − cos θ)`
 * is that law with a bound. Walls that face the detector are brighter; what stands out of its surroundings sends more
 * electrons to it, and what lies in a hole fewer.
 * @source Reimer, "Scanning Electron Microscopy", 2nd edition 1998, chapters 4 (yield and tilt) and 6 (topographic contrast)
 * @shape [height·width]
 */
export function expose(surface: Surface, beam: Beam, illumination: Float32Array): Float32Array {
  const { width, height, relief, tone } = surface;
  const { edge, shadow, detector } = beam;
  const lightX = -beam.asymmetry * detector.x;
  const lightY = -beam.asymmetry * detector.y;
  const around = boxMean(relief, width, height, beam.shadowReachPx);
  const openness = shadow / (beam.shadowReachPx + 4);
  const yielded = new Float32Array(relief.length);
  for (let y = 0, i = 0; y < height; y++) {
    const up = y > 0 ? -width : 0;
    const down = y < height - 1 ? width : 0;
    for (let x = 0; x < width; x++, i++) {
      const slopeX = 0.5 * (relief[x < width - 1 ? i + 1 : i] - relief[x > 0 ? i - 1 : i]);
      const slopeY = 0.5 * (relief[i + down] - relief[i + up]);
      const cosine = 1 / Math.sqrt(1 + slopeX * slopeX + slopeY * slopeY);
      const seen = 1 + clamp(openness * (relief[i] - around[i]), -0.6, 0.5);
      yielded[i] =
        illumination[i] *
        (tone[i] * seen + edge * (1 - cosine) + (lightX * slopeX + lightY * slopeY) * cosine);
    }
  }
  const signal = blur(yielded, width, height, beam.spotPx, beam.spotPx * beam.astigmatism);
  if (beam.trail > 0) dragTrails(signal, width, beam);
  return signal;
}

/** Darkens each pixel by what the beam has just passed on its row, over `trailPx` pixels. */
function dragTrails(signal: Float32Array, width: number, { trail, trailPx }: Beam): void {
  const row = new Float32Array(width + trailPx);
  for (let start = 0; start < signal.length; start += width) {
    row.fill(signal[start], 0, trailPx);
    row.set(signal.subarray(start, start + width), trailPx);
    let sum = trailPx * signal[start];
    for (let x = 0; x < width; x++) {
      signal[start + x] -= trail * (sum / trailPx - row[x + trailPx]);
      sum += row[x + trailPx] - row[x];
    }
  }
}

/** Shot noise of a signal: a constant part from the amplifier, the rest grows with the square root of the yield. */
const shot = (signal: number): number => Math.sqrt(Math.max(signal, 0) + 0.08);

/** Sets brightness and contrast on a field without defects, as an operator does before a run. */
export function setLevels(signal: Float32Array, beam: Beam, mean: number, deviation: number): Levels {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < signal.length; i++) {
    sum += signal[i];
    squares += signal[i] * signal[i];
  }
  const average = sum / signal.length;
  const pattern = Math.sqrt(Math.max(squares / signal.length - average * average, 0));
  const noise = beam.noise * shot(average);
  // On a bare film there is only noise to stretch; an operator stops well before it fills the scale.
  const gain = Math.min(deviation / Math.sqrt(pattern * pattern + noise * noise), 18 / noise);
  return { gain, offset: mean - gain * average, pattern: gain * pattern, noise: gain * noise };
}

/**
 * Grey values of a signal. Without a generator no noise is added.
 * @shape [height·width]
 */
export function develop(
  signal: Float32Array,
  width: number,
  beam: Beam,
  levels: Levels,
  rng?: Rng,
): Uint8Array {
  const { gain, offset } = levels;
  const pixels = new Uint8Array(signal.length);
  const lag = beam.noiseLag;
  const fresh = beam.noise / Math.sqrt(1 + lag * lag);
  let before = 0;
  let row = 0;
  for (let i = 0; i < signal.length; i++) {
    let value = signal[i];
    if (rng) {
      if (i % width === 0) row = beam.rowNoise > 0 ? beam.rowNoise * grain(rng) : 0;
      const now = grain(rng);
      value += row + fresh * shot(value) * (now + lag * before);
      before = now;
    }
    pixels[i] = clamp(Math.floor(offset + gain * value + 0.5), 0, 255);
  }
  return pixels;
}
