import type { OptionSpec, Options } from '../../src/methods/options';

/** A method's options with every training cut to some steps; empty for methods that take none. */
export const shortOptions = (specs: Readonly<Record<string, OptionSpec>>, steps: number): Options =>
  Object.fromEntries(
    Object.entries(specs).flatMap(([name, spec]) =>
      spec.kind === 'number' && spec.unit === 'steps' ? [[name, steps]] : [],
    ),
  );
