import { guarded, put } from './database';
import type { Database } from './database';

/** Images and texts as encoders see them: what is asked or fitted after a reload reads none anew. */
export class EmbeddingStore {
  constructor(private readonly database: Promise<Database>) {}

  /** @param encoder id of its weights, a dot, its activation @param of hash of an image or a text */
  get(encoder: string, of: string): Promise<Float32Array | undefined> {
    return guarded(async () => (await this.database).get('embeddings', [encoder, of]));
  }

  async put(encoder: string, of: string, embedding: Float32Array): Promise<void> {
    const database = await guarded(() => this.database);
    await put(database, 'embeddings', embedding, [encoder, of]);
  }
}
