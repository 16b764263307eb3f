/** Classifiers taught and asked by the browser's providers, held to what the CPU provider gives in Node. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Runtime } from '../../../src/runtime/runtime';
import { openWebBackend } from '../../../src/runtime/web';
import { tinyClasses, tinyClassifiers } from '../../support/tiny-classes';

describe.each(['wasm', 'webgpu'] as const)('%s', (kind) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = new Runtime(await openWebBackend(kind));
  });
  afterAll(() => runtime.close());

  it.each(tinyClassifiers)('%s: logits of the CPU provider', { timeout: 180_000 }, async (id) => {
    const expected = inject('tinyClasses')[id];
    const found = await tinyClasses(runtime, id);
    const range = Math.max(...expected) - Math.min(...expected);
    found.forEach((logit, i) => expect(Math.abs(logit - expected[i])).toBeLessThan(1e-2 * range));
  });
});
