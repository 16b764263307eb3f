import { describe, expect, it } from 'vitest';
import { floatTensor, floats, intTensor, sizeOf } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { GraphBuilder } from '../../../src/graph/builder';
import { add, concat, l2Normalise } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { accumulatedValues, dualLevels } from '../../../src/nn/clip/dual-path';
import { clipTensors } from '../../../src/nn/clip/recognise';
import { TextTower, clipLogits } from '../../../src/nn/clip/text';
import { VisionTower } from '../../../src/nn/clip/vision';
import { WINDOW_SIDES, windowEmbeddings } from '../../../src/nn/clip/windows';
import { FrozenWeights } from '../../../src/nn/frozen-weights';
import { FrozenLayers } from '../../../src/nn/layers';
import { describeGolden, digestError, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { openNodeRuntime } from '../../support/node-runtime';
import { signed } from '../../support/procedural';
import { configOf, isVision, proceduralLayers } from './procedural-clip';
import type { GoldenClip } from './procedural-clip';

const FILES = ['clip.json', 'clip-tiny.safetensors', 'clip-real-configs.safetensors', 'image.safetensors'];
const TOLERANCE = 1e-4;

const runtime = openNodeRuntime();

async function run(
  graph: GraphBuilder,
  feeds: Readonly<Record<string, TensorData>>,
): Promise<Readonly<Record<string, TensorData>>> {
  const { values } = await (await runtime.compile(graph.build())).run(feeds);
  await runtime.forgetPrograms();
  return values;
}

describeGolden(FILES, 'CLIP with procedural weights', () => {
  const golden = goldenJson<GoldenClip>('clip.json');

  /** What a vision tower gives for the golden images. */
  function see(
    name: string,
    outputs: (tower: VisionTower, tokens: readonly Value[], placed: Value) => Record<string, Value>,
  ) {
    const config = configOf(golden.towers[name]);
    const shape = [golden.towers[name].images, 3, config.imageSide, config.imageSide];
    const graph = new GraphBuilder();
    const tower = new VisionTower(proceduralLayers(graph, config, isVision), config);
    const placed = tower.place(graph.input('pixels', shape));
    for (const [output, value] of Object.entries(outputs(tower, tower.run(placed), placed)))
      graph.output(output, value);
    return run(graph, { pixels: signed('clip.image', shape, 1.5) });
  }

  const all = async () => ({
    ...(await goldenTensors('clip-tiny.safetensors')),
    ...(await goldenTensors('clip-real-configs.safetensors')),
  });

  describe('both towers', () => {
    it.each(Object.keys(golden.towers))('%s', async (name) => {
      const expected = golden.towers[name];
      const config = configOf(expected);
      const count = [...clipTensors(config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
      expect(count).toBe(expected.parameters);

      const seen = await see(name, (tower, tokens) => {
        const raw = tower.projectClass(tokens[config.vision.layers]);
        return {
          ...Object.fromEntries(tokens.map((value, i) => [`block${i}`, value])),
          post: tower.post(tokens[config.vision.layers]),
          raw,
          image: l2Normalise(raw),
        };
      });
      expected.tokens_per_block.forEach((digest, i) =>
        expect(digestError(floats(seen[`block${i}`]), digest), `block ${i}`).toBeLessThan(TOLERANCE),
      );
      expect(digestError(floats(seen.post), expected.tokens_after_ln_post)).toBeLessThan(TOLERANCE);
      expect(digestError(floats(seen.raw), expected.image_embedding_raw)).toBeLessThan(TOLERANCE);

      const graph = new GraphBuilder();
      const layers = proceduralLayers(graph, config, (own) => !isVision(own));
      const length = Math.max(...golden.ids.map((ids) => ids.length));
      const prompts = golden.ids.length;
      const text = new TextTower(layers, config);
      const tokens = text.lookUp(graph.input('ids', [prompts, length], 'int32'));
      const embedding = text.encode(tokens, graph.input('end', [prompts], 'int32'));
      graph.output('raw', embedding);
      graph.output('text', l2Normalise(embedding));
      graph.output('logits', clipLogits(layers, graph.input('images', seen.raw.shape), embedding));
      const padded = golden.ids.flatMap((ids) => [...ids, ...new Array<number>(length - ids.length).fill(0)]);
      const read = await run(graph, {
        ids: intTensor([prompts, length], padded),
        end: intTensor(
          [prompts],
          golden.ids.map((ids) => ids.length - 1),
        ),
        images: seen.raw,
      });
      expect(digestError(floats(read.raw), expected.text_embedding_raw)).toBeLessThan(TOLERANCE);
      expect(relativeError(floats(read.logits), expected.logits.flat())).toBeLessThan(TOLERANCE);
      const arrays = await all();
      const found: Record<string, TensorData> = { ...seen, ...read };
      for (const part of ['image', 'text', 'logits', 'block0', 'block3'])
        if (arrays[`${name}.${part}`])
          expect(relativeError(floats(found[part]), floats(arrays[`${name}.${part}`]))).toBeLessThan(
            TOLERANCE,
          );
    });
  });

  describe('the dual path', () => {
    it('levels, projected and raw, clean and aliased', async () => {
      const found = await see('tiny12', (tower, tokens) => ({
        ...Object.fromEntries(
          dualLevels(tower, tokens).flatMap((level, j) => [
            [`Z${j + 1}`, level.tokens],
            [`V${j + 1}`, level.values],
            [`V${j + 1}.projected`, level.projectedValues],
            [`cls${j + 1}.projected`, level.projectedClass],
          ]),
        ),
        ...Object.fromEntries(
          dualLevels(tower, tokens, { aliased: true })
            .slice(0, 3)
            .map((level, j) => [`Z${j + 1}.aliased`, level.tokens]),
        ),
      }));
      const arrays = Object.entries(await all()).filter(
        ([name]) => name.startsWith('dual.') && !name.includes('accumulated'),
      );
      expect(Object.keys(found).length).toBe(arrays.length);
      for (const [name, expected] of arrays)
        expect(relativeError(floats(found[name.slice('dual.'.length)]), floats(expected)), name).toBeLessThan(
          TOLERANCE,
        );
    });

    it("PromptAD's sum over all blocks is made of the same parts", async () => {
      const found = await see('tiny12', (tower, tokens) => {
        let sum = tokens[0];
        const outputs: Record<string, Value> = {};
        for (let block = 1; block <= 12; block++) {
          const value = tower.trunk.valueAttention(tokens[block - 1], block);
          outputs[`value${block}`] = value;
          outputs[`sum${block}`] = sum = add(sum, value);
        }
        return { ...outputs, projected: tower.projectPatches(accumulatedValues(tower, tokens)) };
      });
      for (let block = 1; block <= 12; block++) {
        const { vv_of_block, accumulated_after_block } = golden.dual;
        expect(digestError(floats(found[`value${block}`]), vv_of_block[block - 1])).toBeLessThan(TOLERANCE);
        expect(digestError(floats(found[`sum${block}`]), accumulated_after_block[block - 1])).toBeLessThan(
          TOLERANCE,
        );
      }
      const expected = (await all())['dual.accumulated.projected'];
      expect(relativeError(floats(found.projected), floats(expected))).toBeLessThan(TOLERANCE);
    });
  });

  it("WinCLIP's windows", async () => {
    const found = await see('tiny-gelu', (tower, _, placed) => {
      const scales = WINDOW_SIDES.map((side) => windowEmbeddings(tower, placed, [4, 4], side));
      return { windows: concat(scales, 1) };
    });
    const expected = (await all())['tiny-gelu.window_embeddings'];
    expect(found.windows.shape).toEqual(expected.shape);
    expect(relativeError(floats(found.windows), floats(expected))).toBeLessThan(TOLERANCE);
  });

  it.each([7, 20])('positions on a grid of %i', async (side) => {
    const tensors = await goldenTensors('image.safetensors');
    const { data: source } = tensors['posembed.source'];
    const [width, grid] = [6, 15];
    const rows = (map: ArrayLike<number>, cells: number) =>
      Array.from({ length: cells * width }, (_, i) => map[(i % width) * cells + Math.floor(i / width)]);
    const graph = new GraphBuilder();
    const config = { ...configOf(golden.towers['tiny-gelu']), imageSide: grid, patch: 1 };
    const own: Record<string, TensorData> = {
      'visual.conv1.weight': floatTensor([width, 3, 1, 1], new Float32Array(width * 3)),
      'visual.class_embedding': floatTensor([width], [1, 2, 3, 4, 5, 6]),
      'visual.positional_embedding': floatTensor(
        [1 + grid * grid, width],
        [6, 5, 4, 3, 2, 1, ...rows(source as Float32Array, grid * grid)],
      ),
    };
    const layers = new FrozenLayers(graph, new FrozenWeights(new Map(Object.entries(own))), 0);
    const tower = new VisionTower(layers, { ...config, vision: { ...config.vision, width } });
    graph.output('placed', tower.place(graph.input('image', [1, 3, side, side])));
    const image = floatTensor([1, 3, side, side], new Float32Array(3 * side * side));
    const placed = floats((await run(graph, { image })).placed);
    expect([...placed.subarray(0, width)]).toEqual([7, 7, 7, 7, 7, 7]);
    const expected = rows(floats(tensors[`posembed.bicubic_antialias.${side}`]), side * side);
    expect(relativeError(placed.subarray(width), expected)).toBeLessThan(1e-5);
  });
});
