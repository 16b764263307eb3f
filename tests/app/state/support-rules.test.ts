import { describe, expect, it } from 'vitest';
import type { ImageId } from '../../../src/base/ids';
import {
  MOST_IMAGES,
  admit,
  changedSince,
  countLine,
  draftOf,
  draw,
  maskProblem,
  nameProblem,
  newClass,
  presetDraft,
  problemOf,
  promptCount,
  promptProblem,
  remarksOf,
  shareOf,
  specOf,
  teachProblem,
  topClass,
  withClass,
  withoutClass,
} from '../../../src/app/state/support-rules';
import { CLASS_NAMES } from '../../../src/sample/classes';
import type { FitRecord, SupportImage, SupportSetRecord } from '../../../src/store/schema';
import { DETAILED_PROMPTS } from '../../../src/text/prompt-presets';

const image = (name: string, more: Partial<SupportImage> = {}): SupportImage => ({
  imageId: name as ImageId,
  name: `${name}.png`,
  ...more,
});
const images = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => image(`${prefix}${i}`));
const set = (...classes: SupportSetRecord['classes']): SupportSetRecord => ({
  id: 'few',
  name: 'few shots',
  createdAt: 1,
  ...draftOf([newClass('good'), ...classes]),
});
const taught = (title: string, defects: 'none' | 'optional' | 'required', leastGoodImages: number) => ({
  title,
  needs: { support: true, taps: [], defects, leastGoodImages } as const,
});
const SEM_CLIP = taught('SEM-CLIP', 'optional', 0);
const NORMALS = taught('Normals', 'none', 1);
const DEFECTS = taught('Defects', 'required', 2);
const WORDS = { objects: ['wafer'], templates: ['a photo of a {s}.'] };

describe('the preset', () => {
  it('has the seven classes in their order with all their words', () => {
    const preset = presetDraft();
    expect(preset.classes.map(({ name }) => name)).toEqual(CLASS_NAMES);
    expect(preset.normal).toBe(2);
    expect(specOf(preset)).toEqual({ prompts: DETAILED_PROMPTS, normal: 2 });
    expect(countLine(preset.classes[0].states, preset)).toBe(
      '12 states × 24 templates × 3 objects = 864 prompts',
    );
    expect(preset.classes.reduce((sum, { states }) => sum + promptCount(states, preset), 0)).toBe(
      preset.classes.reduce((sum, { states }) => sum + states.length, 0) * 72,
    );
  });

  it('own names get words around them, and a good class where there is none', () => {
    const draft = draftOf([newClass('Edge_break')]);
    expect(draft.classes.map(({ name }) => name)).toEqual(['good', 'Edge_break']);
    expect(draft.normal).toBe(0);
    expect(draft.classes[1].states[0]).toBe('{o} with Edge break');
    expect(draftOf([newClass('hole'), newClass('OK')]).normal).toBe(1);
  });
});

describe('names of classes', () => {
  const { classes } = set(newClass('copper residue'));
  it('are there, and are there once', () => {
    expect(nameProblem(classes, ' ')).toBe('A class needs a name.');
    expect(nameProblem(classes, 'Copper_Residue')).toBe(
      'There is a class copper residue already. Take another name.',
    );
    expect(nameProblem(classes, 'Copper_Residue', 1)).toBeUndefined();
    expect(nameProblem(classes, 'hole')).toBeUndefined();
  });
});

