import { AppError } from '../base/errors';
import type { BackboneId } from '../base/ids';
import type { Shape, TensorData } from '../base/tensor';
import { LEVEL_ROLES, expectedTensors, layerOf } from '../nn/backbones/backbone';
import type { Backbone } from '../nn/backbones/backbone';
import { recogniseBackbone } from '../nn/backbones/recognise';
import { FAMILIAR, clipBackbone } from '../nn/clip/clip-backbone';
import type { Activation } from '../nn/clip/config';
import { readClip, recogniseClip } from '../nn/clip/recognise';
import type { RecognisedClip } from '../nn/clip/recognise';
import { FrozenWeights } from '../nn/frozen-weights';
import type { BackboneDescription } from '../protocol/engine-api';
import { VOCABULARY } from '../text/tokenizer';
import type { ByteSource } from '../weights/byte-source';
import { Safetensors } from '../weights/safetensors';

/** A backbone with its weights in memory. */
export interface LoadedBackbone {
  readonly backbone: Backbone;
  readonly weights: FrozenWeights;
}

/** What is said of weights before they are stored under an id. */
export type Description = Omit<BackboneDescription, 'id'>;

/** Of a backbone that ships with the app: its file tells everything. */
export const describeBackbone = (
  id: BackboneId,
  { title, architecture, sides, levels }: Backbone,
): BackboneDescription => ({
  id,
  title,
  architecture,
  sides,
  ...(levels.tokens1 && { clip: { activation: 'gelu' } }),
});

/** Shapes of a file's tensors by their names. */
export const shapesOf = ({ tensors }: Safetensors): ReadonlyMap<string, Shape> =>
  new Map([...tensors].map(([name, { shape }]) => [name, shape]));

/** What a weights file holds, from its header alone. @throws model/… */
export async function identify(source: ByteSource): Promise<Description> {
  const file = await Safetensors.open(source);
  const shapes = shapesOf(file);
  const clip = recogniseClip(shapes);
  if (clip) return describeClip(clip, shapes.has(`${clip.prefix}token_ids`));
  const { title, architecture, sides } = recogniseBackbone(shapes, file.metadata.architecture).backbone;
  return { title, architecture, sides };
}

/** @param ownVocabulary whether the file says which of CLIP's tokens its table has */
function describeClip({ shape, activation }: RecognisedClip, ownVocabulary: boolean): Description {
  // Either activation has the same title and sides.
  const { title, architecture, sides } = clipBackbone({ ...shape, activation: 'gelu' });
  const { vocabulary } = shape.text;
  if (!ownVocabulary && vocabulary !== VOCABULARY)
    throw new AppError(
      'model/keys',
      `${title} with a table of ${vocabulary} tokens; CLIP's tokenizer has ${VOCABULARY}`,
      { hint: 'Use a CLIP with the vocabulary of the first one; multilingual ones have another.' },
    );
  return { title, architecture, sides, clip: { activation } };
}

/** What a CLIP's vision tower needs beside its file. */
interface ClipParts {
  readonly activation: Activation;
  /** EfficientNet-Lite0, which the SEM encoder stands on. */
  readonly stem: () => Promise<LoadedBackbone>;
}

/**
 * Opens a weights file: recognises it and reads the tensors that tapped layers need; of a CLIP its vision tower. A file
 * without the layers behind the last level, as features alone are published, has no pooled vector to tap.
 * @param clip without it no CLIP is opened
 * @throws model/…
 */
export async function loadBackbone(source: ByteSource, clip?: ClipParts): Promise<LoadedBackbone> {
  const file = await Safetensors.open(source);
  const recognised = clip && recogniseClip(shapesOf(file));
  if (recognised) return loadVisionTower(file, recognised, clip);
  const { backbone, prefix } = recogniseBackbone(shapesOf(file), file.metadata.architecture);
  const roles = [...LEVEL_ROLES, 'pooled'] as const;
  const layers = roles.map((role) => layerOf(backbone, role));
  const tensors = new Map<string, TensorData>();
  for (const name of expectedTensors(backbone, layers).keys())
    if (file.tensors.has(prefix + name)) tensors.set(name, await file.read(prefix + name));
  return { backbone, weights: new FrozenWeights(tensors) };
}

async function loadVisionTower(
  file: Safetensors,
  recognised: RecognisedClip,
  { activation, stem }: ClipParts,
): Promise<LoadedBackbone> {
  const beside = Object.values(FAMILIAR);
  const stored = (name: string) => recognised.prefix + name;
  const knowing = beside.every((name) => file.tensors.has(stored(name)));
  const backbone = clipBackbone({ ...recognised.shape, activation }, knowing);
  // The class tokens run every block and both ends of the tower.
  const shapes = expectedTensors(backbone, ['classes', ...(knowing ? ['strangeness'] : [])]);
  const own = [...shapes.keys()].filter((name) => name.startsWith('visual.'));
  const tensors = new Map(await readClip(recognised, (name) => file.read(name), own));
  if (knowing) for (const name of beside) tensors.set(name, await file.read(stored(name)));
  if (recognised.shape.input === 'stem') {
    const { weights } = await stem();
    for (const [name, shape] of shapes) if (!tensors.has(name)) tensors.set(name, weights.get(name, shape));
  }
  return { backbone, weights: new FrozenWeights(tensors) };
}
