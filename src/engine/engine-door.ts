import type { BackboneId, FitId } from '../base/ids';
import type { BackboneDescription, EngineReport } from '../protocol/engine-api';
import { openWebBackend } from '../runtime/web';
import type { ProviderWish } from '../runtime/web';
import { Runtime } from '../runtime/runtime';
import { selfTest } from '../runtime/self-test';
import type { ByteSource } from '../weights/byte-source';
import { parseManifest, verifyBytes } from '../weights/manifest';
import { AppError } from '../base/errors';
import { floatTensor } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import { add } from '../graph/ops/index';
import { clipBackbone } from '../nn/clip/clip-backbone';
import { semEncoderConfig } from '../nn/clip/sem-encoder';
import { Asking } from './asking';
import { describeBackbone } from './backbones';
import type { Collaborators } from './collaborators';
import { Classifying } from './classification';
import { describeClassifiers, describeMethods } from './describe';
import { Engine } from './engine';

const SEM_ENCODER = 'builtin:sem-encoder' as BackboneId;

/** What the worker's door hands in: its lines to other threads and to the store. */
export interface DoorParts extends Omit<Collaborators, 'openRuntime' | 'openWeights' | 'openMerges'> {
  /** Bytes of a backbone that the user brought. */
  droppedWeights(id: BackboneId): Promise<ByteSource | undefined>;
}

/** The first session loads and starts ONNX Runtime itself, a second's work: done before anyone waits for a result. */
async function warmUp(runtime: Runtime): Promise<void> {
  const graph = new GraphBuilder();
  graph.output('y', add(graph.input('x', [1]), 1));
  await (await runtime.compile(graph.build())).run({ x: floatTensor([1], [0]) });
}

/** The engine in a browser: opens providers and weights. */
export class BrowserEngine {
  readonly engine: Engine;
  readonly asking: Asking;
  readonly classifying: Classifying;
  #wish: ProviderWish = 'auto';
  #models: URL | undefined;
  #selfTest: Readonly<Record<string, number>> = {};

  constructor(private readonly parts: DoorParts) {
    const collaborators: Collaborators = {
      ...parts,
      openRuntime: (without) => this.#openRuntime(without.has('webgpu') ? 'wasm' : this.#wish),
      openWeights: (id) => this.#openWeights(id),
      openMerges: async () => new TextDecoder().decode(await this.#builtIn('clip-merges')),
    };
    this.engine = new Engine(collaborators);
    this.asking = new Asking(this.engine, collaborators);
    this.classifying = new Classifying(this.engine, collaborators);
  }

  async open(wish: ProviderWish, page: string): Promise<EngineReport> {
    this.#wish = wish;
    this.#models = new URL('models/', page);
    const runtime = await this.engine.runtime();
    await warmUp(runtime);
    return {
      provider: runtime.report,
      methods: describeMethods(),
      classifiers: describeClassifiers(),
      selfTest: this.#selfTest,
    };
  }

  /** Forgets a fit's cached programs and state, whatever it is of. */
  forget(fitId: FitId): void {
    this.engine.forget(fitId);
    this.classifying.forget(fitId);
  }

  /** The SEM encoder is described without its weights, which wait until they are needed. */
  async describeBackbone(id: BackboneId): Promise<BackboneDescription> {
    if (id === SEM_ENCODER) return describeBackbone(id, clipBackbone(semEncoderConfig(0)));
    return describeBackbone(id, (await this.engine.backbone(id)).backbone);
  }

  /** A device whose numbers are off is not used: WebAssembly computes instead, and says why. */
  async #openRuntime(wish: ProviderWish): Promise<Runtime> {
    const runtime = new Runtime(await openWebBackend(wish));
    if (runtime.report.kind !== 'webgpu') return runtime;
    try {
      this.#selfTest = await selfTest(runtime);
      return runtime;
    } catch (error) {
      if (wish === 'webgpu' || !(error instanceof AppError && error.code === 'gpu/self-test')) throw error;
      await runtime.close();
      const backend = await openWebBackend('wasm');
      return new Runtime({ ...backend, report: { ...backend.report, reason: `${error.message}.` } });
    }
  }

  async #openWeights(id: BackboneId): Promise<ByteSource> {
    const dropped = await this.parts.droppedWeights(id);
    if (dropped) return dropped;
    const [, builtIn] = /^builtin:(.+)$/.exec(id) ?? [];
    if (!builtIn) throw missing(`the backbone ${id} is neither built in nor in the store`);
    return new Blob([await this.#builtIn(builtIn)]);
  }

  /** A file that ships with the app. @throws model/missing, model/hash */
  async #builtIn(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const manifest = await fetch(new URL('manifest.json', this.#models));
    if (!manifest.ok) throw missing('the list of built-in weights is not there');
    const entry = parseManifest(await manifest.text()).find((known) => known.id === id);
    if (!entry) throw missing(`${id} is not among the built-in weights`);
    const response = await fetch(new URL(entry.file, this.#models));
    if (!response.ok) throw missing(`${entry.file} could not be read (${response.status})`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    await verifyBytes(entry, bytes, (data) => crypto.subtle.digest('SHA-256', data));
    return bytes;
  }
}

const missing = (fact: string): AppError =>
  new AppError('model/missing', fact, { hint: 'Reload the page; dropped weights can be dropped again.' });