describe('images of a class', () => {
  it('are at most ten, in one class, and once', () => {
    const few = set(newClass('hole', images(8, 'h')), newClass('scratch', [image('s')]));
    const wanted = [
      image('s'),
      image('h0'),
      image('a'),
      image('a', { name: 'twin.png' }),
      image('b'),
      image('c'),
    ];
    const { taken, refused } = admit(few, 'hole', wanted);
    expect(taken.map(({ name }) => name)).toEqual(['a.png', 'b.png']);
    expect(refused).toEqual([
      { name: 's.png', reason: 'it is in scratch; take it out there first, an image has one class' },
      { name: 'h0.png', reason: 'it is in hole already' },
      { name: 'twin.png', reason: 'the same picture as a.png' },
      { name: 'c.png', reason: 'hole has 10 images, which is the most that a class takes' },
    ]);
  });

  it('are drawn by a seed, in their order, never more than there are', () => {
    const all = Array.from({ length: 20 }, (_, i) => i);
    const drawn = draw(all, 5, 1, 'hole');
    expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
    expect(drawn).toHaveLength(5);
    expect(draw(all, 5, 1, 'hole')).toEqual(drawn);
    expect(draw(all, 5, 2, 'hole')).not.toEqual(drawn);
    expect(draw(all, 5, 1, 'scratch')).not.toEqual(drawn);
    expect(draw([1, 2], MOST_IMAGES, 0, 'x')).toEqual([1, 2]);
  });
});

it('a mask is refused with its reason and remedy', () => {
  const size = { width: 64, height: 48 };
  expect(maskProblem(size, { width: 64, height: 47 }, 0.5)).toBe(
    'the mask has 64×47 px, the image 64×48; export it at the size of the image',
  );
  expect(maskProblem(size, size, 0)).toMatch(/^the mask is empty; paint/);
  expect(maskProblem(size, size, 1)).toMatch(/^the mask covers the whole image/);
  expect(maskProblem(size, size, 0.5)).toBeUndefined();
  expect(shareOf(Uint8Array.of(1, 0, 0, 1))).toBe(0.5);
});

describe('words', () => {
  const state = (states: readonly string[]) => promptProblem({ name: 'hole', states }, WORDS);
  it('that can’t be used say which and what to do', () => {
    expect(state(['{o} with a hole'])).toBeUndefined();
    expect(state([])).toBe('There is no state of class "hole". Write one, or take the defaults.');
    expect(state(['{o}', ' '])).toBe(
      'One state of class "hole" is empty. Write something, or remove the line.',
    );
    expect(state(['a hole'])).toMatch(/^The state "a hole" of class "hole" has no \{o\}\. Write \{o\}/);
    expect(promptProblem({ name: 'any', states: ['{o}'] }, { ...WORDS, templates: ['a photo.'] })).toMatch(
      /^The template "a photo\." has no \{s\}/,
    );
  });
});

describe('what stands in the way of a fit', () => {
  it('is named with its remedy', () => {
    expect(problemOf({ ...set(), classes: [] })).toBe(
      'few shots has no class. Add one for each kind of defect, and one for good.',
    );
    expect(problemOf(set())).toBe('good is the only class. Add a class for each kind of defect.');
    expect(problemOf(set(newClass('hole'), newClass('Hole')))).toMatch(/^There is a class Hole already/);
    expect(problemOf(set(newClass('hole', images(11, 'h'))))).toBe(
      'hole has 11 images; a class takes 10. Take some out.',
    );
    expect(problemOf(set(newClass('hole', [image('a')]), newClass('pit', [image('a')])))).toBe(
      'a.png is in hole and in pit; an image has one class. Take it out of one.',
    );
    expect(problemOf(set(newClass('hole', [image('a', { maskShare: 1 })])))).toMatch(
      /^a\.png in hole: the mask covers the whole image.*erase/,
    );
    expect(problemOf(set({ name: 'hole', states: [''], images: [] }))).toMatch(/^One state of class "hole"/);
    expect(problemOf({ ...set(newClass('hole')), objects: [] })).toMatch(/^There is no object/);
  });

  it('is not that images are missing', () => {
    expect(problemOf(set(newClass('hole')))).toBeUndefined();
    expect(remarksOf(set(newClass('hole')), [SEM_CLIP])).toEqual([
      'No example images: SEM-CLIP judges by text alone; expect coarse maps.',
    ]);
  });

  it('is said of the methods alone that can judge by text', () => {
    const bare = set(newClass('hole'));
    const [dra, promptAd] = [taught('DRA', 'required', 1), taught('PromptAD', 'none', 1)];
    expect(remarksOf(bare, [dra, SEM_CLIP, taught('WinCLIP+', 'none', 0), promptAd])).toEqual([
      'No example images: SEM-CLIP, WinCLIP+ judge by text alone; expect coarse maps.',
    ]);
    expect(remarksOf(bare, [dra, promptAd])).toEqual([]);
  });

  it('is not a class without images, nor an image without a mask: both are said', () => {
    const few = set(newClass('hole', [image('a'), image('b', { mask: new Blob() })]));
    expect(remarksOf(few, [SEM_CLIP])).toEqual([
      'Without images, known by text alone: good. Expect these to be told apart less well.',
      'Without a mask: 1 of 2 defect images. These teach what a defect is, not where.',
    ]);
  });
});

