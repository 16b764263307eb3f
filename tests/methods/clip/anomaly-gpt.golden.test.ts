import { expect, it } from 'vitest';
import { floats } from '../../../src/base/tensor';
import { l2Normalise, reduceMax, resizeBilinear } from '../../../src/graph/ops/index';
import { memoryMap } from '../../../src/methods/clip/anomaly-gpt';
import { toGrid } from '../../../src/methods/clip/maps';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

const LEVELS = [1, 2, 3, 4];
const SIDE = 20;

describeGolden(['fewshot.json', 'anomalygpt.safetensors'], 'the localisation branch of AnomalyGPT', () => {
  const { anomalygpt } = goldenJson<{ anomalygpt: { scores: number[] } }>('fewshot.json');

  it('maps by a memory of four levels, enlarged, and the scores', async () => {
    const tensors = await goldenTensors('anomalygpt.safetensors');
    const feeds = Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith('in.')));
    const found = await evaluate(openNodeRuntime(), feeds, (values) => {
      const map = memoryMap(
        LEVELS.map((level) => values[`in.query${level}`]),
        LEVELS.map((level) => l2Normalise(values[`in.memory${level}`])),
      );
      const map20 = resizeBilinear(toGrid(map), SIDE, SIDE, 'corners');
      return { map, map20, scores: reduceMax(map20, [1, 2, 3]) };
    });
    for (const name of ['map', 'map20'])
      expect(relativeError(floats(found[name]), floats(tensors[name])), name).toBeLessThan(1e-4);
    expect(relativeError(floats(found.scores), anomalygpt.scores)).toBeLessThan(1e-4);
  });
});
