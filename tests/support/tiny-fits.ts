/** Every method, fitted for some steps on made-up features and pictures: every provider has to give the same. */
import { Rng } from '../../src/base/rng';
import { floatTensor } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import type { Detector, FitContext } from '../../src/methods/contract';
import { completeOptions, optionProblem } from '../../src/methods/options';
import type { OptionSpec, Options } from '../../src/methods/options';
import { expectedTensors, isTokenRole, layerOf } from '../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import * as registry from '../../src/methods/registry';
import type { Runtime } from '../../src/runtime/runtime';
import { contextOf, scoreTaps, someOf } from './fixed-taps';
import { WORLD, picturesOf, supportContext } from './support-world';
import { startWeights } from './start-weights';
import { stepsOf } from './training-length';
import type { Taps } from './fixed-taps';

/** Fitted on, and inspected. */
const [FITTED, QUERIES] = [5, 2];
const IMAGES = FITTED + QUERIES;
const SIDE = 64;

export const tinyMethods = Object.keys(registry);

export interface TinyFit {
  readonly steps: number;
  /** Of the steps that were read. */
  readonly losses: readonly number[];
  /** Of two images, [2·S·S]. */
  readonly map: readonly number[];
}

function made(stream: string, shape: readonly number[], draw: (rng: Rng, i: number) => number): TensorData {
  const rng = new Rng(1, stream);
  const size = shape.reduce((a, b) => a * b, 1);
  return floatTensor(
    shape,
    Float32Array.from({ length: size }, (_, i) => draw(rng, i)),
  );
}

/** Features of EfficientNet-Lite0's channels; pictures of noise, so that no channel is nearly constant. */
const world = (): { taps: Taps; images: TensorData } => ({
  taps: {
    level1: made('level1', [IMAGES, 24, 16, 16], (rng) => rng.normal()),
    level2: made('level2', [IMAGES, 40, 8, 8], (rng) => rng.normal()),
    level3: made('level3', [IMAGES, 112, 4, 4], (rng) => rng.normal()),
    half3: made('half3', [IMAGES, 112, 4, 4], (rng) => rng.normal()),
  },
  images: made('images', [IMAGES, 1, SIDE, SIDE], (rng) => rng.uniform()),
});

/** Of the network that the features are said to come from. */
const weights = (): FrozenWeights =>
  new FrozenWeights(startWeights(expectedTensors(efficientNetLite0, [layerOf(efficientNetLite0, 'level4')])));

/** A fit's world, and what is inspected after it. */
interface TinyWorld {
  readonly context: FitContext;
  readonly queries: Taps;
  readonly side: number;
  readonly images?: TensorData;
}

/** Few images of each class. */
const taughtWorld = (runtime: Runtime): TinyWorld => ({
  context: supportContext(runtime, 2, [1, 1, 2]),
  queries: picturesOf([1, 2], 'queries').taps,
  side: WORLD.side,
});

function ordinaryWorld(runtime: Runtime, { needs }: Detector): TinyWorld {
  const { taps, images } = world();
  const used = needs.taps.length
    ? Object.fromEntries(needs.taps.map((role) => [role, taps[role]!]))
    : { level3: taps.level3! };
  const own = images.data as Float32Array;
  const area = SIDE * SIDE;
  const planes = (from: number, to: number) =>
    floatTensor([to - from, 1, SIDE, SIDE], own.slice(from * area, to * area));
  return {
    context: contextOf(runtime, someOf(used, 0, FITTED), {
      side: SIDE,
      images: planes(0, FITTED),
      world: { defectImages: needs.defects === 'required' ? FITTED : 0, backboneWeights: weights },
    }),
    queries: someOf(used, FITTED, IMAGES),
    side: SIDE,
    images: planes(FITTED, IMAGES),
  };
}

/**
 * Every learning rate at 0.003 of its default: at the methods' own the CPU provider drifts from itself by percents in 20
 * steps when its inputs change by 1e-7.
 */
const tinyRates = (specs: Readonly<Record<string, OptionSpec>>): Options =>
  Object.fromEntries(
    Object.entries(specs).flatMap(([name, spec]) =>
      spec.kind === 'number' && /rate$/i.test(name) ? [[name, Math.max(spec.min, 0.003 * spec.default)]] : [],
    ),
  );

export async function tinyFit(runtime: Runtime, id: string, steps: number): Promise<TinyFit> {
  const detector = (registry as unknown as Readonly<Record<string, Detector>>)[id];
  const wanted: Options = {
    ...stepsOf(detector.options, () => steps),
    ...tinyRates(detector.options),
    batch: 4,
    maxPatches: 1000,
    coresetShare: 25,
  };
  const options = completeOptions(
    detector.options,
    Object.fromEntries(
      Object.entries(wanted).filter(([name, value]) => {
        const spec = detector.options[name];
        return spec && !optionProblem(spec, value);
      }),
    ),
  );
  const losses: number[] = [];
  const { context, queries, side, images } = detector.needs.taps.some(isTokenRole)
    ? taughtWorld(runtime)
    : ordinaryWorld(runtime, detector);
  const fit = detector.fit(context, options);
  let step = await fit.next();
  while (!step.done) {
    if (step.value.loss !== undefined) losses.push(step.value.loss);
    step = await fit.next();
  }
  const { map } = await scoreTaps(runtime, detector, step.value, options, queries, side, undefined, images);
  return { steps, losses, map: [...map] };
}
