/** Runs in Node before the browser tests: what onnxruntime-node gives, for the browser's providers to be held to. */
import type { TestProject } from 'vitest/node';
import { openNodeRuntime } from './node-runtime';
import { train } from './training';

export const TRAINING_STEPS = 200;

declare module 'vitest' {
  export interface ProvidedContext {
    losses: number[];
  }
}

export default async function setup(project: TestProject): Promise<void> {
  project.provide('losses', await train(openNodeRuntime(), TRAINING_STEPS));
}
