/** The browser's providers on real images, held to the maps of the CPU provider on the same fits. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BrowserHost } from '../../scripts/bench/browser-host';
import { readDataset } from '../../scripts/bench/dataset';
import type { HostResult } from '../../scripts/bench/host';
import { NodeHost } from '../../scripts/bench/node-host';
import type { BackboneId, FitId } from '../../src/base/ids';
import { defaultOptions } from '../../src/methods/options';
import { Engine } from '../../src/engine/engine';
import type { FitSpec } from '../../src/protocol/engine-api';
import { DATA_DIR, describeWith } from '../support/golden';

const FOLDER = join(DATA_DIR, 'sem-ic');
const METHODS = ['patchcore', 'padim'] as const;
const specOf = (method: string): FitSpec => ({
  fitId: `maps.${method}` as FitId,
  method,
  options: defaultOptions(Engine.method(method).options),
  backboneId: 'builtin:efficientnet-lite0' as BackboneId,
  side: 224,
  seed: 0,
  white: 255,
});

describeWith([FOLDER], 'maps of real images', () => {
  const node = new NodeHost();
  const expected = new Map<string, HostResult[]>();
  const { good, test } = readDataset(FOLDER);
  // Of every class some, good ones too.
  const images = test.filter((_, i) => i % Math.ceil(test.length / 6) === 0);
  beforeAll(async () => {
    for (const method of METHODS) {
      await node.fit(specOf(method), good.slice(0, 24));
      expected.set(method, (await node.inspect(specOf(method), images)).results);
    }
  });
  afterAll(() => node.close());

  it.each(['wasm', 'webgpu'] as const)('%s', { timeout: 600_000 }, async (provider) => {
    expect(images.length).toBeGreaterThanOrEqual(5);
    const host = await BrowserHost.open(provider);
    try {
      for (const method of METHODS) {
        const spec = specOf(method);
        await host.putState(spec, node.state(spec)!);
        const { results } = await host.inspect(spec, images);
        results.forEach(({ map, score }, i) => {
          const own = expected.get(method)![i];
          let [low, high, error] = [Infinity, -Infinity, 0];
          own.map.forEach((value, p) => {
            [low, high] = [Math.min(low, value), Math.max(high, value)];
            error = Math.max(error, Math.abs(map[p] - value));
          });
          expect(error / (high - low), `${method}, ${images[i].path}`).toBeLessThan(1e-3);
          expect(Math.abs(score - own.score)).toBeLessThan(1e-3 * own.score);
        });
      }
    } finally {
      await host.close();
    }
  });
});
