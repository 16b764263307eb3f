import { describe, expect, it } from 'vitest';
import { CLASS_NAMES } from '../../src/sample/classes';
import { DETAILED_PROMPTS, GENERIC_PROMPTS } from '../../src/text/prompt-presets';
import type { PromptSet } from '../../src/text/prompts';
import { defaultStates, promptsOf } from '../../src/text/prompts';
import { tokenizer } from './shipped-tokenizer';

const allOf = (set: PromptSet) => set.classes.flatMap((entry) => promptsOf(entry, set));

// methods.md 21.5
describe('the detailed prompts', () => {
  const all = allOf(DETAILED_PROMPTS);

  it('are 12 states of each class, 6,048 different texts', () => {
    expect(DETAILED_PROMPTS.classes.map(({ name }) => name)).toEqual(CLASS_NAMES);
    expect(DETAILED_PROMPTS.classes.map(({ states }) => states.length)).toEqual(Array(7).fill(12));
    expect([DETAILED_PROMPTS.objects.length, DETAILED_PROMPTS.templates.length]).toEqual([3, 24]);
    expect(all.length).toBe(6048);
    expect(new Set(all).size).toBe(6048);
  });

  it('take 24 tokens at most', () => {
    const lengths = all.map((text) => tokenizer.encode(text).ids.length);
    expect(Math.max(...lengths)).toBe(24);
    expect(all[lengths.indexOf(24)]).toBe(
      'an out of focus photo of the semiconductor SEM image with a fallen-on contaminant on the bare film.',
    );
  });

  it('hold what the paper cites', () => {
    const states = DETAILED_PROMPTS.classes.flatMap((entry) => entry.states);
    expect(states).toEqual(
      expect.arrayContaining([
        'perfect {o}',
        'flawless {o}',
        '{o} without defect',
        '{o} with a linear scratch',
        '{o} image with fish scale-shaped scratches',
        '{o} with an infilm defect',
        '{o} with accidental connectivity',
        '{o} exhibiting particulate matter',
      ]),
    );
    // Negation is understood badly: two good phrases at most.
    expect(states.filter((state) => /\b(without|no|not)\b/.test(state)).length).toBeLessThanOrEqual(2);
  });
});

it('the generic prompts are 7 states of good and 6 of defect', () => {
  expect(GENERIC_PROMPTS.classes.map(({ name, states }) => [name, states.length])).toEqual([
    ['good', 7],
    ['defect', 6],
  ]);
  expect(new Set(allOf(GENERIC_PROMPTS)).size).toBe(13 * 24 * 3);
});

describe('promptsOf', () => {
  const frame = { objects: ['die', 'pad'], templates: ['a {s}.', 'the {s}'] };

  it('goes by state, then object, then template', () => {
    expect(promptsOf({ name: 'void', states: ['{o}', 'hollow {o}'] }, frame)).toEqual([
      ...['a die.', 'the die', 'a pad.', 'the pad'],
      ...['a hollow die.', 'the hollow die', 'a hollow pad.', 'the hollow pad'],
    ]);
  });

  it('takes what a user writes literally', () => {
    const written = { objects: ['$& {s}'], templates: ['{s}, {s}'] };
    expect(promptsOf({ name: 'x', states: ["$' {o}{o}"] }, written)).toEqual([
      "$' $& {s}$& {s}, $' $& {s}$& {s}",
    ]);
  });

  const refused = (message: string, hint: string) =>
    expect.objectContaining({ code: 'text/prompt', message, hint }) as Error;

  it.each([
    [[], frame, 'there is no state of class "void"', 'Write one, or take the defaults.'],
    [['{o}', ' \t'], frame, 'one state of class "void" is empty', 'Write something, or remove the line.'],
    [['hollow'], frame, 'the state "hollow" of class "void" has no {o}', 'Write {o} where the object goes.'],
    [['{o}'], { ...frame, objects: [] }, 'there is no object', 'Write one, or take the defaults.'],
    [['{o}'], { ...frame, objects: [''] }, 'one object is empty', 'Write something, or remove the line.'],
    [['{o}'], { ...frame, templates: [] }, 'there is no template', 'Write one, or take the defaults.'],
    [
      ['{o}'],
      { ...frame, templates: ['a'] },
      'the template "a" has no {s}',
      'Write {s} where the state goes.',
    ],
  ])('refuses what would say nothing (%#)', (states, within, message, hint) => {
    expect(() => promptsOf({ name: 'void', states }, within)).toThrow(refused(message, hint));
  });
});

describe('defaultStates', () => {
  it('are those of a built-in class, however its folder is spelt', () => {
    const copper = DETAILED_PROMPTS.classes.find(({ name }) => name === 'copper residue')!;
    for (const name of ['copper residue', ' Copper_Residue']) expect(defaultStates(name)).toBe(copper.states);
  });

  it('are phrases around the name of any other', () => {
    expect(defaultStates(' line__collapse ')).toEqual([
      '{o} with line collapse',
      '{o} with a line collapse defect',
      '{o} exhibiting line collapse',
      '{o} with visible line collapse',
      '{o} damaged by line collapse',
      'abnormal {o} with line collapse',
    ]);
    expect(defaultStates('Etch $& residue')[1]).toBe('{o} with an Etch $& residue defect');
  });

  it.each(['', ' _ '])('refuse the name "%s"', (name) => {
    expect(() => defaultStates(name)).toThrow(
      expect.objectContaining({ code: 'text/prompt', message: 'a class without a name' }) as Error,
    );
  });
});
