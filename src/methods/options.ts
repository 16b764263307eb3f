import { AppError } from '../base/errors';

export type OptionValue = number | boolean | string;
export type Options = Readonly<Record<string, OptionValue>>;

interface SpecHead {
  readonly label: string;
  /** One line for the form. */
  readonly help: string;
}

export interface NumberSpec extends SpecHead {
  readonly kind: 'number';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
  /** `px`, `%`, …; empty for plain numbers. */
  readonly unit: string;
}

export interface FlagSpec extends SpecHead {
  readonly kind: 'flag';
  readonly default: boolean;
}

export interface ChoiceSpec extends SpecHead {
  readonly kind: 'choice';
  readonly default: string;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
}

export type OptionSpec = NumberSpec | FlagSpec | ChoiceSpec;

/** The spec of an option whose values have type T. */
type SpecFor<T> = T extends number ? NumberSpec : T extends boolean ? FlagSpec : ChoiceSpec;

/** One spec for each option, of the kind its type wants. */
export type OptionSpecs<O extends Options> = { readonly [K in keyof O]: SpecFor<O[K]> };

/** The default of every option. */
export const defaultOptions = (specs: Readonly<Record<string, OptionSpec>>): Options =>
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, spec.default]));

/** Why a value doesn't fit its spec, `undefined` when it does. */
export function optionProblem(spec: OptionSpec, value: unknown): string | undefined {
  switch (spec.kind) {
    case 'number': {
      const range = `${spec.integer ? 'a whole number' : 'a number'} from ${spec.min} to ${spec.max}${spec.unit && ` ${spec.unit}`}`;
      const fits =
        typeof value === 'number' &&
        value >= spec.min &&
        value <= spec.max &&
        (!spec.integer || Number.isInteger(value));
      return fits ? undefined : `${spec.label} is ${String(value)}; it has to be ${range}`;
    }
    case 'flag':
      return typeof value === 'boolean' ? undefined : `${spec.label} is on or off`;
    case 'choice':
      return spec.choices.some((choice) => choice.value === value)
        ? undefined
        : `${spec.label} is ${String(value)}; it has to be one of ${spec.choices.map((c) => c.value).join(', ')}`;
  }
}

/**
 * Given options over the defaults, checked.
 * @throws fit/option for an unknown name or a value out of range
 */
export function completeOptions(
  specs: Readonly<Record<string, OptionSpec>>,
  given: Readonly<Record<string, unknown>>,
): Options {
  for (const name of Object.keys(given))
    if (!Object.hasOwn(specs, name))
      throw new AppError('fit/option', `there is no option "${name}"`, {
        hint: `Options are ${Object.keys(specs).join(', ')}.`,
      });
  const complete: Record<string, unknown> = { ...defaultOptions(specs), ...given };
  for (const [name, spec] of Object.entries(specs)) {
    const problem = optionProblem(spec, complete[name]);
    if (problem) throw new AppError('fit/option', problem);
  }
  return complete as Options;
}
