/** The CLIPs of the golden files: `clip.json` says how they are made, their tensors are computed from their names. */
import type { TensorData } from '../../../src/base/tensor';
import type { GraphBuilder } from '../../../src/graph/builder';
import { stagesOf } from '../../../src/nn/clip/config';
import type { ClipConfig } from '../../../src/nn/clip/config';
import { clipTensors } from '../../../src/nn/clip/recognise';
import { FrozenWeights } from '../../../src/nn/frozen-weights';
import { FrozenLayers } from '../../../src/nn/layers';
import type { Digest } from '../../support/golden';
import { weight } from '../../support/procedural';

/** A tower as `clip.json` describes it. */
export interface GoldenTower {
  readonly embed_dim: number;
  readonly vision: {
    readonly layers: number;
    readonly width: number;
    readonly head_width: number;
    readonly patch_size: number;
    readonly image_size: number;
  };
  readonly text: {
    readonly context_length: number;
    readonly vocab_size: number;
    readonly width: number;
    readonly heads: number;
    readonly layers: number;
  };
  readonly quick_gelu: boolean;
  readonly parameters: number;
  readonly images: number;
  readonly image_embedding_raw: Digest;
  readonly text_embedding_raw: Digest;
  readonly tokens_after_ln_post: Digest;
  readonly tokens_per_block: readonly Digest[];
  readonly logits: readonly (readonly number[])[];
}

export interface GoldenClip {
  readonly ids: readonly (readonly number[])[];
  readonly towers: Readonly<Record<string, GoldenTower>>;
  readonly hugging_face_names: { readonly rows: readonly HuggingFaceRow[] };
  readonly dual: {
    readonly vv_of_block: readonly Digest[];
    readonly accumulated_after_block: readonly Digest[];
  };
}

/** open_clip's name and shape, Hugging Face's name and shape, and how one becomes the other. */
export type HuggingFaceRow = readonly [string, readonly number[], string, readonly number[], string];

export const configOf = ({ embed_dim, vision, text, quick_gelu }: GoldenTower): ClipConfig => ({
  embed: embed_dim,
  input: 'pixels',
  imageSide: vision.image_size,
  patch: vision.patch_size,
  vision: {
    width: vision.width,
    layers: vision.layers,
    heads: vision.width / vision.head_width,
    mlp: 4 * vision.width,
  },
  text: {
    width: text.width,
    layers: text.layers,
    heads: text.heads,
    mlp: 4 * text.width,
    context: text.context_length,
    vocabulary: text.vocab_size,
  },
  activation: quick_gelu ? 'quickGelu' : 'gelu',
  stages: stagesOf(vision.layers),
});

/** Frozen layers over procedural tensors of the names that `wanted` takes. */
export function proceduralLayers(
  graph: GraphBuilder,
  config: ClipConfig,
  wanted: (name: string) => boolean = () => true,
): FrozenLayers {
  const tensors = new Map<string, TensorData>();
  for (const [name, shape] of clipTensors(config)) if (wanted(name)) tensors.set(name, weight(name, shape));
  return new FrozenLayers(graph, new FrozenWeights(tensors), 0);
}

export const isVision = (name: string): boolean => name.startsWith('visual.');
