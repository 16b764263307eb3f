/** A support set of made-up tokens: classes that lie in directions of their own, in images and in texts. */
import { Rng } from '../../src/base/rng';
import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import type {
  FitContext,
  FitProgress,
  Support,
  TextSource,
  TextVectors,
  View,
} from '../../src/methods/contract';
import type { Level, TapRole } from '../../src/nn/backbones/backbone';
import { WINDOW_SIDES, windowPatches } from '../../src/nn/clip/windows';
import { clipBackbone } from '../../src/nn/clip/clip-backbone';
import type { ClipConfig } from '../../src/nn/clip/config';
import { clipTensors } from '../../src/nn/clip/recognise';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import type { Runtime } from '../../src/runtime/runtime';
import { DETAILED_PROMPTS } from '../../src/text/prompt-presets';
import { contextOf } from './fixed-taps';
import type { Taps } from './fixed-taps';
import { startWeights } from './start-weights';

/** Input side, patches in a row, width of tokens, width of the space of texts. */
export const WORLD = { side: 32, grid: 4, width: 6, embed: 5 } as const;
export const CLASSES = ['good', 'line', 'spot'] as const;
const NORMAL = 0;

const LEVELS: readonly Level[] = [1, 2, 3, 4];
const { side: SIDE, grid: GRID } = WORLD;
const PATCHES = GRID * GRID;
const PATCH = SIDE / GRID;

/** Patch that a pixel lies in. */
const patchAt = (pixel: number): number =>
  Math.floor(pixel / SIDE / PATCH) * GRID + Math.floor((pixel % SIDE) / PATCH);

export interface Pictures {
  readonly taps: Taps;
  /** [S·S] each, 0 or 1. */
  readonly masks: readonly Uint8Array[];
}

/**
 * Images of given classes. A defect takes two patches beside each other; the class token and those patches point
 * towards the class, all others to good.
 * @param blind whether patches as the encoder projects them tell nothing, so that it has to be learnt
 */
export function picturesOf(classOf: readonly number[], stream: string, blind = false): Pictures {
  const places = classOf.map((own, i) => {
    const at = new Rng(i, `${stream} places`).integer(PATCHES - 1);
    return new Set(own === NORMAL ? [] : [at, at + 1]);
  });
  const rows = (
    role: string,
    count: number,
    width: number,
    classAt: (image: number, row: number) => number,
  ) => {
    const rng = new Rng(1, `${stream} ${role}`);
    const data = new Float32Array(classOf.length * count * width);
    for (let i = 0; i < data.length; i++) data[i] = 0.2 * rng.normal();
    classOf.forEach((_, image) => {
      for (let row = 0; row < count; row++) data[(image * count + row) * width + classAt(image, row)] += 1;
    });
    return floatTensor([classOf.length, count, width], data);
  };
  const patchClass = (image: number, patch: number) => (places[image].has(patch) ? classOf[image] : NORMAL);
  const taps: Partial<Record<TapRole, TensorData>> = {};
  const seen = blind ? () => WORLD.embed - 1 : patchClass;
  for (const level of LEVELS) {
    taps[`tokens${level}`] = rows(`tokens${level}`, 1 + PATCHES, WORLD.width, (image, row) =>
      row ? patchClass(image, row - 1) : classOf[image],
    );
    taps[`patches${level}`] = rows(`patches${level}`, PATCHES, WORLD.embed, seen);
    taps[`values${level}`] = rows(`values${level}`, PATCHES, WORLD.embed, seen);
  }
  taps.finalPatches = rows('finalPatches', PATCHES, WORLD.width, patchClass);
  for (const side of WINDOW_SIDES) {
    const windows = windowPatches([GRID, GRID], side);
    taps[`windows${side}`] = rows(`windows${side}`, windows.length, WORLD.embed, (image, window) =>
      windows[window].some((patch) => places[image].has(patch)) ? classOf[image] : NORMAL,
    );
  }
  taps.accumulated = rows('accumulated', PATCHES, WORLD.embed, seen);
  for (const role of ['gallery1', 'gallery2'] as const)
    taps[role] = rows(role, PATCHES, WORLD.width, patchClass);
  taps.classes = rows('classes', LEVELS.length, WORLD.embed, (image) => classOf[image]);
  const masks = places.map((set) =>
    Uint8Array.from({ length: SIDE * SIDE }, (_, i) => Number(set.has(patchAt(i)))),
  );
  return { taps, masks };
}

/** What texts have in common: they lie close to each other, as a CLIP's do. */
const COMMON = 10;

