import { describe, expect, it } from 'vitest';
import { completeOptions, defaultOptions, optionProblem } from '../../src/methods/options';
import type { OptionSpec } from '../../src/methods/options';
import * as methods from '../../src/methods/registry';

const COUNT: OptionSpec = {
  kind: 'number',
  default: 9,
  min: 1,
  max: 50,
  integer: true,
  unit: '',
  label: 'Neighbours',
  help: '',
};
const SIGMA: OptionSpec = {
  ...COUNT,
  default: 4,
  min: 0,
  max: 16,
  integer: false,
  unit: 'px',
  label: 'Map smoothing',
};
const FLAG: OptionSpec = { kind: 'flag', default: true, label: 'Raw scores', help: '' };
const CHOICE: OptionSpec = {
  kind: 'choice',
  default: 'position',
  choices: [
    { value: 'position', label: 'one for each position' },
    { value: 'shared', label: 'one for all' },
  ],
  label: 'Gaussian',
  help: '',
};
const SPECS = { neighbours: COUNT, blurSigma: SIGMA, raw: FLAG, gaussian: CHOICE };

describe('optionProblem', () => {
  it.each<[OptionSpec, unknown]>([
    [COUNT, 1],
    [COUNT, 50],
    [SIGMA, 0],
    [SIGMA, 0.5],
    [SIGMA, 16],
    [FLAG, false],
    [CHOICE, 'shared'],
  ])('%#: none', (spec, value) => {
    expect(optionProblem(spec, value)).toBeUndefined();
  });

  it.each<[OptionSpec, unknown, string]>([
    [COUNT, 0, 'Neighbours is 0; it has to be a whole number from 1 to 50'],
    [COUNT, 51, 'Neighbours is 51; it has to be a whole number from 1 to 50'],
    [COUNT, 2.5, 'Neighbours is 2.5; it has to be a whole number from 1 to 50'],
    [COUNT, NaN, 'Neighbours is NaN; it has to be a whole number from 1 to 50'],
    [COUNT, '9', 'Neighbours is 9; it has to be a whole number from 1 to 50'],
    [COUNT, undefined, 'Neighbours is undefined; it has to be a whole number from 1 to 50'],
    [SIGMA, -0.1, 'Map smoothing is -0.1; it has to be a number from 0 to 16 px'],
    [SIGMA, Infinity, 'Map smoothing is Infinity; it has to be a number from 0 to 16 px'],
    [FLAG, 1, 'Raw scores is on or off'],
    [FLAG, 'true', 'Raw scores is on or off'],
    [CHOICE, 'other', 'Gaussian is other; it has to be one of position, shared'],
    [CHOICE, null, 'Gaussian is null; it has to be one of position, shared'],
  ])('%#: %j', (spec, value, problem) => {
    expect(optionProblem(spec, value)).toBe(problem);
  });
});

describe('completeOptions', () => {
  const refused = (message: string, hint = '') =>
    expect.objectContaining({ code: 'fit/option', message, hint }) as Error;

  it('puts what is given over the defaults', () => {
    expect(completeOptions(SPECS, {})).toEqual({
      neighbours: 9,
      blurSigma: 4,
      raw: true,
      gaussian: 'position',
    });
    expect(completeOptions(SPECS, { raw: false, blurSigma: 0 })).toEqual({
      neighbours: 9,
      blurSigma: 0,
      raw: false,
      gaussian: 'position',
    });
  });

  it('refuses a value out of range', () => {
    expect(() => completeOptions(SPECS, { neighbours: 51 })).toThrow(
      refused('Neighbours is 51; it has to be a whole number from 1 to 50'),
    );
    expect(() => completeOptions(SPECS, { neighbours: undefined })).toThrow(
      refused('Neighbours is undefined; it has to be a whole number from 1 to 50'),
    );
  });

  it('refuses a name that is none, and tells those that are', () => {
    const hint = 'Options are neighbours, blurSigma, raw, gaussian.';
    expect(() => completeOptions(SPECS, { neighbors: 3 })).toThrow(
      refused('there is no option "neighbors"', hint),
    );
    // Something that every object has.
    expect(() => completeOptions(SPECS, { toString: 3 })).toThrow(
      refused('there is no option "toString"', hint),
    );
  });
});

describe('the options of every method', () => {
  it.each(Object.entries(methods))('%s: its defaults are allowed', (_, { options }) => {
    const specs: Readonly<Record<string, OptionSpec>> = options;
    expect(completeOptions(specs, defaultOptions(specs))).toEqual(defaultOptions(specs));
    for (const { label, help } of Object.values(specs))
      expect([label.length > 0, help.length > 0]).toEqual([true, true]);
  });
});
