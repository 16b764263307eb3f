import type { ClassifierDescription } from '../protocol/classes-api';
import type { MethodDescription, Needs } from '../protocol/engine-api';
import { isTokenRole } from '../nn/backbones/backbone';
import { Classifying } from './classification';
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
    standsOn: standsOn(detector.needs),
    reconstructs: 'reconstruct' in detector,
    sentence: detector.sentence ?? false,
  }));

/** Every classifier as plain data. */
export const describeClassifiers = (): ClassifierDescription[] =>
  Object.entries(Classifying.methods).map(([id, { title, about, source, options, needs }]) => ({
    id,
    title,
    about,
    source,
    options,
    needs,
    standsOn: standsOn(needs),
  }));

/** What a method's features come from. */
export const standsOn = ({ taps }: Pick<Needs, 'taps'>): MethodDescription['standsOn'] =>
  taps.some(isTokenRole) ? 'clip' : taps.length ? 'backbone' : 'pixels';
