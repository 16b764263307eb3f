import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import * as registry from '../../../src/methods/classifier-registry';
import type { Classifier } from '../../../src/methods/classifier';
import type { MethodState } from '../../../src/methods/contract';
import { defaultOptions } from '../../../src/methods/options';
import type { Options } from '../../../src/methods/options';
import type { Runtime } from '../../../src/runtime/runtime';
import { accuracyOf, classesOf, classifyTaps, labelledContext, labelsOf } from '../../support/labelled-world';
import { openNodeRuntime } from '../../support/node-runtime';

const SIDE = 32;
const WIDTH = 4;

/** A vector for each image: its class's own direction and noise. */
function clusters(classOf: readonly number[], stream: string, noise = 0.3): TensorData {
  const rng = new Rng(5, stream);
  const data = Float32Array.from({ length: classOf.length * WIDTH }, () => noise * rng.normal());
  classOf.forEach((own, i) => (data[i * WIDTH + own] += 2));
  return floatTensor([classOf.length, WIDTH], data);
}

let runtime: Runtime;
beforeAll(() => {
  runtime = openNodeRuntime();
});

async function fit(
  classifier: Classifier,
  taps: TensorData,
  classOf: readonly number[],
  trained?: number[],
  given: Options = {},
) {
  const context = labelledContext(runtime, { pooled: taps }, labelsOf(classOf, trained), { side: SIDE });
  const run = classifier.fit(context, { ...defaultOptions(classifier.options), flips: false, ...given });
  let step = await run.next();
  while (!step.done) step = await run.next();
  return step.value;
}

const told = async (classifier: Classifier, state: MethodState, taps: TensorData) =>
  (await classifyTaps(runtime, classifier, state, defaultOptions(classifier.options), { pooled: taps }, SIDE))
    .logits;

const onPooled = Object.entries<Classifier>(registry).filter(([, { needs }]) => needs.taps[0] === 'pooled');

describe.each(onPooled)('%s', (_id, classifier) => {
  const classOf = classesOf([6, 5, 4]);

  it('tells clusters apart that it never saw', async () => {
    const state = await fit(classifier, clusters(classOf, 'train'), classOf);
    const asked = classesOf([10, 10, 10]);
    expect(accuracyOf(await told(classifier, state, clusters(asked, 'test')), asked)).toBe(1);
  });

  it('learns nothing from images that are not trained on', async () => {
    const taps = clusters(classOf, 'train');
    const trained = [0, 1, 2, 6, 7, 8, 11, 12];
    const state = await fit(classifier, taps, classOf, trained);
    const spoilt = floats(taps).map((value, at) => (trained.includes(Math.floor(at / WIDTH)) ? value : 99));
    const other = await fit(classifier, floatTensor(taps.shape, spoilt), classOf, trained);
    for (const [name, tensor] of Object.entries(state)) expect(other[name].data, name).toEqual(tensor.data);
  });

  it('moves with the order of classes', async () => {
    const taps = clusters(classOf, 'train');
    const turned = classOf.map((own) => (own + 1) % 3);
    const asked = clusters(classesOf([4, 4, 4]), 'test', 0.8);
    const plain = await told(classifier, await fit(classifier, taps, classOf), asked);
    const moved = await told(classifier, await fit(classifier, taps, turned), asked);
    const best = (logits: Float32Array, i: number) => {
      const row = logits.subarray(3 * i, 3 * i + 3);
      return row.indexOf(Math.max(...row));
    };
    const same = Array.from({ length: 12 }, (_, i) => Number((best(plain, i) + 1) % 3 === best(moved, i)));
    // Heads start from small random weights of their own.
    expect(same.filter(Boolean).length).toBeGreaterThanOrEqual(11);
  });
});

it('a linear head on one-hot features reaches a loss of nothing', async () => {
  const classOf = classesOf([3, 3, 3]);
  const data = new Float32Array(9 * WIDTH);
  classOf.forEach((own, i) => (data[i * WIDTH + own] = 1));
  const taps = floatTensor([9, WIDTH], data);
  const state = await fit(registry.linear, taps, classOf, undefined, { steps: 3000 });
  const logits = await told(registry.linear, state, taps);
  for (const [i, own] of classOf.entries()) {
    const row = [...logits.subarray(3 * i, 3 * i + 3)];
    const p = Math.exp(row[own]) / row.reduce((sum, logit) => sum + Math.exp(logit), 0);
    expect(p).toBeGreaterThan(0.98);
  }
});