/** A direction for each class, beside what is common to all; bad in general is more of a line than of a spot. */
export function worldTexts(): TextVectors {
  const { embed } = WORLD;
  const text = (...own: readonly number[]): number[] => {
    const row = Array.from({ length: embed }, (_, k) => own[k] ?? (k === embed - 1 ? COMMON : 0));
    return row.map((value) => value / Math.hypot(...row));
  };
  const classes = CLASSES.flatMap((_, c) => text(...CLASSES.map((_own, k) => Number(k === c))));
  const general = [...text(1, 0, 0), ...text(0, 0.8, 0.6)];
  return {
    classes: floatTensor([CLASSES.length, embed], classes),
    general: floatTensor([2, embed], general),
  };
}

const TRUNK = { layers: 2, mlp: 16 };

/** The encoder that the tokens are said to come from. */
export const WORLD_CLIP: ClipConfig = {
  embed: WORLD.embed,
  input: 'pixels',
  imageSide: SIDE,
  patch: PATCH,
  vision: { ...TRUNK, width: WORLD.width, heads: 1 },
  text: { ...TRUNK, width: 8, heads: 2, context: 77, vocabulary: 10 },
  activation: 'gelu',
  stages: [1, 1, 2, 2],
};

/** Its text tower: words and points are tokens. @param unknown words that it never learnt */
export function worldTower(...unknown: readonly string[]): TextSource {
  const { width } = WORLD_CLIP.text;
  const tensors = startWeights(clipTensors(WORLD_CLIP));
  tensors.set('logit_scale', floatTensor([], [3]));
  return {
    config: WORLD_CLIP,
    weights: new FrozenWeights(tensors),
    async embedTokens(text) {
      const words = text.split(/\s|(?=\.)/);
      if (words.some((word) => unknown.includes(word))) return undefined;
      const rows = ['start', ...words, 'end'].flatMap((word) => {
        const rng = new Rng(1, `word ${word}`);
        return Array.from({ length: width }, () => 0.2 * rng.normal());
      });
      return floatTensor([rows.length / width, width], rows);
    },
  };
}

async function* encodeTexts(): AsyncGenerator<FitProgress, TextVectors> {
  yield { phase: 'texts', done: 1, total: 1, unit: 'texts' };
  return worldTexts();
}

/** Patches moved as the view moves the pixels in their middle; class tokens and windows stay. */
async function moved(taps: Taps, view: View): Promise<Taps> {
  const numbered = Float32Array.from({ length: SIDE * SIDE }, (_, i) => patchAt(i));
  const seen = await view(numbered, 0, async () => numbered);
  const middle = Math.floor(PATCH / 2);
  const from = (patch: number) =>
    seen[(Math.floor(patch / GRID) * PATCH + middle) * SIDE + (patch % GRID) * PATCH + middle];
  return Object.fromEntries(
    Object.entries(taps).map(([role, tap]) => {
      if (role === 'classes' || role.startsWith('windows')) return [role, tap];
      const [images, rows, width] = tap.shape;
      const first = rows - PATCHES;
      const [data, out] = [floats(tap), floats(tap).slice()];
      for (let image = 0; image < images; image++)
        for (let patch = 0; patch < PATCHES; patch++) {
          const start = (image * rows + first + from(patch)) * width;
          out.set(data.subarray(start, start + width), (image * rows + first + patch) * width);
        }
      return [role, floatTensor(tap.shape, out)];
    }),
  );
}

/** The world of a fit on such a set. @param masked whether each defect has a mask; all do when left out */
export function supportContext(
  runtime: Runtime,
  good: number,
  defectClasses: readonly number[],
  options: { seed?: number; blind?: boolean; masked?: readonly boolean[]; world?: Partial<FitContext> } = {},
): FitContext {
  const { seed = 0, blind, masked = defectClasses.map(() => true), world } = options;
  const goodPictures = picturesOf(new Array<number>(good).fill(NORMAL), 'good', blind);
  const defects = picturesOf(defectClasses, 'defects', blind);
  const prompts = {
    ...DETAILED_PROMPTS,
    classes: CLASSES.map((name) => ({ name, states: [`{o} with ${name}`] })),
  };
  const support: Support = {
    prompts,
    normal: NORMAL,
    defectClasses,
    masked,
    texts: encodeTexts,
    textTower: async () => worldTower(),
  };
  return contextOf(runtime, goodPictures.taps, {
    side: SIDE,
    seed,
    world: {
      defectImages: defectClasses.length,
      backbone: clipBackbone(WORLD_CLIP),
      support,
      async *embed(key, build, of, view) {
        const { taps } = of === 'defects' ? defects : goodPictures;
        const seen = view ? await moved(taps, view) : taps;
        yield* contextOf(runtime, seen, { side: SIDE }).embed(key, build);
      },
      defectMask: async (index) => {
        if (!masked[index]) throw new Error('there is no mask');
        return defects.masks[index];
      },
      ...world,
    },
  });
}
