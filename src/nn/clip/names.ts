import { assert } from '../../base/errors';
import { floatTensor, floats } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';

/** Whose names the tensors of a file have. */
export type Naming = 'open_clip' | 'hugging-face';

/** Where a file has the values of one of open_clip's tensors. */
interface Stored {
  /** Several are parts of its first axis. */
  readonly names: readonly string[];
  /** Whether rows and columns are exchanged. */
  readonly transposed?: boolean;
}

const OUTSIDE_BLOCKS: readonly (readonly [string, string])[] = [
  ['visual.class_embedding', 'vision_model.embeddings.class_embedding'],
  ['visual.conv1', 'vision_model.embeddings.patch_embedding'],
  ['visual.positional_embedding', 'vision_model.embeddings.position_embedding.weight'],
  // The spelling is theirs.
  ['visual.ln_pre', 'vision_model.pre_layrnorm'],
  ['visual.ln_post', 'vision_model.post_layernorm'],
  ['visual.proj', 'visual_projection.weight'],
  ['token_embedding', 'text_model.embeddings.token_embedding'],
  ['positional_embedding', 'text_model.embeddings.position_embedding.weight'],
  ['ln_final', 'text_model.final_layer_norm'],
  ['text_projection', 'text_projection.weight'],
  ['logit_scale', 'logit_scale'],
];

const TRANSPOSED: ReadonlySet<string> = new Set(['visual.proj', 'text_projection']);

const IN_BLOCKS: readonly (readonly [string, string])[] = [
  ['ln_1', 'layer_norm1'],
  ['ln_2', 'layer_norm2'],
  ['attn.out_proj', 'self_attn.out_proj'],
  ['mlp.c_fc', 'mlp.fc1'],
  ['mlp.c_proj', 'mlp.fc2'],
];

/** A name with its beginning, up to a dot or the end, exchanged. */
function renamed(name: string, table: readonly (readonly [string, string])[]): string {
  const entry = table.find(([from]) => name === from || name.startsWith(`${from}.`));
  assert(entry, `"${name}" is none of open_clip's names`);
  return entry[1] + name.slice(entry[0].length);
}

/** @source methods.md 22.4; transformers, CLIPModel */
function huggingFace(name: string): Stored {
  const [, visual, index, part] = /^(visual\.)?transformer\.resblocks\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (!part) return { names: [renamed(name, OUTSIDE_BLOCKS)], transposed: TRANSPOSED.has(name) };
  const layer = `${visual ? 'vision' : 'text'}_model.encoder.layers.${index}`;
  const joined = /^attn\.in_proj_(weight|bias)$/.exec(part)?.[1];
  if (joined) return { names: ['q', 'k', 'v'].map((head) => `${layer}.self_attn.${head}_proj.${joined}`) };
  return { names: [`${layer}.${renamed(part, IN_BLOCKS)}`] };
}

const stored = (naming: Naming, name: string): Stored =>
  naming === 'open_clip' ? { names: [name] } : huggingFace(name);

/** What a file calls one of open_clip's tensors; of a joined one, its first part. */
export const nameInFile = (naming: Naming, name: string): string => stored(naming, name).names[0];

/** Shape of one of open_clip's tensors by the shapes in a file; joined ones are as high as all their parts. */
export function openClipShape(
  naming: Naming,
  name: string,
  shapes: ReadonlyMap<string, Shape>,
): Shape | undefined {
  const { names, transposed } = stored(naming, name);
  const shape = shapes.get(names[0]);
  return shape && laidOut(shape, transposed, (rows) => rows * names.length);
}

/** Tensors that a file must have for open_clip's. */
export const shapesInFile = (
  naming: Naming,
  shapes: ReadonlyMap<string, Shape>,
): ReadonlyMap<string, Shape> =>
  new Map(
    [...shapes].flatMap(([name, shape]) => {
      const { names, transposed } = stored(naming, name);
      const own = laidOut(shape, transposed, (rows) => rows / names.length);
      return names.map((part): [string, Shape] => [part, own]);
    }),
  );

const laidOut = (shape: Shape, transposed: boolean | undefined, rows: (side: number) => number): Shape =>
  transposed ? [...shape].reverse() : shape.map((side, axis) => (axis ? side : rows(side)));

/**
 * One of open_clip's tensors out of a file: parts joined, transposed ones turned back.
 * @param read a tensor of the file by the name it has there
 */
export async function readAsOpenClip(
  naming: Naming,
  name: string,
  read: (name: string) => Promise<TensorData>,
): Promise<TensorData> {
  const { names, transposed } = stored(naming, name);
  const parts = await Promise.all(names.map(read));
  if (transposed) return turned(parts[0]);
  if (parts.length === 1) return parts[0];
  const { shape, data } = parts[0];
  const joined = new Float32Array(parts.length * data.length);
  parts.forEach((part, i) => joined.set(floats(part), i * data.length));
  return floatTensor([parts.length * shape[0], ...shape.slice(1)], joined);
}

function turned(tensor: TensorData): TensorData {
  const [rows, columns] = tensor.shape;
  const data = floats(tensor);
  const out = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j];
  return floatTensor([columns, rows], out);
}
