import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng';
import { floatTensor, floats, intTensor, sizeOf } from '../../../src/base/tensor';
import type { Shape, TensorData } from '../../../src/base/tensor';
import { unit } from '../../../src/base/unit';
import { gradients } from '../../../src/graph/autodiff';
import { GraphBuilder } from '../../../src/graph/builder';
import { add, concat, reshape, stopGradient } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { promptStep } from '../../../src/methods/clip/prompt-ad';
import { encodePrompts, promptLoss, readTexts } from '../../../src/methods/clip/learnt-prompts';
import type { PromptFeatures, PromptTexts } from '../../../src/methods/clip/learnt-prompts';
import type { MethodState } from '../../../src/methods/contract';
import { Trainer } from '../../../src/methods/kit/trainer';
import { TextTower } from '../../../src/nn/clip/text';
import { FrozenLayers } from '../../../src/nn/layers';
import { FittedNet } from '../../../src/nn/net';
import { DETAILED_PROMPTS } from '../../../src/text/prompt-presets';
import { float } from '../../graph/samples';
import { gradientError } from '../../support/finite-differences';
import { relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { WORLD, supportContext, worldTower } from '../../support/support-world';

const runtime = openNodeRuntime();
const { embed: EMBED } = WORLD;
const WIDTH = 8;
const world = () => supportContext(runtime, 3, [1, 2]);

/** The phrases of this world, read by a tower. */
const textsOf = (remarks: string[] = [], unknown: readonly string[] = [], perClass = 1) =>
  readTexts(
    { remark: (text) => void remarks.push(text) },
    worldTower(...unknown),
    world().support!,
    perClass,
  );

/** Rows of length 1. */
function unitRows(stream: string, count: number): TensorData {
  const data = floats(float(new Rng(3, stream), [count, EMBED]));
  const rows = Array.from({ length: count }, (_, i) => [...unit(data.subarray(i * EMBED, (i + 1) * EMBED))]);
  return floatTensor([count, EMBED], rows.flat());
}

describe('prompts', () => {
  const shapes = { image: 3, patches: 1 } as const;
  const vectors: Record<string, TensorData> = Object.fromEntries(
    Object.entries(shapes).flatMap(([task, variants]) => [
      [`${task}.normal`, float(new Rng(2, `${task} normal`), [variants, 4, WIDTH])],
      [`${task}.abnormal`, float(new Rng(2, `${task} abnormal`), [4, 1, WIDTH])],
    ]),
  );

  const encoded = (graph: GraphBuilder, texts: PromptTexts, values: Record<string, Value>) =>
    encodePrompts(graph, worldTower(), texts, (task) => new FittedNet(graph, values, `${task}.`));

  /** One prompt at the tower's full length: rows put together by hand. */
  async function alone(rows: readonly Float32Array[]): Promise<Float32Array> {
    const { config, weights } = worldTower();
    const tokens = new Float32Array(config.text.context * WIDTH);
    rows.forEach((row, i) => tokens.set(row, i * WIDTH));
    const feeds = { tokens: floatTensor([1, config.text.context, WIDTH], tokens) };
    const { found } = await evaluate(runtime, feeds, (values, graph) => ({
      found: new TextTower(new FrozenLayers(graph, weights, 0), config).encode(
        values.tokens,
        graph.constant(intTensor([1], [rows.length - 1])),
      ),
    }));
    return floats(found);
  }

  const rowsOf = (tensor: TensorData): Float32Array[] =>
    Array.from({ length: sizeOf(tensor.shape) / WIDTH }, (_, i) =>
      floats(tensor).slice(i * WIDTH, (i + 1) * WIDTH),
    );

  it('are start, learnt vectors and words, each the same alone and at the full length', async () => {
    const texts = await textsOf();
    const found = await evaluate(runtime, vectors, (values, graph) =>
      Object.fromEntries(
        Object.entries(encoded(graph, texts, values)).flatMap(([task, { normal, handmade, learned }]) => [
          [`found.${task}.normal`, normal],
          [`found.${task}.handmade`, handmade!],
          [`found.${task}.learned`, learned],
        ]),
      ),
    );
    const text = async (words: string) => rowsOf((await worldTower().embedTokens(words))!);
    // Eight in general, one of each of two classes.
    const phrases = [
      'damaged SEM image.',
      ...new Array<string>(7).fill(''),
      'SEM image with line.',
      'SEM image with spot.',
    ];
    const [start, ...name] = await text('SEM image.');
    for (const [task, variants] of Object.entries(shapes)) {
      expect(found[`found.${task}.normal`].shape).toEqual([variants, EMBED]);
      expect(found[`found.${task}.handmade`].shape).toEqual([variants * phrases.length, EMBED]);
      expect(found[`found.${task}.learned`].shape).toEqual([variants * 4, EMBED]);
      const normal = rowsOf(vectors[`${task}.normal`]);
      const abnormal = rowsOf(vectors[`${task}.abnormal`]);
      const variant = variants - 1;
      const own = normal.slice(variant * 4, (variant + 1) * 4);
      const close = async (group: string, row: number, rows: readonly Float32Array[]) => {
        const at = floats(found[`found.${task}.${group}`]).subarray(row * EMBED, (row + 1) * EMBED);
        expect(relativeError(at, await alone(rows)), `${task}.${group} ${row}`).toBeLessThan(1e-5);
      };
      await close('normal', variant, [start, ...own, ...name]);
      await close('learned', variant * 4 + 2, [start, ...own, abnormal[2], ...name]);
      for (const [i, phrase] of phrases.entries())
        if (phrase)
          await close('handmade', variant * phrases.length + i, [
            start,
            ...own,
            ...(await text(phrase)).slice(1),
          ]);
    }
  });

  const images = unitRows('images', 7);

  it('normal vectors are moved through normal, hand-made and learnt prompts, abnormal ones through their own', async () => {
    const texts = await textsOf();
    const groups = ['normal', 'handmade', 'learned'] as const;
    const found = await evaluate(runtime, vectors, (values, graph) => {
      const { image } = encoded(graph, texts, values);
      const loss = (through: readonly string[]) => {
        const kept = (group: (typeof groups)[number]) =>
          through.includes(group) ? image[group]! : stopGradient(image[group]!);
        const { contrast, triplet, align } = promptLoss(
          { normal: kept('normal'), handmade: kept('handmade'), learned: kept('learned') },
          graph.constant(images),
          4.6,
        );
        return add(add(contrast, triplet), align);
      };
      const targets = [values['image.normal'], values['image.abnormal']];
      return Object.fromEntries(
        [...groups.map((group) => [group]), groups].flatMap((through) =>
          gradients(loss(through), targets).map((own, i) => [
            `${through.length === 1 ? through[0] : 'all'}.${i}`,
            own,
          ]),
        ),
      );
    });
    const largest = (name: string) => Math.max(...floats(found[name]).map(Math.abs));
    for (const group of groups) expect(largest(`${group}.0`), group).toBeGreaterThan(1e-3);
    expect([largest('normal.1'), largest('handmade.1')]).toEqual([0, 0]);
    expect(largest('learned.1')).toBeGreaterThan(1e-3);
    const sum = floats(found['all.0']).map((_, i) =>
      groups.reduce((total, group) => total + floats(found[`${group}.0`])[i], 0),
    );
    expect(relativeError(sum, floats(found['all.0']))).toBeLessThan(1e-4);
  });

  it('the gradient of the loss is that of finite differences', async () => {
    const texts = await textsOf([], [], 0);
    const part = (name: string, from: number, to: number) =>
      floatTensor([to - from, WIDTH], floats(vectors[`patches.${name}`]).slice(from * WIDTH, to * WIDTH));
    const error = await gradientError(
      runtime,
      {
        // The first vector of each kind.
        inputs: { normal: part('normal', 0, 1), abnormal: part('abnormal', 0, 1) },
        build: ({ normal, abnormal }) => {
          const { graph } = normal;
          const whole = (one: Value, name: string, shape: Shape) =>
            reshape(concat([one, graph.constant(part(name, 1, 4))], 0), shape);
          const { patches } = encoded(graph, texts, {
            'image.normal': graph.constant(vectors['image.normal']),
            'image.abnormal': graph.constant(vectors['image.abnormal']),
            'patches.normal': whole(normal, 'normal', [1, 4, WIDTH]),
            'patches.abnormal': whole(abnormal, 'abnormal', [4, 1, WIDTH]),
          });
          const { contrast, triplet, align } = promptLoss(patches, graph.constant(images), 4.6);
          return add(add(contrast, triplet), align);
        },
      },
      new Rng(5, 'differences'),
    );
    expect(error).toBeLessThan(2e-3);
  });

  it('images of one task leave the vectors of the other where they would be', async () => {
    const texts = await textsOf();
    const step = async (global: TensorData): Promise<MethodState> => {
      const prompts = { tower: worldTower(), texts, scale: 4.6 };
      const trainer = new Trainer(world(), { prompts: promptStep(prompts, 7, [1, EMBED]) });
      try {
        for (let i = 0; i < 3; i++)
          (await trainer.step('prompts', { global, local: images }, () => 0.1)).report.dispose();
        return trainer.tensors(await trainer.vectors());
      } finally {
        trainer.dispose();
      }
    };
    const [one, other] = [await step(images), await step(unitRows('others', 7))];
    for (const part of ['normal', 'abnormal']) {
      expect(one[`patches.${part}`]).toEqual(other[`patches.${part}`]);
      expect(one[`image.${part}`]).not.toEqual(other[`image.${part}`]);
    }
  });

  it('are 57 for images and 19 for patches with the built-in classes', async () => {
    const set = { prompts: DETAILED_PROMPTS, normal: 2 };
    const texts = await readTexts({ remark: () => undefined }, worldTower(), set, 1);
    const graph = new GraphBuilder();
    const values = Object.entries(vectors).map(([name, { shape }]) => [name, graph.input(name, shape)]);
    const found = encoded(graph, texts, Object.fromEntries(values) as Record<string, Value>);
    const count = ({ normal, handmade, learned }: PromptFeatures) =>
      normal.shape[0] + handmade!.shape[0] + learned.shape[0];
    expect([count(found.image), count(found.patches)]).toEqual([57, 19]);
  });

  it('with unknown words or no end are left out, and said to be', async () => {
    const remarks: string[] = [];
    expect((await textsOf(remarks)).lengths).toHaveLength(11);
    expect(remarks).toEqual([]);
    const { lengths } = await textsOf(remarks, ['flawed', 'imperfect', 'spot']);
    expect(lengths).toHaveLength(8);
    expect(remarks).toEqual([
      'Prompts with words that the encoder never learnt, or too many, are left out: "flawed SEM image.", ' +
        '"imperfect SEM image.", "SEM image with spot.".',
    ]);
    const long = {
      name: 'long',
      states: [`{o} with ${'very '.repeat(80)}long wires`, 'bent {o}', 'torn {o}'],
    };
    const prompts = { ...DETAILED_PROMPTS, classes: [DETAILED_PROMPTS.classes[2], long] };
    const own = await readTexts(
      { remark: (text) => remarks.push(text) },
      worldTower(),
      { prompts, normal: 0 },
      1,
    );
    expect(own.lengths).toHaveLength(10);
    expect(remarks).toHaveLength(2);
  });

  it('without any phrase are learnt alone; without a word for the object there are none', async () => {
    const remarks: string[] = [];
    const texts = await textsOf(
      remarks,
      ['damaged', 'flawed', 'abnormal', 'imperfect', 'blemished', 'with'],
      2,
    );
    expect(texts.lengths).toHaveLength(1);
    expect(remarks[1]).toBe('No phrase of a defect is left: all abnormal prompts are learnt.');
    const { loss } = await evaluate(runtime, vectors, (values, graph) => {
      const { image } = encoded(graph, texts, values);
      expect(image.handmade).toBeUndefined();
      const { contrast, align } = promptLoss(image, graph.constant(images), 4.6);
      return { loss: add(contrast, align) };
    });
    expect(floats(loss)[0]).toBeGreaterThan(0);
    await expect(textsOf([], ['image', 'surface'])).rejects.toMatchObject({
      code: 'text/prompt',
      message:
        'the encoder never learnt the words of "SEM image", "semiconductor SEM image", "wafer surface"',
    });
    // The next name is taken where the first one is unknown.
    expect((await textsOf([], ['image'])).lengths).toHaveLength(11);
  });
});
