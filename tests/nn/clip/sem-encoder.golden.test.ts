import { join } from 'node:path';
import { expect, it } from 'vitest';
import { floatTensor, floats, intTensor } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import { l2Normalise, reduceMean } from '../../../src/graph/ops/index';
import { normaliseGrey } from '../../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../../src/nn/backbones/efficientnet';
import type { ClipConfig } from '../../../src/nn/clip/config';
import { dualLevels } from '../../../src/nn/clip/dual-path';
import { readClip, recogniseClip } from '../../../src/nn/clip/recognise';
import { semStem, tokenRows } from '../../../src/nn/clip/sem-encoder';
import { TextTower, clipLogits } from '../../../src/nn/clip/text';
import { VisionTower } from '../../../src/nn/clip/vision';
import { FrozenWeights } from '../../../src/nn/frozen-weights';
import { FrozenLayers } from '../../../src/nn/layers';
import { DETAILED_PROMPTS } from '../../../src/text/prompt-presets';
import { promptsOf } from '../../../src/text/prompts';
import { MODELS_DIR, PROTOTYPE_DIR, describeWith, readTensors, relativeError } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';
import { tokenizer } from '../../text/shipped-tokenizer';

const ENCODER = join(PROTOTYPE_DIR, 'encoder.safetensors');
const REFERENCE = join(PROTOTYPE_DIR, 'encoder-reference.safetensors');
const LITE0 = join(MODELS_DIR, 'efficientnet-lite0.safetensors');
/** "a black and white photo of the SEM image exhibiting particulate matter." */
const PROMPT = [
  49406, 320, 1449, 537, 1579, 1125, 539, 518, 17106, 2867, 23889, 11408, 671, 3828, 269, 49407,
];
const CLASSES = 7;

describeWith([ENCODER, REFERENCE, LITE0], "the SEM encoder with its prototype's weights", () => {
  async function encoder(graph: GraphBuilder) {
    const file = await readTensors(ENCODER);
    const recognised = recogniseClip(
      new Map(Object.entries(file).map(([name, { shape }]) => [name, shape])),
    )!;
    const weights = new FrozenWeights(await readClip(recognised, async (name) => file[name]));
    const layers = new FrozenLayers(graph, weights, 0);
    const config: ClipConfig = { ...recognised.shape, activation: 'gelu' };
    return { file, recognised, layers, config };
  }

  it('is told by its names and shapes, activation and all', async () => {
    const trunk = { width: 192, heads: 3, mlp: 768 };
    expect((await encoder(new GraphBuilder())).recognised).toEqual({
      title: 'SEM encoder',
      shape: {
        embed: 192,
        input: 'stem',
        imageSide: 240,
        patch: 16,
        vision: { ...trunk, layers: 4 },
        text: { ...trunk, layers: 3, context: 77, vocabulary: 263 },
        stages: [1, 2, 3, 4],
      },
      activation: 'gelu',
      naming: 'open_clip',
      prefix: '',
    });
  });

  it('sees an image as the prototype does', async () => {
    const graph = new GraphBuilder();
    const { file, layers, config } = await encoder(graph);
    const lite0 = new FrozenLayers(
      graph,
      new FrozenWeights(new Map(Object.entries(await readTensors(LITE0)))),
      efficientNetLite0.batchNormEpsilon,
      'lite0.',
    );
    const tower = new VisionTower(layers, config);
    const stem = semStem(
      lite0,
      normaliseGrey(graph.input('grey', [1, 1, 240, 240]), efficientNetLite0.normalisation),
    );
    const tokens = tower.run(tower.place(stem));
    const embedding = l2Normalise(tower.projectClass(tokens[4]));
    graph.output('stem', stem);
    dualLevels(tower, tokens).forEach(({ tokens: z, projectedValues }, j) => {
      graph.output(`Z${j + 1}`, z);
      graph.output(`V${j + 1}_projected`, projectedValues);
    });
    graph.output('dense4', l2Normalise(tower.projectPatches(tokens[4])));
    graph.output('embedding', embedding);
    const classText = floatTensor([CLASSES, 192], floats(file.text_vectors).slice(0, CLASSES * 192));
    graph.output('logits', clipLogits(layers, embedding, graph.constant(classText)));
    const program = await openNodeRuntime().compile(graph.build());

    const { pixels, class_text, prompt0_text_raw: _, ...expected } = await readTensors(REFERENCE);
    const grey = Float32Array.from(pixels.data as Uint8Array, (value) => value / 255);
    const { values } = await program.run({ grey: floatTensor([1, 1, 240, 240], grey) });
    expect(Object.keys(values).sort()).toEqual(Object.keys(expected).sort());
    for (const name in expected)
      expect(relativeError(floats(values[name]), floats(expected[name])), name).toBeLessThan(1e-3);
    expect(relativeError(floats(classText), floats(class_text))).toBeLessThan(1e-3);
  });

  it('reads a prompt as the prototype does', async () => {
    const graph = new GraphBuilder();
    const { file, layers, config } = await encoder(graph);
    const rows = tokenRows(file.token_ids.data as Int32Array, PROMPT);
    const tower = new TextTower(layers, config);
    const ids = tower.lookUp(graph.input('rows', [1, rows.length], 'int32'));
    graph.output('text', tower.encode(ids, graph.input('end', [1], 'int32')));
    const program = await openNodeRuntime().compile(graph.build());
    const { values } = await program.run({
      rows: intTensor([1, rows.length], rows),
      end: intTensor([1], [rows.length - 1]),
    });
    const { prompt0_text_raw: expected } = await readTensors(REFERENCE);
    expect(relativeError(floats(values.text), floats(expected))).toBeLessThan(1e-3);
  });

  it("reads a class's detailed prompts, averaged, as the prototype does", async () => {
    const { file, recognised, config } = await encoder(new GraphBuilder());
    const { class_text: expected } = await readTensors(REFERENCE);
    const kept = file.token_ids.data as Int32Array;
    const classes = [...DETAILED_PROMPTS.classes].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(classes).toHaveLength(CLASSES);
    const runtime = openNodeRuntime();
    for (const [i, own] of classes.entries()) {
      const prompts = promptsOf(own, DETAILED_PROMPTS).map((text) =>
        tokenRows(kept, tokenizer.encode(text).ids),
      );
      const length = Math.max(...prompts.map((rows) => rows.length));
      const graph = new GraphBuilder();
      const weights = new FrozenWeights(await readClip(recognised, async (name) => file[name]));
      const tower = new TextTower(new FrozenLayers(graph, weights, 0), config);
      const ids = tower.lookUp(graph.input('rows', [prompts.length, length], 'int32'));
      const texts = l2Normalise(tower.encode(ids, graph.input('end', [prompts.length], 'int32')));
      graph.output('text', l2Normalise(reduceMean(texts, [0], true)));
      const { values } = await (
        await runtime.compile(graph.build())
      ).run({
        rows: intTensor(
          [prompts.length, length],
          prompts.flatMap((rows) => [...rows, ...new Array<number>(length - rows.length).fill(0)]),
        ),
        end: intTensor(
          [prompts.length],
          prompts.map((rows) => rows.length - 1),
        ),
      });
      const row = floats(expected).subarray(i * config.embed, (i + 1) * config.embed);
      expect(relativeError(floats(values.text), row), own.name).toBeLessThan(1e-3);
    }
  });
});
