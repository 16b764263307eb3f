/** The engine worker's calls, by what they are about, with their results wrapped. */
import type { Asking } from '../src/engine/asking';
import type { Classifying } from '../src/engine/classification';
import type { Engine } from '../src/engine/engine';
import type { ClassesApi } from '../src/protocol/classes-api';
import type { EngineApi } from '../src/protocol/engine-api';
import { attempt } from '../src/protocol/outcome';

export const costCalls = (
  engine: Engine,
): Pick<EngineApi, 'estimate' | 'measureBackbone' | 'measureFeatures' | 'measureTraining'> => ({
  estimate: (request) => attempt(() => engine.estimate(request)),
  measureBackbone: (request) => attempt(() => engine.measureBackbone(request)),
  measureFeatures: (request) => attempt(() => engine.measureFeatures(request)),
  measureTraining: (request) => attempt(() => engine.measureTraining(request)),
});

export const askingCalls = (asking: Asking): Pick<EngineApi, 'readText' | 'readPrompts' | 'ask'> => ({
  readText: (text, encoder) => attempt(() => asking.readText(text, encoder)),
  readPrompts: (prompts, encoder) => attempt(() => asking.readPrompts(prompts, encoder)),
  ask: (request, report) => attempt(() => asking.ask(request, report)),
});

export const classCalls = (classifying: Classifying): ClassesApi => ({
  estimateClasses: (request) => attempt(() => classifying.estimate(request)),
  measureClasses: (request) => attempt(() => classifying.measure(request)),
  fitClasses: (request, report) => attempt(() => classifying.fit(request, report)),
  classify: (request, report) => attempt(() => classifying.classify(request, report)),
  exportClassifier: (spec) => attempt(() => classifying.export(spec)),
});
