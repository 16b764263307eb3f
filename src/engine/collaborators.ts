import type { BackboneId, FitId } from '../base/ids';
import type { TensorData } from '../base/tensor';
import type { MethodState } from '../methods/contract';
import type { DefectSource, ImageSource } from '../protocol/engine-api';
import type { PixelSpec } from '../protocol/pixels-api';
import type { Runtime } from '../runtime/runtime';
import type { ByteSource } from '../weights/byte-source';

/** A defective image that has a mask. */
export type Masked = DefectSource & { readonly mask: Blob };

/** Pieces of unfinished fits, kept where they outlive the engine. */
export interface CheckpointStore {
  get(fitId: FitId, key: string): Promise<TensorData | undefined>;
  put(fitId: FitId, key: string, piece: TensorData): Promise<void>;
  clear(fitId: FitId): Promise<void>;
}

/** Finished fits' states. */
export interface StateStore {
  get(fitId: FitId): Promise<MethodState | undefined>;
  put(fitId: FitId, state: MethodState): Promise<void>;
}

/** Images and texts as encoders see them, by their hashes; `encoder` stands for weights and their activation. */
export interface EmbeddingStore {
  get(encoder: string, of: string): Promise<Float32Array | undefined>;
  put(encoder: string, of: string, embedding: Float32Array): Promise<void>;
}

/** What encoders of images and texts need. */
export interface EncoderCollaborators {
  /** The bytes of a backbone's weights. @throws model/missing */
  openWeights(id: BackboneId): Promise<ByteSource>;
  /** The merges of CLIP's tokenizer. @throws model/missing, model/hash */
  openMerges(): Promise<string>;
  readonly embeddings: EmbeddingStore;
}

/** What the engine is built on: browser workers, Node's bench and tests hand in their own. */
export interface Collaborators extends EncoderCollaborators {
  /** Opens a runtime; called again after a device was lost. `without` says which kinds failed before. */
  openRuntime(without: ReadonlySet<'webgpu'>): Promise<Runtime>;
  /** Grey plane at side×side, 0 … 1. @throws image/… */
  loadPixels(image: ImageSource, spec: PixelSpec): Promise<Float32Array>;
  /** The mask of a defective image at side×side, 0 or 1. @throws image/…, fit/mask */
  loadMask(defect: Masked, side: number): Promise<Uint8Array>;
  readonly checkpoints: CheckpointStore;
  readonly states: StateStore;
}
