/** The bench's end in a browser: the app's own client and workers, driven from Node. */
import { EngineClient } from '../../src/app/engine-client';
import type { BackboneId, JobId } from '../../src/base/ids';
import type { FitSpec, FitSummary, ImageSource, StepCost } from '../../src/protocol/engine-api';
import { BackboneStore } from '../../src/store/backbone-store';
import { openDatabase } from '../../src/store/database';
import { FitStore } from '../../src/store/fit-store';
import { Safetensors } from '../../src/weights/safetensors';
import type { TensorData } from '../../src/base/tensor';

export interface PageImage {
  readonly id: ImageSource['id'];
  readonly path: string;
}

const wish = new URLSearchParams(location.search).get('provider') as 'wasm' | 'webgpu';
const client = new EngineClient(wish, () => undefined);
const store = openDatabase().then((database) => new FitStore(database));

async function toSource({ id, path }: PageImage): Promise<ImageSource> {
  const response = await fetch(`/bench/image?id=${id}`);
  return { id, name: path, blob: await response.blob() };
}

const bench = {
  async provider(): Promise<string> {
    const { provider } = await client.ready();
    return `${provider.kind}: ${provider.detail}`;
  },

  measure: (spec: FitSpec): Promise<number> => client.engine((engine) => engine.measureBackbone(spec)),

  measureTraining: (
    { method, options, backboneId, side }: FitSpec,
    goodImages: number,
  ): Promise<StepCost | null> =>
    client.engine((engine) =>
      engine.measureTraining({ method, options, backboneId, side, goodImages, defectImages: 0 }),
    ),

  async fit(spec: FitSpec, images: readonly PageImage[]): Promise<FitSummary> {
    const good = await Promise.all(images.map(toSource));
    return client.fit(
      { jobId: crypto.randomUUID() as JobId, spec, good, defects: [] },
      () => undefined,
      new AbortController().signal,
    );
  },

  /** Takes a weights file, under the id that specs name it by. */
  async putBackbone(id: BackboneId): Promise<void> {
    const blob = await (await fetch(`/bench/image?id=${id}`)).blob();
    const description = await client.engine((engine) => engine.recognise(blob));
    await new BackboneStore(await openDatabase()).put({
      description: { ...description, id },
      fileName: id,
      blob,
    });
  },

  /** Takes a state that was fitted elsewhere. */
  async putState(spec: FitSpec): Promise<void> {
    const file = await Safetensors.open(await (await fetch(`/bench/state?id=${spec.fitId}`)).blob());
    const state: Record<string, TensorData> = {};
    for (const name of file.tensors.keys()) state[name] = await file.read(name);
    await (await store).putState(spec.fitId, state);
  },

  /** Scores images; maps are posted back one by one. @returns scores in the order of the images, and milliseconds */
  async inspect(
    spec: FitSpec,
    images: readonly PageImage[],
  ): Promise<{ scores: number[]; durationMs: number }> {
    const sources = await Promise.all(images.map(toSource));
    const scores = new Map<string, number>();
    const posted: Promise<unknown>[] = [];
    const start = performance.now();
    await client.inspect(
      { jobId: crypto.randomUUID() as JobId, spec, images: sources },
      (result) => {
        if ('error' in result) throw new Error(result.error.message);
        scores.set(result.imageId, result.score);
        const body = new Uint8Array(result.map.slice().buffer);
        posted.push(fetch(`/bench/map?id=${result.imageId}`, { method: 'POST', body }));
      },
      new AbortController().signal,
    );
    const durationMs = performance.now() - start;
    await Promise.all(posted);
    return { scores: images.map(({ id }) => scores.get(id)!), durationMs };
  },

  forget: (spec: FitSpec): Promise<void> => store.then((open) => open.deleteFit(spec.fitId)),
};

export type BenchPage = typeof bench;
Object.assign(window, { bench });
