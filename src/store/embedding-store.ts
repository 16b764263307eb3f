import type { ImageId } from '../base/ids';
import { guarded } from './database';
import type { Database } from './database';

/** Images as encoders see them: a question asked after a reload reads no image anew. */
export class EmbeddingStore {
  constructor(private readonly database: Promise<Database>) {}

  /** @param encoder id of its weights, a dot, its activation */
  get(encoder: string, imageId: ImageId): Promise<Float32Array | undefined> {
    return guarded(async () => (await this.database).get('embeddings', [encoder, imageId]));
  }

  put(encoder: string, imageId: ImageId, embedding: Float32Array): Promise<void> {
    return guarded(async () => {
      await (await this.database).put('embeddings', embedding, [encoder, imageId]);
    });
  }
}
