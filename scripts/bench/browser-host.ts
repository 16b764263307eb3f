import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { createServer } from 'vite';
import type { ViteDevServer } from 'vite';
import { AppError } from '../../src/base/errors';
import type { FitSpec, FitSummary, StepCost } from '../../src/protocol/engine-api';
import { encodeSafetensors } from '../../src/weights/safetensors';
import type { MethodState } from '../../src/methods/contract';
import { CHROMIUM_FLAGS } from '../../tests/support/chromium';
import type { BenchImage } from './dataset';
import type { BenchHost, HostResult } from './host';
import type { BenchPage, PageImage } from './page';

/** What page and bench hand each other over HTTP: image files and states in, maps out. */
class Exchange {
  readonly files = new Map<string, string>();
  readonly states = new Map<string, Uint8Array>();
  readonly maps = new Map<string, Float32Array>();

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://localhost');
    const id = url.searchParams.get('id')!;
    if (request.method !== 'POST') {
      response.end(url.pathname.endsWith('state') ? this.states.get(id) : readFileSync(this.files.get(id)!));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.maps.set(id, new Float32Array(new Uint8Array(Buffer.concat(chunks)).buffer));
    response.end();
  }
}

/** The engine in a headless Chromium's workers, on WebAssembly or WebGPU (a software adapter where there is no GPU). */
export class BrowserHost implements BenchHost {
  private constructor(
    readonly provider: 'wasm' | 'webgpu',
    private readonly browser: Browser,
    private readonly page: Page,
    private readonly server: ViteDevServer,
    private readonly exchange: Exchange,
  ) {}

  static async open(provider: 'wasm' | 'webgpu'): Promise<BrowserHost> {
    const exchange = new Exchange();
    const server = await createServer({
      logLevel: 'error',
      // A file that is edited meanwhile may not reload the page.
      server: { host: '127.0.0.1', port: 4190, watch: null, hmr: false },
      plugins: [
        {
          name: 'bench-exchange',
          configureServer: ({ middlewares }) => {
            middlewares.use('/bench/', (request, response) => void exchange.answer(request, response));
          },
        },
      ],
    });
    await server.listen();
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    const browser = await chromium
      .launch({ executablePath, args: CHROMIUM_FLAGS })
      .catch((cause: unknown) => {
        throw new AppError(
          'usage',
          `--provider ${provider} needs Chromium; none starts from ${executablePath}`,
          {
            hint: 'Install it, or name one in the variable CHROMIUM.',
            cause,
          },
        );
      });
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    const host = new BrowserHost(provider, browser, page, server, exchange);
    await page.goto(`${server.resolvedUrls!.local[0]}scripts/bench/page.html?provider=${provider}`);
    await page.waitForFunction(() => 'bench' in window);
    console.error(await host.#call('provider'));
    return host;
  }

  usualSide(): Promise<number> {
    throw new AppError('usage', 'support sets are drawn and fitted in this process: --provider cpu');
  }

  async fit(spec: FitSpec, good: readonly BenchImage[]): Promise<FitSummary> {
    return this.#call('fit', spec, this.#offer(good));
  }

  /** Uses a state fitted elsewhere, so that providers can be compared map by map. */
  async putState(spec: FitSpec, state: MethodState): Promise<void> {
    this.exchange.states.set(spec.fitId, encodeSafetensors(state));
    await this.#call('putState', spec);
  }

  async inspect(spec: FitSpec, images: readonly BenchImage[]) {
    const { scores, durationMs } = await this.#call('inspect', spec, this.#offer(images));
    const results = images.map(({ id }, i): HostResult => ({
      score: scores[i],
      map: this.exchange.maps.get(id)!,
    }));
    this.exchange.maps.clear();
    return { results, durationMs };
  }

  async measure(spec: FitSpec): Promise<number> {
    const { backboneId } = spec;
    if (!backboneId.startsWith('builtin:') && !this.exchange.files.has(backboneId)) {
      this.exchange.files.set(backboneId, backboneId);
      await this.#call('putBackbone', backboneId);
    }
    return this.#call('measure', spec);
  }

  async forget(spec: FitSpec): Promise<void> {
    this.exchange.states.delete(spec.fitId);
    await this.#call('forget', spec);
  }

  measureTraining(spec: FitSpec, goodImages: number): Promise<StepCost | null> {
    return this.#call('measureTraining', spec, goodImages);
  }

  meanImage(): Promise<HostResult[]> {
    throw new AppError('usage', 'mean-image runs in this process: --provider cpu');
  }

  async close() {
    await this.browser.close();
    await this.server.close();
  }

  #offer(images: readonly BenchImage[]): PageImage[] {
    for (const { id, file } of images) this.exchange.files.set(id, file);
    return images.map(({ id, path }) => ({ id, path }));
  }

  #call<K extends keyof BenchPage>(
    name: K,
    ...parameters: Parameters<BenchPage[K]>
  ): Promise<Awaited<ReturnType<BenchPage[K]>>> {
    return this.page.evaluate(
      ([method, args]) => {
        const { bench } = window as unknown as { bench: Record<string, (...given: unknown[]) => unknown> };
        return bench[method](...args);
      },
      [name as string, parameters as unknown[]] as const,
    ) as Promise<Awaited<ReturnType<BenchPage[K]>>>;
  }
}
