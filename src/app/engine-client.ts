import { proxy, releaseProxy, transfer, wrap } from 'comlink';
import type { Remote } from 'comlink';
import { AppError } from '../base/errors';
import type { ImageId, JobId } from '../base/ids';
import type {
  ClassFitRequest,
  ClassFitSummary,
  Classification,
  ClassifyRequest,
} from '../protocol/classes-api';
import { aliveLock } from '../protocol/engine-api';
import type {
  AskRequest,
  AskResult,
  EngineApi,
  EngineReport,
  FitRequest,
  FitSummary,
  InspectRequest,
  Inspection,
  InspectionFailure,
  JobProgress,
} from '../protocol/engine-api';
import { unwrap } from '../protocol/outcome';
import type { Outcome } from '../protocol/outcome';
import type { PixelsApi } from '../protocol/pixels-api';

/** A worker that says nothing for this long while it works is taken for hung: longer than any one run. */
const SILENCE_MS = 180_000;
/** How often a job is taken up again after its worker died; a job that kills every worker is at fault itself. */
const MOST_REVIVALS = 3;
const MOST_PIXEL_WORKERS = 3;

type ProviderWish = 'auto' | 'webgpu' | 'wasm';

/** A job that reports image by image. */
interface ImageJob {
  readonly jobId: JobId;
  readonly images: readonly { readonly id: ImageId }[];
}

interface OfImage {
  readonly imageId: ImageId;
}

/** The workers of one generation: they live and die together. */
interface Crew {
  readonly engine: Remote<EngineApi>;
  readonly pixels: readonly Remote<PixelsApi>[];
  readonly report: EngineReport;
  /** Rejects when a worker ends. */
  readonly death: Promise<never>;
  /** Ends the generation. */
  readonly end: (reason: string) => void;
}

let names = 0;

/**
 * The page's side of the workers: starts them, talks to them, notices when one ends (however it ends) and starts
 * others. A job whose worker died goes on with the new one: a fit from its checkpoint, an inspection with the images
 * that are left.
 */
export class EngineClient {
  #crew: Promise<Crew>;
  #turn = 0;
  #closed = false;

  /** @param onOpen told of the first crew and of every one after a death */
  constructor(
    private readonly wish: ProviderWish,
    private readonly onOpen: (report: EngineReport, restarts: number) => void,
  ) {
    this.#crew = this.#open(0);
  }

  /** Resolves when the engine runs. @throws gpu/none, internal */
  async ready(): Promise<EngineReport> {
    return (await this.#crew).report;
  }

  /** A call of the engine; repeated on a new worker when the one it went to died. */
  engine<T>(call: (engine: Remote<EngineApi>) => Promise<Outcome<T>>): Promise<T> {
    return this.#withRevival(async ({ engine, death }) => unwrap(await Promise.race([call(engine), death])));
  }

  /** A call of the next pixels worker in turn. */
  pixels<T>(call: (pixels: Remote<PixelsApi>) => Promise<Outcome<T>>): Promise<T> {
    return this.#withRevival(async ({ pixels, death }) => {
      const worker = pixels[this.#turn++ % pixels.length];
      return unwrap(await Promise.race([call(worker), death]));
    });
  }

  /**
   * SHA-256 of a file's bytes, hexadecimal; of a large file part by part.
   * @throws cancelled after `signal`
   */
  hash(blob: Blob, report: (doneBytes: number) => void, signal: AbortSignal): Promise<string> {
    const goOn = (doneBytes: number) => {
      report(doneBytes);
      return !signal.aborted;
    };
    return this.pixels((pixels) => pixels.hash(blob, proxy(goOn)));
  }

  get pixelWorkers(): number {
    return pixelWorkerCount();
  }

