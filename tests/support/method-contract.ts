/** What every method keeps, walked over the registry on the built-in sample. @source methods.md 28 */
import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { Engine } from '../../src/engine/engine';
import { toModelInput } from '../../src/image/model-input';
import type { ImageSource, FitSpec, FitSummary } from '../../src/protocol/engine-api';
import { auroc } from '../../src/metrics/ranking';
import { pixelMetrics } from '../../src/metrics/pixel-metrics';
import { sampleSet } from '../../src/sample/set';
import { bytesAsSource } from '../../src/weights/byte-source';
import { Safetensors, encodeSafetensors } from '../../src/weights/safetensors';
import { TestEngine } from './engine';
import type { Found } from './engine';
import { relativeError } from './golden';
import { stepsOf } from './training-length';

const SIDE = 128;
const SQUARE = 20;
/** Share of the training that a method has by default: enough for each to have learnt something of the sample. */
const SHARE = 1 / 3;
/** SuperSimpleNet's classifier tells nothing for the first two hundred steps; f-AnoGAN's steps are six in one. */
const SHARES: Readonly<Record<string, number>> = { supersimplenet: 1 / 2, fAnogan: 1 / 6 };

const planes = sampleSet(1).map(({ path, width, height, pixels }) => ({
  path,
  plane: toModelInput(
    { width, height, bits: 8, data: pixels },
    { size: SIDE, kernel: 'bilinear', white: 255 },
  ),
}));
const goodPlanes = planes.filter(({ path }) => path.startsWith('train/good'));
const [normal] = planes.filter(({ path }) => path.startsWith('test/good'));

/** A bright square on an image, its middle at (x, y). */
function withSquare(plane: Float32Array, x: number, y: number): Float32Array {
  const out = plane.slice();
  for (let dy = 0; dy < SQUARE; dy++)
    for (let dx = 0; dx < SQUARE; dx++) out[(y - SQUARE / 2 + dy) * SIDE + x - SQUARE / 2 + dx] = 1;
  return out;
}

/** An image moved one pixel to the right, its edge repeated. */
const moved = (plane: Float32Array): Float32Array => plane.map((_, i) => plane[i % SIDE ? i - 1 : i]);

const largest = (map: Float32Array): number => map.reduce((most, value) => Math.max(most, value), -Infinity);

/** In how many files they stand: one core takes one file. */
const PARTS = 4;

/**
 * Tests of every fourth method of the registry. Those that a support set teaches stand on a CLIP and on texts: their own
 * tests are in `clip/`.
 */
export function describeContract(part: 0 | 1 | 2 | 3): void {
  const ordinary = Object.entries(Engine.methods).filter(([, { needs }]) => !needs.support);
  const own = ordinary.filter((_, i) => i % PARTS === part);
  describe.each(own.map(([id]) => id))('%s', keepsTheContract);
}

function keepsTheContract(method: string): void {
  const engine = new TestEngine(SIDE);
  const { options } = Engine.method(method);
  const spec: FitSpec = engine.spec(
    method,
    stepsOf(options, (steps) => Math.ceil((SHARES[method] ?? SHARE) * steps)),
  );
  const good = goodPlanes.map(({ path, plane }) => engine.add(path, plane));
  const losses: number[] = [];
  let summary: FitSummary;
  beforeAll(async () => {
    summary = await engine.fit(spec, good, ({ loss }) => loss !== undefined && losses.push(loss));
  }, 600_000);

  const add = (name: string, plane: Float32Array): ImageSource => engine.add(name, plane);
  const one = async (image: ImageSource): Promise<Found> => (await engine.inspect(spec, [image]))[0];

  it('1: the same input twice, the same map and score', async () => {
    const image = add('normal', normal.plane);
    expect(await one(image)).toEqual(await one(image));
  });

  it('2: maps of the size of the input, finite for black, white and noise', async () => {
    const rng = new Rng(1, 'noise');
    const flat = (value: number) => new Float32Array(SIDE * SIDE).fill(value);
    const images = [
      add('black', flat(0)),
      add('white', flat(1)),
      add(
        'noise',
        flat(0).map(() => rng.uniform()),
      ),
    ];
    for (const { score, map } of await engine.inspect(spec, images)) {
      expect(map.length).toBe(SIDE * SIDE);
      expect([Number.isFinite(score), map.every(Number.isFinite)]).toEqual([true, true]);
    }
  });

  it('3: scored together or one by one, the same', async () => {
    const images = [normal.plane, goodPlanes[0].plane, goodPlanes[1].plane].map((plane, i) =>
      add(`together.${i}`, plane),
    );
    const together = await engine.inspect(spec, images);
    for (const [i, image] of images.entries()) {
      const alone = await one(image);
      expect(Math.abs(alone.score - together[i].score)).toBeLessThan(
        1e-4 * Math.max(1, Math.abs(alone.score)),
      );
      expect(relativeError(alone.map, together[i].map)).toBeLessThan(1e-4);
    }
  });

  it('4 and 5: a bright square makes a fitted image stranger, and lies where the map is highest', async () => {
    const { plane } = goodPlanes[3];
    const [x, y] = [80, 52];
    const before = await one(add('without', plane));
    const after = await one(add('with', withSquare(plane, x, y)));
    expect(after.score).toBeGreaterThan(before.score);
    const at = after.map.indexOf(largest(after.map));
    expect(Math.hypot((at % SIDE) - x, Math.floor(at / SIDE) - y)).toBeLessThan(16 + SQUARE / 2);
  });

  it('6: saved and loaded, the same scores', async () => {
    const image = add('saved', normal.plane);
    const state = engine.states.get(spec.fitId)!;
    const file = await Safetensors.open(bytesAsSource(encodeSafetensors(state)));
    const read = await Promise.all(
      [...file.tensors.keys()].map(async (name) => [name, await file.read(name)] as const),
    );
    const other = new TestEngine(SIDE);
    other.states.set(spec.fitId, Object.fromEntries(read));
    const [found] = await other.inspect(spec, [other.add('saved', normal.plane)]);
    expect(found).toEqual(await one(image));
  });

  it('7: training lowers the loss', () => {
    if (!summary.steps) return;
    expect(losses.length).toBeGreaterThan(1);
    const tail = losses.slice(-5).sort((a, b) => a - b)[2];
    expect(tail).toBeLessThan(losses[0]);
  });

  it('8: the same seed, the same fit', async () => {
    const again = new TestEngine(SIDE);
    const own = again.spec(
      method,
      stepsOf(options, () => 3),
    );
    const sources = goodPlanes.map(({ path, plane }) => again.add(path, plane));
    await again.fit(own, sources);
    const first = again.states.get(own.fitId);
    await again.fit(own, sources);
    expect(again.states.get(own.fitId)).toEqual(first);
  });

  it('9: figures of images of one kind are not defined', async () => {
    const { score, map } = await one(add('alone', normal.plane));
    expect(auroc([score, score], [0, 0])).toBeNull();
    const pixels = pixelMetrics([{ map, mask: null, width: SIDE, height: SIDE }]);
    expect([pixels.auroc, pixels.ap, pixels.aupro]).toEqual([null, null, null]);
  });

  it('10: an image moved by one pixel changes the height of its map by less than a fifth of its range', async () => {
    const plane = withSquare(normal.plane, 64, 64);
    const [here, there] = [await one(add('here', plane)), await one(add('there', moved(plane)))];
    // By the range: a map may have any offset.
    const range = largest(here.map) + largest(here.map.map((value) => -value));
    expect(Math.abs(largest(there.map) - largest(here.map))).toBeLessThan(0.2 * range);
  });
}
