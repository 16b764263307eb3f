import type { MemoryEstimate, MemoryRequest, StepCost } from '../../protocol/engine-api';
import type { EngineClient } from '../engine-client';

/** What a fit will take, as far as it is known. */
export interface FitCost {
  readonly memory: MemoryEstimate;
  /** Null for methods without training steps, undefined while it is being measured. */
  readonly training?: StepCost | null;
  /** One image through the backbone. */
  readonly backboneMs?: number;
}

/** Time and memory of fits before they start: memory by the method's own account, time from steps measured here. */
export class Costs {
  /** By the request as text: the same question is not asked twice. */
  readonly #known = new Map<string, FitCost>();

  constructor(private readonly client: Pick<EngineClient, 'engine'>) {}

  /** Calls back with memory first, then with times as they are measured. @throws fit/option, fit/backbone */
  async ask(request: MemoryRequest, wanted: () => boolean, tell: (cost: FitCost) => void): Promise<void> {
    const key = JSON.stringify(request);
    const known = this.#known.get(key);
    if (known) return tell(known);
    const memory = await this.client.engine((engine) => engine.estimate(request));
    if (!wanted()) return;
    tell({ memory });
    const backboneMs = await this.client.engine((engine) => engine.measureBackbone(request));
    if (!wanted()) return;
    const training = await this.client.engine((engine) => engine.measureTraining(request));
    const cost: FitCost = { memory, training, backboneMs };
    this.#known.set(key, cost);
    if (wanted()) tell(cost);
  }
}

/** Milliseconds of a fit on some good images: features once, then every step. */
export const fitMs = ({ training, backboneMs = 0 }: FitCost, goodImages: number): number | undefined =>
  training === undefined
    ? undefined
    : backboneMs * goodImages + (training ? training.iterationMs * training.iterations : 0);
