import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floats, intTensor } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import type { Value } from '../../../src/graph/value';
import { TextTower } from '../../../src/nn/clip/text';
import { float } from '../../graph/samples';
import { gradientError } from '../../support/finite-differences';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { SMALL, randomLayers } from './small-clip';

const runtime = openNodeRuntime();

const PROMPTS = [
  [8, 1, 2, 3, 9],
  [8, 5, 9],
  [8, ...new Array<number>(22).fill(4), 9],
];
const END = intTensor(
  [3],
  PROMPTS.map((prompt) => prompt.length - 1),
);

async function embed(ids: TensorData): Promise<Float32Array> {
  const { text } = await evaluate(runtime, { ids, end: END }, (inputs, graph) => {
    const tower = new TextTower(randomLayers(graph, SMALL), SMALL);
    return { text: tower.encode(tower.lookUp(inputs.ids), inputs.end) };
  });
  expect(text.shape).toEqual([3, SMALL.embed]);
  return floats(text);
}

const padded = (length: number, filler: number): number[] =>
  PROMPTS.flatMap((prompt) => [...prompt, ...new Array<number>(length - prompt.length).fill(filler)]);

it('a prompt means the same at every length, whatever stands behind its end', async () => {
  const full = await embed(intTensor([3, 77], padded(77, 0)));
  const others = [
    intTensor([3, 24], padded(24, 0)),
    // As Hugging Face pads: with the end token.
    intTensor([3, 24], padded(24, 9)),
    { dtype: 'int64', shape: [3, 24], data: BigInt64Array.from(padded(24, 7), BigInt) } as const,
  ];
  for (const ids of others) (await embed(ids)).forEach((value, i) => expect(value).toBeCloseTo(full[i], 5));
});

it('has a gradient by the embeddings of tokens', async () => {
  const config = { ...SMALL, text: { ...SMALL.text, width: 6 } };
  const rng = new Rng(3, 'text.gradient');
  const sample = {
    inputs: { tokens: float(rng, [2, 4, 6]) },
    build: ({ tokens }: Record<string, Value>) =>
      new TextTower(randomLayers(tokens.graph, config), config).encode(
        tokens,
        tokens.graph.constant(intTensor([2], [3, 1])),
      ),
  };
  expect(await gradientError(runtime, sample, rng)).toBeLessThan(2e-3);
});

it('refuses prompts beyond its context', () => {
  const graph = new GraphBuilder();
  const tower = new TextTower(randomLayers(graph, SMALL), SMALL);
  const tokens = tower.lookUp(graph.input('ids', [1, 78], 'int32'));
  expect(() => tower.encode(tokens, graph.input('end', [1], 'int32'))).toThrow(
    expect.objectContaining({ code: 'graph/shape' }) as Error,
  );
});