  /** @throws cancelled after `signal`, fit/… */
  fit(
    request: FitRequest,
    report: (progress: JobProgress) => void,
    signal: AbortSignal,
  ): Promise<FitSummary> {
    return this.#job(request.jobId, signal, (crew, alive) =>
      crew.engine.fit(
        request,
        proxy((progress) => {
          alive();
          report(progress);
        }),
      ),
    );
  }

  /** @throws cancelled after `signal`, store/missing */
  inspect(
    request: InspectRequest,
    report: (result: Inspection | InspectionFailure) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#perImage(request, signal, (crew, rest, took) =>
      crew.engine.inspect(
        rest,
        proxy((result) => {
          took([result]);
          report(result);
        }),
      ),
    );
  }

  /** @throws cancelled after `signal`, fit/… */
  fitClasses(
    request: ClassFitRequest,
    report: (progress: JobProgress) => void,
    signal: AbortSignal,
  ): Promise<ClassFitSummary> {
    return this.#job(request.jobId, signal, (crew, alive) =>
      crew.engine.fitClasses(
        request,
        proxy((progress) => {
          alive();
          report(progress);
        }),
      ),
    );
  }

  /** @throws cancelled after `signal`, store/missing */
  classify(
    request: ClassifyRequest,
    report: (result: Classification | InspectionFailure) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#perImage(request, signal, (crew, rest, took) =>
      crew.engine.classify(
        rest,
        proxy((result) => {
          took([result]);
          report(result);
        }),
      ),
    );
  }

  /** @throws cancelled after `signal`, text/prompt, model/… */
  ask(
    request: AskRequest,
    report: (results: readonly AskResult[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#perImage(request, signal, (crew, rest, took) =>
      crew.engine.ask(
        rest,
        proxy((results) => {
          took(results);
          report(results);
        }),
      ),
    );
  }

  /** Ends the workers for good. */
  async close(): Promise<void> {
    this.#closed = true;
    (await this.#crew).end('the page is closing');
  }

  async #job<T>(
    jobId: JobId,
    signal: AbortSignal,
    call: (crew: Crew, alive: () => void) => Promise<Outcome<T>>,
  ): Promise<T> {
    return this.#withRevival(async (crew) => {
      if (signal.aborted) throw new AppError('cancelled', 'cancelled');
      const cancel = () => void crew.engine.cancel(jobId);
      signal.addEventListener('abort', cancel);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(() => crew.end('it did not answer for three minutes'), SILENCE_MS);
      };
      alive();
      try {
        return unwrap(await Promise.race([call(crew, alive), crew.death]));
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', cancel);
      }
    });
  }

  /** A job over images: after a worker's death it goes on with those that gave no result yet. */
  #perImage<R extends ImageJob>(
    request: R,
    signal: AbortSignal,
    call: (crew: Crew, rest: R, took: (results: readonly OfImage[]) => void) => Promise<Outcome<void>>,
  ): Promise<void> {
    const done = new Set<ImageId>();
    return this.#job(request.jobId, signal, (crew, alive) => {
      const rest = { ...request, images: request.images.filter(({ id }) => !done.has(id)) };
      return call(crew, rest, (results) => {
        alive();
        for (const { imageId } of results) done.add(imageId);
      });
    });
  }

  async #withRevival<T>(work: (crew: Crew) => Promise<T>): Promise<T> {
    for (let revivals = 0; ; revivals++) {
      const crew = await this.#crew;
      try {
        return await work(crew);
      } catch (error) {
        const died = error instanceof AppError && error.code === 'worker/dead';
        if (!died || this.#closed || revivals === MOST_REVIVALS) throw error;
      }
    }
  }

  async #open(restarts: number): Promise<Crew> {
    const crew = await startCrew(this.wish);
    crew.death.catch(() => {
      if (!this.#closed) this.#crew = this.#open(restarts + 1);
    });
    this.onOpen(crew.report, restarts);
    return crew;
  }
}

const pixelWorkerCount = (): number =>
  Math.max(1, Math.min(MOST_PIXEL_WORKERS, navigator.hardwareConcurrency - 1));

async function startCrew(wish: ProviderWish): Promise<Crew> {
  const workers: Worker[] = [];
  const proxies: { [releaseProxy](): void }[] = [];
  let end: Crew['end'] = () => undefined;
  const death = new Promise<never>((_, reject) => {
    end = (reason) => {
      for (const worker of workers) worker.terminate();
      for (const remote of proxies.splice(0)) remote[releaseProxy]();
      reject(
        new AppError('worker/dead', `a worker ended: ${reason}`, {
          hint: 'The work goes on with a new one. If it happens again, use smaller images or fewer of them.',
        }),
      );
    };
  });
  // Whoever waits for a call sees the rejection; with nobody waiting it is no error.
  death.catch(() => undefined);
  const start = <T>(make: (name: string) => Worker): Remote<T> => {
    const name = `${Date.now()}.${names++}`;
    const worker = make(name);
    workers.push(worker);
    worker.addEventListener('error', ({ message }) => end(message || 'it could not be started'));
    const remote = wrap<T>(worker);
    proxies.push(remote);
    return remote;
  };
  const watched: string[] = [];
  const engine = start<EngineApi>((name) => {
    watched.push(name);
    return new Worker(new URL('../../workers/engine.worker.ts', import.meta.url), { type: 'module', name });
  });
  const pixels = Array.from({ length: pixelWorkerCount() }, () =>
    start<PixelsApi>((name) => {
      watched.push(name);
      return new Worker(new URL('../../workers/pixels.worker.ts', import.meta.url), { type: 'module', name });
    }),
  );
  const ports = await Promise.all(
    pixels.map(async (worker) => {
      const { port1, port2 } = new MessageChannel();
      await worker.connect(transfer(port1, [port1]));
      return port2;
    }),
  );
  await engine.connectPixels(transfer(ports, ports));
  const report = unwrap(await Promise.race([engine.open(wish, document.baseURI), death]));
  // Both have answered, so they hold their locks: getting one means that its worker is gone.
  for (const name of watched) void navigator.locks?.request(aliveLock(name), () => end('it stopped'));
  return { engine, pixels, report, death, end };
}