describe('a method that a set can’t teach', () => {
  it('says how many good images it lacks, or that there is no defect', () => {
    const bare = set(newClass('hole'));
    expect(teachProblem(SEM_CLIP, bare)).toBeUndefined();
    expect(teachProblem(NORMALS, bare)).toBe('Normals needs at least 1 good image; the class good has none.');
    const good = draftOf([newClass('good', images(2, 'g')), newClass('hole')]);
    expect(teachProblem(NORMALS, good)).toBeUndefined();
    expect(teachProblem(DEFECTS, good)).toMatch(/^Defects learns from defects; give at least one/);
    const one = draftOf([newClass('good', images(1, 'g')), newClass('hole', images(1, 'h'))]);
    expect(teachProblem(DEFECTS, one)).toBe('Defects needs at least 2 good images; the class good has 1.');
  });

  it('and one that takes no defects says that those of the set aren’t used', () => {
    const both = draftOf([newClass('good', images(1, 'g')), newClass('hole', images(1, 'h'))]);
    expect(remarksOf(both, [NORMALS])).toEqual([
      'By good images alone: Normals. The 1 defect image isn’t used there.',
    ]);
    expect(remarksOf(both, [SEM_CLIP, NORMALS])).toHaveLength(2);
  });
});

it('taking a class out and putting it back leaves the mark of good where it was', () => {
  const seven = presetDraft();
  for (let i = 0; i < 7; i++) {
    const without = withoutClass(seven, i);
    expect(without.classes).toHaveLength(6);
    if (i !== 2) expect(without.classes[without.normal].name).toBe('good');
    expect(withClass(without, seven.classes[i], i, i === 2)).toEqual(seven);
  }
  expect(withoutClass(seven, 2).normal).toBe(0);
  const last = draftOf([newClass('good')]);
  expect(withClass(withoutClass(last, 0), last.classes[0], 0, true)).toEqual(last);
});

it('a fit is outdated by other words, other images, or a mask that was changed after it', () => {
  const few = set(newClass('hole', [image('a')]));
  const fit = {
    spec: { support: specOf(few) },
    goodIds: [],
    defectIds: ['a'],
    createdAt: 5,
  } as unknown as FitRecord;
  expect(changedSince(few, fit)).toBe(false);
  expect(changedSince({ ...few, objects: ['wafer'] }, fit)).toBe(true);
  expect(changedSince(set(newClass('hole', [image('b')])), fit)).toBe(true);
  expect(changedSince(set(newClass('hole')), fit)).toBe(true);
  const masked = (maskedAt: number) => set(newClass('hole', [{ ...image('a'), maskedAt }]));
  expect([4, 6].map((maskedAt) => changedSince(masked(maskedAt), fit))).toEqual([false, true]);
});

it('the top class is the most probable one', () => {
  const shares = (...values: number[]) => Float32Array.from(values);
  const fused = shares(0.25, 0.5, 0.25);
  const support = specOf(set(newClass('hole'), newClass('scratch')));
  expect(topClass({ fused, text: fused, head: fused }, support)).toEqual({ name: 'hole', share: 0.5 });
  expect(topClass(undefined, support)).toBeUndefined();
});
