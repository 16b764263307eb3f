/** The door of the pixels worker: every call of `pixels`, its result wrapped as an outcome and transferred. */
import { expose, transfer } from 'comlink';
import { pixels } from '../src/engine/pixels';
import type { Outcome } from '../src/protocol/outcome';
import { attempt } from '../src/protocol/outcome';
import type { PixelsApi } from '../src/protocol/pixels-api';
import { holdAliveLock } from './alive';

/** Moves the buffers of a result instead of copying them. */
async function moved<T>(call: () => Promise<T>, buffersOf: (value: T) => ArrayBuffer[]): Promise<Outcome<T>> {
  const outcome = await attempt(call);
  return outcome.ok ? transfer(outcome, buffersOf(outcome.value)) : outcome;
}

const api: PixelsApi = {
  summarise: (blob, name) => attempt(() => pixels.summarise(blob, name)),
  load: (blob, name, spec) =>
    moved(
      () => pixels.load(blob, name, spec),
      ({ buffer }) => [buffer],
    ),
  display: (blob, name) =>
    moved(
      () => pixels.display(blob, name),
      ({ grey }) => [grey.buffer],
    ),
  mask: (blob, name, side) =>
    moved(
      () => pixels.mask(blob, name, side),
      ({ buffer }) => [buffer],
    ),
  wholeMask: (blob, name) =>
    moved(
      () => pixels.wholeMask(blob, name),
      ({ inside }) => [inside.buffer],
    ),
  drawMask: (mask) => attempt(() => pixels.drawMask(mask)),
  evaluate: (request) => attempt(() => pixels.evaluate(request)),
  reportClasses: (request) => attempt(() => pixels.reportClasses(request)),
  sample: (seed) => attempt(() => pixels.sample(seed)),
  hash: (blob, goOn) => attempt(() => pixels.hash(blob, goOn)),
  connect: (port) => expose(api, port),
};

holdAliveLock();
expose(api);
