import type { OptionSpec, Options } from '../../src/methods/options';

/** A method's options with the length of every training set from its default; empty for methods that take none. */
export const stepsOf = (
  specs: Readonly<Record<string, OptionSpec>>,
  length: (steps: number) => number,
): Options =>
  Object.fromEntries(
    Object.entries(specs).flatMap(([name, spec]) =>
      spec.kind === 'number' && spec.unit === 'steps' ? [[name, length(spec.default)]] : [],
    ),
  );
