import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../../src/base/tensor';
import type { Shape } from '../../../src/base/tensor';
import { stagesOf } from '../../../src/nn/clip/config';
import type { ClipShape } from '../../../src/nn/clip/config';
import { shapesInFile } from '../../../src/nn/clip/names';
import { clipTensors, recogniseClip } from '../../../src/nn/clip/recognise';

const trunk = (width: number, layers: number) => ({ width, layers, heads: width / 64, mlp: 4 * width });

const clip = (
  embed: number,
  [imageSide, patch]: readonly [number, number],
  vision: readonly [number, number],
  text: readonly [number, number],
): ClipShape => ({
  embed,
  input: 'pixels',
  imageSide,
  patch,
  vision: trunk(...vision),
  text: { ...trunk(...text), context: 77, vocabulary: 49408 },
  stages: stagesOf(vision[1]),
});

/** @source methods.md 22.1 */
const PUBLISHED: readonly (readonly [string, ClipShape, number])[] = [
  ['CLIP ViT-B+/16, 240 px', clip(640, [240, 16], [896, 12], [640, 12]), 208_377_345],
  ['CLIP ViT-B/16, 224 px', clip(512, [224, 16], [768, 12], [512, 12]), 149_620_737],
  ['CLIP ViT-B/32, 224 px', clip(512, [224, 32], [768, 12], [512, 12]), 151_277_313],
  ['CLIP ViT-L/14, 224 px', clip(768, [224, 14], [1024, 24], [768, 12]), 427_616_513],
  ['CLIP ViT-L/14, 336 px', clip(768, [336, 14], [1024, 24], [768, 12]), 427_944_193],
  ['CLIP ViT-256/16, 224 px', clip(512, [224, 16], [256, 10], [256, 3]), 23_446_017],
];
const [[, PLUS], , , , , [, TINY]] = PUBLISHED;

const prefixed = (shapes: Iterable<readonly [string, Shape]>, prefix: string): Map<string, Shape> =>
  new Map([...shapes].map(([name, shape]) => [prefix + name, shape]));

const inFile = (naming: 'open_clip' | 'hugging-face', shape: ClipShape): Map<string, Shape> =>
  new Map(shapesInFile(naming, clipTensors(shape)));

it('levels end after blocks 3, 6, 9, 12 of twelve, 3, 5, 8, 10 of ten, and quarters of others', () => {
  expect(stagesOf(12)).toEqual([3, 6, 9, 12]);
  expect(stagesOf(10)).toEqual([3, 5, 8, 10]);
  expect(stagesOf(24)).toEqual([6, 12, 18, 24]);
  expect(stagesOf(4)).toEqual([1, 2, 3, 4]);
});

describe('published models', () => {
  it.each(PUBLISHED)('%s', (title, shape, parameters) => {
    expect([...clipTensors(shape).values()].reduce((sum, own) => sum + sizeOf(own), 0)).toBe(parameters);
    for (const naming of ['open_clip', 'hugging-face'] as const)
      for (const prefix of ['', 'module.', 'state_dict.'])
        expect(recogniseClip(prefixed(inFile(naming, shape), prefix))).toEqual({
          title,
          shape,
          activation: 'ask',
          naming,
          prefix,
        });
  });

  it('with heads of another width, where it is said', () => {
    const shapes = inFile('open_clip', TINY);
    expect(recogniseClip(shapes, 32)?.shape).toEqual({
      ...TINY,
      vision: { ...TINY.vision, heads: 8 },
      text: { ...TINY.text, heads: 8 },
    });
  });

  it('with the wider heads and MLPs of the largest', () => {
    const giant: ClipShape = {
      ...clip(1024, [224, 14], [1408, 40], [1024, 24]),
      vision: { width: 1408, layers: 40, heads: 16, mlp: 6144 },
    };
    expect(recogniseClip(inFile('open_clip', giant))?.shape).toEqual(giant);
  });

  it('beside buffers that other programs leave', () => {
    const openClip = inFile('open_clip', TINY)
      .set('attn_mask', [77, 77])
      .set('input_resolution', [])
      .set('context_length', [])
      .set('vocab_size', []);
    expect(recogniseClip(openClip)?.naming).toBe('open_clip');
    const huggingFace = inFile('hugging-face', TINY)
      .set('vision_model.embeddings.position_ids', [1, 197])
      .set('text_model.embeddings.position_ids', [1, 77]);
    expect(recogniseClip(prefixed(huggingFace, 'module.'))?.naming).toBe('hugging-face');
  });
});

