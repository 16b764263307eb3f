import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, intTensor } from '../../../src/base/tensor';
import { localFeatures } from '../../../src/methods/kit/patch-embedding';
import { patchcore } from '../../../src/methods/detectors/patchcore';
import type { PatchCoreOptions } from '../../../src/methods/detectors/patchcore';
import type { MethodState } from '../../../src/methods/contract';
import { contextOf, fitToEnd, scoreTaps, someOf } from '../../support/fixed-taps';
import type { Taps } from '../../support/fixed-taps';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const runtime = openNodeRuntime();
const SIDE = 6;
const OPTIONS: PatchCoreOptions = { coresetShare: 25, maxPatches: 100_000, neighbours: 9, blurSigma: 0 };

function goodTaps(images: number): Taps {
  const rng = new Rng(images, 'patchcore.taps');
  const tap = (c: number, side: number) =>
    floatTensor(
      [images, c, side, side],
      Float32Array.from({ length: images * c * side * side }, () => rng.normal()),
    );
  return { level2: tap(7, SIDE), level3: tap(5, SIDE / 2) };
}

const fit = (taps: Taps, o = OPTIONS) => fitToEnd(patchcore, contextOf(runtime, taps, { side: SIDE }), o);

/** A state with some of its rows, in a given order. */
function rowsOf({ bank, origin }: MethodState, rows: readonly number[]): MethodState {
  const width = bank.shape[1];
  const values = rows.flatMap((row) => [...floats(bank).subarray(row * width, (row + 1) * width)]);
  return {
    bank: floatTensor([rows.length, width], values),
    origin: intTensor(
      [rows.length],
      rows.map((row) => Number(origin.data[row])),
    ),
  };
}

/** A state without the rows of one image. */
const without = (state: MethodState, image: number): MethodState =>
  rowsOf(
    state,
    [...state.origin.data].flatMap((from, row) => (Number(from) === image ? [] : [row])),
  );

describe('scores of a fitted image as if it had been left out', () => {
  it.each([1, 4, 9])('%d neighbours: those of a bank without its rows', async (neighbours) => {
    const o = { ...OPTIONS, neighbours };
    const taps = goodTaps(5);
    const state = await fit(taps, o);
    for (const image of [0, 3, 4]) {
      const query = someOf(taps, image, image + 1);
      const held = await scoreTaps(runtime, patchcore, state, o, query, SIDE, [image]);
      const exact = await scoreTaps(runtime, patchcore, without(state, image), o, query, SIDE);
      expect(relativeError(held.map, exact.map)).toBeLessThan(1e-5);
      expect(relativeError(held.score, exact.score)).toBeLessThan(1e-5);
      const known = await scoreTaps(runtime, patchcore, state, o, query, SIDE);
      expect(held.score[0]).toBeGreaterThan(known.score[0]);
    }
  });

  it('each image of a batch by its own number', async () => {
    const taps = goodTaps(5);
    const state = await fit(taps);
    const together = await scoreTaps(runtime, patchcore, state, OPTIONS, someOf(taps, 1, 4), SIDE, [1, 2, 3]);
    for (const image of [1, 2, 3]) {
      const alone = await scoreTaps(
        runtime,
        patchcore,
        state,
        OPTIONS,
        someOf(taps, image, image + 1),
        SIDE,
        [image],
      );
      expect(together.score[image - 1]).toBeCloseTo(alone.score[0], 4);
    }
  });

  it('with fewer other rows than neighbours', async () => {
    const o = { ...OPTIONS, coresetShare: 14 };
    const taps = goodTaps(2);
    const state = await fit(taps, o);
    expect(without(state, 0).bank.shape[0]).toBeLessThan(9);
    const query = someOf(taps, 0, 1);
    const held = await scoreTaps(runtime, patchcore, state, o, query, SIDE, [0]);
    const exact = await scoreTaps(runtime, patchcore, without(state, 0), o, query, SIDE);
    expect(relativeError(held.score, exact.score)).toBeLessThan(1e-4);
  });

  it('with a single other row: its distance alone', async () => {
    const taps = goodTaps(2);
    const state = await fit(taps);
    const other = [...state.origin.data].indexOf(1);
    const rows = [...state.origin.data].flatMap((from, row) => (from === 0 || row === other ? [row] : []));
    const query = someOf(taps, 0, 1);
    const held = await scoreTaps(runtime, patchcore, rowsOf(state, rows), OPTIONS, query, SIDE, [0]);
    const exact = await scoreTaps(runtime, patchcore, rowsOf(state, [other]), OPTIONS, query, SIDE);
    expect(relativeError(held.score, exact.score)).toBeLessThan(1e-4);
  });
});

