import type { MethodDescription } from '../protocol/engine-api';
import { Engine } from './engine';

/** Every method as plain data: card, form, page and table row are drawn from it. */
export const describeMethods = (): MethodDescription[] =>
  Object.entries(Engine.methods).map(([id, detector]) => ({
    id,
    title: detector.title,
    about: detector.about,
    source: detector.source,
    options: detector.options,
    needs: detector.needs,
    reconstructs: 'reconstruct' in detector,
  }));
