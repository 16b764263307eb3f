/** What a step costs is measured while the form is open; a fit that begins has the device to itself. */
import { expect, it, vi } from 'vitest';
import type { MemoryRequest } from '../../src/protocol/engine-api';
import { TestEngine } from '../support/engine';

const SIDE = 64;
const GOOD = 8;

function opened() {
  const engine = new TestEngine(SIDE);
  const { method, options, backboneId, side } = engine.spec('reverseDistillation', { steps: 1, batch: 2 });
  const request: MemoryRequest = { method, options, backboneId, side, goodImages: GOOD, defectImages: 0 };
  const good = Array.from({ length: GOOD }, (_, i) =>
    engine.add(
      `good ${i}`,
      Float32Array.from({ length: SIDE * SIDE }, (_, at) => (at * (i + 3)) % 7),
    ),
  );
  return { engine, request, good };
}

it('gives the time of a step and of its forward pass', async () => {
  const { engine, request } = opened();
  const cost = await engine.engine.measureTraining(request);
  expect(cost!.iterations).toBe(1);
  expect(cost!.stepMs).toBeGreaterThan(cost!.forwardMs);
});

it('counts the pictures that are made of the images', async () => {
  const { engine, request } = opened();
  vi.spyOn(engine.engine, 'measureBackbone').mockResolvedValue(3);
  const msOf = (method: string, options = {}) =>
    engine.engine.measureFeatures({ ...request, ...engine.spec(method, options) });
  expect(await msOf('reverseDistillation')).toBe(3 * GOOD);
  expect(await msOf('fastflow')).toBe(3 * 4 * GOOD);
  expect(await msOf('fastflow', { flips: false })).toBe(3 * GOOD);
  expect(await msOf('dra', { views: 2, pseudo: 12 })).toBe(3 * (2 * GOOD + 2 * GOOD));
});

it('ends when a fit begins, which goes on', async () => {
  const { engine, request, good } = opened();
  const measured = engine.engine.measureTraining(request).catch((error: unknown) => error);
  const fitted = engine.fit(engine.spec('patchcore'), good);
  expect(await measured).toMatchObject({ code: 'cancelled' });
  await expect(fitted).resolves.toMatchObject({ provider: 'cpu' });
});
