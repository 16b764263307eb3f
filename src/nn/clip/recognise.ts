import type { Shape, TensorData } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import { DeclaringLayers } from '../layers';
import { PREFIXES, describeDifference, differenceOf, withoutPrefix } from '../recognition';
import { clipShape, clipTitle, nearClip, patchShape } from './config';
import type { Activation, ClipShape, StateDictShapes } from './config';
import { nameInFile, openClipShape, readAsOpenClip, shapesInFile } from './names';
import type { Naming } from './names';
import { TextTower, clipLogits } from './text';
import { VisionTower } from './vision';

/** Buffers of other programs, and what the SEM encoder's file has beside its towers. */
const BESIDE =
  /(^|\.)(position_ids|attn_mask)$|^(input_resolution|context_length|vocab_size|token_ids|text_vectors|familiar\.(mean|whitening))$/;

/** Which CLIP a weights file holds. */
export interface RecognisedClip {
  readonly title: string;
  readonly shape: ClipShape;
  /** No name or shape tells GELU from QuickGELU: whoever drops a CLIP must be asked. */
  readonly activation: Activation | 'ask';
  readonly naming: Naming;
  /** What stands in front of every name in the file. */
  readonly prefix: string;
}

/** Names and shapes of both towers' tensors and the temperature, by open_clip's names. */
export function clipTensors(shape: ClipShape): ReadonlyMap<string, Shape> {
  const graph = new GraphBuilder();
  const layers = new DeclaringLayers(graph);
  // Either activation has no parameters.
  const config = { ...shape, activation: 'gelu' } as const;
  const vision = new VisionTower(layers, config);
  const [, channels, kernel] = patchShape(shape);
  const side = (shape.imageSide / shape.patch) * kernel;
  const tokens = vision.run(vision.place(graph.placeholder('float32', [1, channels, side, side])));
  const text = new TextTower(layers, config);
  const ids = graph.placeholder('int32', [1, shape.text.context]);
  const texts = text.encode(text.lookUp(ids), graph.placeholder('int32', [1]));
  clipLogits(layers, vision.projectClass(tokens[shape.vision.layers]), texts);
  return layers.shapes;
}

/**
 * The CLIP that a weights file holds, told by names and shapes alone; `undefined` for a file that is nothing like one.
 * @param headWidth width of an attention head where it isn't the published models'
 * @throws model/keys with what differs, in the file's own names
 */
export function recogniseClip(
  shapes: ReadonlyMap<string, Shape>,
  headWidth?: number,
): RecognisedClip | undefined {
  for (const prefix of PREFIXES) {
    const own = withoutPrefix(shapes, prefix);
    for (const naming of ['open_clip', 'hugging-face'] as const)
      if (layersOf(own, naming, 'visual.transformer')) return recognised(own, naming, prefix, headWidth);
  }
  return undefined;
}

function recognised(
  found: ReadonlyMap<string, Shape>,
  naming: Naming,
  prefix: string,
  headWidth?: number,
): RecognisedClip {
  const stateDict: StateDictShapes = {
    of: (name) => openClipShape(naming, name, found),
    called: (name) => nameInFile(naming, name),
    layers: (trunk) => layersOf(found, naming, trunk),
  };
  const shape = clipShape(stateDict, headWidth);
  const title = clipTitle(shape);
  const difference = describeDifference(
    differenceOf(shapesInFile(naming, clipTensors(shape)), found, BESIDE),
  );
  if (difference) throw nearClip(title, difference);
  return { title, shape, activation: shape.input === 'stem' ? 'gelu' : 'ask', naming, prefix };
}

/** Blocks of a trunk up to the last one of which there is a tensor: one that is missing between them is missing. */
function layersOf(
  shapes: ReadonlyMap<string, Shape>,
  naming: Naming,
  trunk: 'visual.transformer' | 'transformer',
): number {
  const [before] = nameInFile(naming, `${trunk}.resblocks.0.ln_1.weight`).split('0.');
  const numbers = [...shapes.keys()]
    .filter((name) => name.startsWith(before))
    .map((name) => Number.parseInt(name.slice(before.length)));
  return 1 + Math.max(-1, ...numbers.filter(Number.isInteger));
}

/**
 * Tensors of a recognised file by open_clip's names.
 * @param read a tensor of the file by the name it has there
 * @param names of those wanted; of all when left out
 */
export async function readClip(
  { shape, naming, prefix }: RecognisedClip,
  read: (name: string) => Promise<TensorData>,
  names: Iterable<string> = clipTensors(shape).keys(),
): Promise<ReadonlyMap<string, TensorData>> {
  const tensors = new Map<string, TensorData>();
  for (const name of names)
    tensors.set(name, await readAsOpenClip(naming, name, (own) => read(prefix + own)));
  return tensors;
}
