/** Runs in Node before the browser tests: what onnxruntime-node gives, for the browser's providers to be held to. */
import type { TestProject } from 'vitest/node';
import { openWholeRuntime } from './node-runtime';
import { tinyFit, tinyMethods } from './tiny-fits';
import type { TinyFit } from './tiny-fits';
import { tinyClasses, tinyClassifiers } from './tiny-classes';
import type { TinyClassifier } from './tiny-classes';
import { train } from './training';

export const TRAINING_STEPS = 200;

/** What Node gives for each method, trained as many steps as the provider will be. */
type TinyPlans = Record<'wasm' | 'webgpu', Record<string, TinyFit>>;

const MOST_STEPS = 20;
/** Times a step takes on a provider, in steps of the CPU provider: WebAssembly, and Chromium's software adapter. */
const SLOWER = { wasm: 4, webgpu: 50 };
/** A method may take this long on a provider; `npm run test:long` lets each take all steps. */
const BUDGET_MS = { wasm: 60_000, webgpu: 25_000 };
const TRIED_STEPS = 2;

async function planTinyFits(): Promise<TinyPlans> {
  const plans: TinyPlans = { wasm: {}, webgpu: {} };
  for (const id of tinyMethods) {
    await tinyFit(openWholeRuntime(), id, 1);
    const start = performance.now();
    await tinyFit(openWholeRuntime(), id, TRIED_STEPS);
    const stepMs = (performance.now() - start) / TRIED_STEPS;
    for (const kind of ['wasm', 'webgpu'] as const) {
      const affordable = Math.floor(BUDGET_MS[kind] / (SLOWER[kind] * stepMs));
      const steps = process.env.LONG ? MOST_STEPS : Math.min(MOST_STEPS, affordable);
      if (steps) plans[kind][id] = await tinyFit(openWholeRuntime(), id, steps);
    }
  }
  return plans;
}

declare module 'vitest' {
  export interface ProvidedContext {
    losses: number[];
    tinyFits: TinyPlans;
    /** Logits. */
    tinyClasses: Record<TinyClassifier, number[]>;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  project.provide('losses', await train(openWholeRuntime(), TRAINING_STEPS));
  project.provide('tinyFits', await planTinyFits());
  const told: Partial<Record<TinyClassifier, number[]>> = {};
  for (const id of tinyClassifiers) told[id] = await tinyClasses(openWholeRuntime(), id);
  project.provide('tinyClasses', told as Record<TinyClassifier, number[]>);
}
