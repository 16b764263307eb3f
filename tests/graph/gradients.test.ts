import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { OPS } from '../../src/graph/ops/index';
import { gradientError } from '../support/finite-differences';
import { openNodeRuntime } from '../support/node-runtime';
import { COMPOSITES } from './composites';
import { SAMPLES } from './samples';

const runtime = openNodeRuntime();
const ROUNDS = 3;

const cases = [
  ...Object.entries(SAMPLES).flatMap(([name, makers]) =>
    makers.map((make, i) => ({ name: `${name} ${i}`, make })),
  ),
  ...Object.entries(COMPOSITES).map(([name, make]) => ({ name, make })),
];

describe('gradient rules against finite differences', () => {
  it.each(cases)('$name', async ({ name, make }) => {
    for (let round = 0; round < ROUNDS; round++) {
      const rng = new Rng(round, `gradient.${name}`);
      expect(await gradientError(runtime, make(rng), rng)).toBeLessThan(2e-3);
    }
  });
});

describe('gradients of gradients against finite differences', () => {
  it.each(cases)('$name', async ({ name, make }) => {
    const rng = new Rng(7, `second.${name}`);
    expect(await gradientError(runtime, make(rng), rng, 2)).toBeLessThan(1e-2);
  });
});

it('every operator of the table has a sample', () => {
  expect(Object.keys(SAMPLES).sort()).toEqual(Object.keys(OPS).sort());
});
