import type { ClassEstimateRequest } from '../../protocol/classes-api';
import type { MemoryEstimate, MemoryRequest, StepCost } from '../../protocol/engine-api';
import type { EngineClient } from '../engine-client';

/** A fit that is asked about: a detector's, or a classifier's. */
export type CostRequest = MemoryRequest | ClassEstimateRequest;

/** What a fit will take, as far as it is known. */
export interface FitCost {
  readonly memory: MemoryEstimate;
  /** Null for methods without training steps, undefined while it is being measured. */
  readonly training?: StepCost | null;
  /** How often it trains; once when left out. */
  readonly rounds?: number;
  /** Milliseconds until features are there of all images, in all pictures that are made of them. */
  readonly featuresMs?: number;
}

/** Time and memory of fits before they start: memory by the method's own account, time from steps measured here. */
export class Costs {
  /** By the request as text: the same question is not asked twice. */
  readonly #known = new Map<string, FitCost>();

  constructor(private readonly client: Pick<EngineClient, 'engine'>) {}

  /** Calls back with memory first, then with times as they are measured. @throws fit/option, fit/backbone */
  async ask(request: CostRequest, wanted: () => boolean, tell: (cost: FitCost) => void): Promise<void> {
    const key = JSON.stringify(request);
    const known = this.#known.get(key);
    if (known) return tell(known);
    const memory = await this.client.engine((engine) =>
      'classes' in request ? engine.estimateClasses(request) : engine.estimate(request),
    );
    if (!wanted()) return;
    tell({ memory });
    const times =
      'classes' in request ? await this.#ofClasses(request) : await this.#ofDetector(request, wanted);
    if (!times) return;
    const cost: FitCost = { memory, ...times };
    this.#known.set(key, cost);
    if (wanted()) tell(cost);
  }

  async #ofDetector(request: MemoryRequest, wanted: () => boolean) {
    const featuresMs = await this.client.engine((engine) => engine.measureFeatures(request));
    if (!wanted()) return undefined;
    const training = await this.client.engine((engine) => engine.measureTraining(request));
    return { training, featuresMs };
  }

  async #ofClasses(request: ClassEstimateRequest) {
    const { training, rounds, passes, backboneMs } = await this.client.engine((engine) =>
      engine.measureClasses(request),
    );
    return { training, rounds, featuresMs: passes * backboneMs * request.images };
  }
}

/** Milliseconds of a fit: features of every image first, then every step. */
export function fitMs({ training, featuresMs = 0, rounds = 1 }: FitCost): number | undefined {
  if (training === undefined) return undefined;
  return featuresMs + (training ? rounds * training.iterationMs * training.iterations : 0);
}