describe('scores (methods.md 5.8)', () => {
  /** One patch for each image: a map of one pixel, whose 3×3 mean is a ninth. */
  const patches = (vectors: readonly (readonly [number, number])[]): Taps => ({
    level2: floatTensor(
      [vectors.length, 1, 1, 1],
      vectors.map(([x]) => 9 * x),
    ),
    level3: floatTensor(
      [vectors.length, 1, 1, 1],
      vectors.map(([, y]) => 9 * y),
    ),
  });
  const state = {
    bank: floatTensor([4, 2], [0, 0, 1, 0, 0, 1, 5, 5]),
    origin: intTensor([4], [0, 0, 0, 0]),
  };
  const scored = (
    vectors: readonly (readonly [number, number])[],
    neighbours: number,
    bank: MethodState = state,
  ) => scoreTaps(runtime, patchcore, bank, { ...OPTIONS, neighbours }, patches(vectors), 1);

  it('distances 0.2, 1, 2.828427', async () => {
    const { map, score } = await scored(
      [
        [0.2, 0],
        [4, 5],
        [3, 3],
      ],
      1,
    );
    expect(relativeError(map, [0.2, 1, 2.828427])).toBeLessThan(1e-6);
    expect(relativeError(score, [0.2, 1, 2.828427])).toBeLessThan(1e-6);
  });

  it.each([
    [2, 1.937642],
    [3, 2.29979],
    [4, 2.529555],
    [9, 2.529555],
  ])('with %d neighbours %d', async (neighbours, expected) => {
    expect((await scored([[3, 3]], neighbours)).score[0]).toBeCloseTo(expected, 5);
  });

  it('a query equal to a row scores 0', async () => {
    for (const neighbours of [1, 3]) expect((await scored([[5, 5]], neighbours)).score[0]).toBe(0);
  });

  it('do not change with the order of the rows', async () => {
    const [found, again] = [
      await scored([[3, 3]], 3),
      await scored([[3, 3]], 3, rowsOf(state, [3, 1, 0, 2])),
    ];
    expect(again.score[0]).toBeCloseTo(found.score[0], 6);
  });

  it('the mean counts padding: of a map of ones 4/9 in the corners, 6/9 on the edges', async () => {
    const ones = floatTensor([1, 1, 3, 3], new Float32Array(9).fill(1));
    const { y } = await evaluate(runtime, { x: ones }, ({ x }) => ({ y: localFeatures([x]) }));
    expect(
      relativeError(
        floats(y),
        [4, 6, 4, 6, 9, 6, 4, 6, 4].map((n) => n / 9),
      ),
    ).toBeLessThan(1e-6);
  });
});

describe('the bank', () => {
  it('of the whole share holds every patch', async () => {
    const state = await fit(goodTaps(3), { ...OPTIONS, coresetShare: 100 });
    expect(state.bank.shape).toEqual([3 * SIDE * SIDE, 12]);
    const perImage = [0, 0, 0];
    for (const image of state.origin.data) perImage[Number(image)]++;
    expect(perImage).toEqual([36, 36, 36]);
  });

  it('of a limited number of patches takes as many of each image, and knows which', async () => {
    const taps = goodTaps(4);
    const o = { ...OPTIONS, coresetShare: 100, maxPatches: 50 };
    const state = await fit(taps, o);
    expect(state.bank.shape[0]).toBe(48);
    const counts = [0, 0, 0, 0];
    for (const image of state.origin.data) counts[Number(image)]++;
    expect(counts).toEqual([12, 12, 12, 12]);
    // Every row is a patch of the image it is said to come from: that image finds itself at distance 0 there.
    for (const image of [0, 3]) {
      const own = [...state.origin.data].flatMap((from, row) => (Number(from) === image ? [row] : []));
      const { map } = await scoreTaps(
        runtime,
        patchcore,
        rowsOf(state, own),
        o,
        someOf(taps, image, image + 1),
        SIDE,
      );
      expect(map.filter((distance) => distance < 1e-2).length).toBe(12);
    }
  });

  it('has one row at least', async () => {
    expect((await fit(goodTaps(1), { ...OPTIONS, coresetShare: 0.1 })).bank.shape[0]).toBe(1);
  });
});
