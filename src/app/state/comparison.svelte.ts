import { SvelteMap } from 'svelte/reactivity';
import type { FitId, ImageId } from '../../base/ids';
import { spearman } from '../../metrics/rank-agreement';
import type { SetFigures } from '../../protocol/pixels-api';
import type { FitStore } from '../../store/fit-store';
import type { FitRecord, ResultRecord } from '../../store/schema';
import type { EngineClient } from '../engine-client';
import { evaluationItems } from './inspections.svelte';
import type { Entry } from './library.svelte';

/** One method's column: its fit, what it found, and its figures where labels are there. */
export interface Compared {
  readonly fit: FitRecord;
  readonly results: ReadonlyMap<ImageId, ResultRecord>;
}

/** Finished fits of a set beside each other. */
export class Comparison {
  columns = $state.raw<readonly Compared[]>([]);
  readonly figures = new SvelteMap<FitId, SetFigures>();
  loading = $state(false);
  #turn = 0;

  constructor(
    private readonly store: FitStore,
    private readonly client: Pick<EngineClient, 'pixels'>,
  ) {}

  /** Reads the stored results of some fits, then computes their figures one by one. */
  async open(fits: readonly FitRecord[], entries: readonly Entry[]): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const columns: Compared[] = [];
      for (const fit of fits) {
        const records = await this.store.results(fit.id);
        columns.push({ fit, results: new Map(records.map((record) => [record.imageId, record])) });
      }
      if (turn !== this.#turn) return;
      this.columns = columns;
      this.figures.clear();
      for (const { fit, results } of columns) {
        const items = evaluationItems(fit, entries, (id) => results.get(id));
        if (!items.some(({ defective }) => defective !== undefined)) continue;
        const figures = await this.client.pixels((pixels) => pixels.evaluate({ side: fit.spec.side, items }));
        if (turn !== this.#turn) return;
        this.figures.set(fit.id, figures);
      }
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  close(): void {
    this.#turn++;
    this.columns = [];
    this.figures.clear();
    this.loading = false;
  }
}

/** Spearman's rank correlation of two columns over the images both have inspected, and how many those are. */
export function agreement(a: Compared, b: Compared): { rho: number | null; count: number } {
  const common = [...a.results.keys()].filter((id) => b.results.has(id));
  const scores = ({ results }: Compared) => common.map((id) => results.get(id)!.score);
  return { rho: spearman(scores(a), scores(b)), count: common.length };
}
