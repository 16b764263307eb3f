/** Every method trained and scored by the browser's providers, held to what the CPU provider gives in Node. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Runtime } from '../../src/runtime/runtime';
import { openWebBackend } from '../../src/runtime/web';
import { tinyFit, tinyMethods } from '../support/tiny-fits';

describe.each(['wasm', 'webgpu'] as const)('%s', (kind) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = new Runtime(await openWebBackend(kind));
  });
  afterAll(() => runtime.close());

  it.for(tinyMethods)('%s: losses and maps of the CPU provider', async (id, { skip }) => {
    const expected = inject('tinyFits')[kind][id];
    if (!expected) return skip('one step takes too long on this adapter; npm run test:long takes it');
    const found = await tinyFit(runtime, id, expected.steps);
    expect(found.losses.length).toBe(expected.losses.length);
    found.losses.forEach((loss, i) => {
      const scale = Math.max(1e-3, Math.abs(expected.losses[i]));
      expect(Math.abs(loss - expected.losses[i])).toBeLessThan(1e-3 * scale);
    });
    const range = Math.max(...expected.map) - Math.min(...expected.map);
    const error = found.map.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.map[i])), 0);
    expect(error).toBeLessThan(1e-2 * range);
  });
});