describe('files that are nothing like one', () => {
  it.each<[string, [string, Shape][]]>([
    ['no tensors', []],
    ['a timm ViT', [['blocks.0.norm1.weight', [768]]]],
    [
      "a CLIP's ResNet",
      [
        ['visual.conv1.weight', [32, 3, 3, 3]],
        ['visual.layer1.0.conv1.weight', [64, 64, 1, 1]],
        ['transformer.resblocks.0.ln_1.weight', [512]],
      ],
    ],
  ])('%s', (_, shapes) => expect(recogniseClip(new Map(shapes))).toBeUndefined());
});

describe('a near miss tells what differs', () => {
  const near = (message: string) =>
    expect.objectContaining({
      code: 'model/keys',
      message: `this is nearly ${message}`,
      hint: 'Use the file as open_clip or Hugging Face publish it.',
    }) as Error;

  type Change = (shapes: Map<string, Shape>) => unknown;
  it.each<[string, Change, string]>([
    [
      'one missing',
      (shapes) => shapes.delete('visual.transformer.resblocks.4.mlp.c_proj.bias'),
      'CLIP ViT-B+/16, 240 px: it lacks visual.transformer.resblocks.4.mlp.c_proj.bias',
    ],
    [
      'a block missing between others',
      (shapes) =>
        [...shapes.keys()].forEach(
          (name) => name.startsWith('transformer.resblocks.7.') && shapes.delete(name),
        ),
      'CLIP ViT-B+/16, 240 px: it lacks transformer.resblocks.7.ln_1.weight; transformer.resblocks.7.ln_1.bias; ' +
        'transformer.resblocks.7.attn.in_proj_weight and 9 more',
    ],
    [
      'the text tower missing',
      (shapes) => [...shapes.keys()].forEach((name) => name.startsWith('visual.') || shapes.delete(name)),
      'a CLIP: it lacks positional_embedding',
    ],
    [
      'a convolution with a bias',
      (shapes) => shapes.set('visual.conv1.bias', [896]),
      'CLIP ViT-B+/16, 240 px: it has also visual.conv1.bias',
    ],
    [
      'grey input',
      (shapes) => shapes.set('visual.conv1.weight', [896, 1, 16, 16]),
      'CLIP ViT-B+/16, 240 px: misshapen: visual.conv1.weight is [896,1,16,16], expected [896,3,16,16]',
    ],
    [
      'a flat convolution',
      (shapes) => shapes.set('visual.conv1.weight', [896, 768]),
      'a CLIP: misshapen: visual.conv1.weight is [896,768], expected 4 axes',
    ],
    [
      'positions on no square',
      (shapes) => shapes.set('visual.positional_embedding', [211, 896]),
      'a CLIP: misshapen: visual.positional_embedding is [211,896], expected a square grid and one row',
    ],
    [
      'a width that heads of 64 do not fill',
      (shapes) => shapes.set('visual.conv1.weight', [900, 3, 16, 16]),
      'a CLIP: a tower is 900 wide, no multiple of heads of 64',
    ],
  ])('%s', (_, change, message) => {
    const shapes = inFile('open_clip', PLUS);
    change(shapes);
    expect(() => recogniseClip(shapes)).toThrow(near(message));
  });

  it("in the file's own names", () => {
    const shapes = inFile('hugging-face', PLUS);
    shapes.delete('text_model.encoder.layers.3.self_attn.k_proj.bias');
    shapes.set('visual_projection.weight', [896, 640]);
    expect(() => recogniseClip(prefixed(shapes, 'module.'))).toThrow(
      near(
        'CLIP ViT-B+/16, 240 px: it lacks text_model.encoder.layers.3.self_attn.k_proj.bias; ' +
          'misshapen: text_projection.weight is [640,640], expected [896,640]; ' +
          'visual_projection.weight is [896,640], expected [896,896]',
      ),
    );
  });
});
