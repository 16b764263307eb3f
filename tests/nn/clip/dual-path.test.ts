import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import type { Value } from '../../../src/graph/value';
import type { ClipConfig } from '../../../src/nn/clip/config';
import { dualLevels, stageSums } from '../../../src/nn/clip/dual-path';
import { VisionTower } from '../../../src/nn/clip/vision';
import { attend } from '../../../src/nn/transformer';
import { float } from '../../graph/samples';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { SMALL, randomLayers } from './small-clip';

const runtime = openNodeRuntime();

/** @source methods.md 16.10 */
describe('V-V attention', () => {
  const close = (found: Float32Array, expected: number[]) =>
    found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 3));

  it('of three tokens with one head', async () => {
    const tokens = (data: number[]) => floatTensor([1, 1, 3, 2], data);
    const { mixed, weights } = await evaluate(
      runtime,
      { v: tokens([1, 0, 0, 1, 2, 0]), firstTwo: tokens([1, 0, 0, 1, 0, 0]) },
      ({ v, firstTwo }) => ({ mixed: attend(v, v, v), weights: attend(v, v, firstTwo) }),
    );
    close(floats(mixed), [1.4359, 0.14, 0.7448, 0.5035, 1.7225, 0.0454]);
    close(floats(weights), [0.284, 0.14, 0.2483, 0.5035, 0.1867, 0.0454]);
  });
});

describe('the sum of a stage', () => {
  it('starts anew in every stage', async () => {
    const found = await evaluate(runtime, { one: floatTensor([], [1]) }, ({ one }) =>
      Object.fromEntries(stageSums([3, 6, 9, 12], () => one).map((sum, i) => [`stage${i}`, sum])),
    );
    expect(Object.values(found).map((sum) => floats(sum)[0])).toEqual([3, 3, 3, 3]);
  });

  it('takes every block once', () => {
    const one = new GraphBuilder().constant(1);
    const asked: number[] = [];
    stageSums([3, 5, 8, 10], (block) => (asked.push(block), one));
    expect(asked).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('needs a block in every stage', () => {
    const one = new GraphBuilder().constant(1);
    expect(() => stageSums([1, 2, 2, 3], () => one)).toThrow(
      expect.objectContaining({
        code: 'fit/backbone',
        message: 'a vision tower of 3 blocks has no four levels',
      }) as Error,
    );
  });
});

describe('beside the plain path', () => {
  const config: ClipConfig = { ...SMALL, vision: { ...SMALL.vision, layers: 8 }, stages: [2, 4, 6, 8] };

  function program(outputs: (tower: VisionTower, tokens: readonly Value[]) => Record<string, Value>) {
    const graph = new GraphBuilder();
    const tower = new VisionTower(randomLayers(graph, config), config);
    const tokens = tower.run(tower.place(graph.input('image', [2, 3, 16, 16])));
    graph.output('embedding', tower.projectClass(tokens[8]));
    for (const [name, value] of Object.entries(outputs(tower, tokens))) graph.output(name, value);
    return graph.build();
  }
  const plain = () => program(() => ({}));
  const dual = () =>
    program((tower, tokens) =>
      Object.fromEntries(
        dualLevels(tower, tokens).flatMap(({ tokens: z, values }, j) => [
          [`z${j}`, z],
          [`v${j}`, values],
        ]),
      ),
    );
  const counts = ({ nodes }: ReturnType<typeof plain>) => {
    const count = (type: string) => nodes.filter(({ op }) => op.type === type).length;
    return { softmax: count('Softmax'), norms: count('LayerNormalization'), products: count('MatMul') };
  };

  it('shares norm and values with it, and costs it nothing', () => {
    // A block's products: Q, K and V; scores; mixing; output; two of the MLP.
    const own = { softmax: 8, norms: 2 + 2 * 8, products: 6 * 8 + 1 };
    expect(counts(plain())).toEqual(own);
    expect(counts(dual())).toEqual({ ...own, softmax: 16, products: own.products + 3 * 8 });
  });

  it('leaves the embedding of the image as it is', async () => {
    const image = float(new Rng(4, 'dual.image'), [2, 3, 16, 16]);
    const run = async (graph: ReturnType<typeof plain>) =>
      floats((await (await runtime.compile(graph)).run({ image })).values.embedding);
    const [alone, beside] = [await run(plain()), await run(dual())];
    beside.forEach((value, i) => expect(value).toBeCloseTo(alone[i], 4));
  });
});
