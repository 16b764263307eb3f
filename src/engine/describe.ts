import type { MethodDescription } from '../protocol/engine-api';
import { Engine } from './engine';

/** Every method as plain data: card, form, page and table row are drawn from it. */
export const describeMethods = (): MethodDescription[] =>
  Object.entries(Engine.methods).map(([id, { title, about, source, options, needs }]) => ({
    id,
    title,
    about,
    source,
    options,
    needs,
  }));
