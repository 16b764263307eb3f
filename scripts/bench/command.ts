/** What the bench's commands share. */
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { BackboneId } from '../../src/base/ids';
import { completeOptions } from '../../src/methods/options';
import type { OptionSpec, Options } from '../../src/methods/options';
import { toNumber, usage } from '../command-line';

/** Weights by the name of a built-in, or a file. */
export const weightsOf = (name: string): BackboneId =>
  (/[./]/.test(name) ? name : `builtin:${name}`) as BackboneId;

/** Options of one method out of all --set flags. */
function optionsOf(
  method: string,
  options: Readonly<Record<string, OptionSpec>>,
  settings: readonly string[],
): Options {
  const given: Record<string, unknown> = {};
  for (const setting of settings) {
    const match = /^([^.]+)\.([^=]+)=(.*)$/.exec(setting) ?? usage(`--set ${setting}: METHOD.OPTION=VALUE`);
    const [, owner, name, text] = match;
    if (owner !== method) continue;
    const kind = options[name]?.kind;
    given[name] = kind === 'number' ? Number(text) : kind === 'flag' ? text === 'true' : text;
  }
  return completeOptions(options, given);
}

/** A method with options. */
export interface Variant {
  readonly method: string;
  /** What the options are called; empty where nothing is compared. */
  readonly variant: string;
  readonly options: Options;
}

/** One method with the options of each `--variant`, on top of those of all `--set` flags. */
export const variantsOf = (
  method: string,
  options: Readonly<Record<string, OptionSpec>>,
  flags: { readonly set: readonly string[]; readonly variant: readonly string[] },
): Variant[] =>
  flags.variant.map((text) => {
    const [variant, ...rest] = text.split(':');
    const settings = rest.join(':').split(',').filter(Boolean);
    return { method, variant, options: optionsOf(method, options, [...flags.set, ...settings]) };
  });

/** Threads of the CPU provider; left out is one per core. */
export const threadsOf = ({ threads }: { readonly threads?: string }): number | undefined =>
  threads === undefined ? undefined : toNumber('threads', threads, 1);

/** Rows that an earlier command wrote. */
export const rowsIn = <Row>(file: string): Row[] =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Row[]) : [];

/** The row of a run among others: the one in which everything that determines the run is the same. */
export const knownRow = <Row extends object>(rows: readonly Row[], run: Partial<Row>): Row | undefined =>
  rows.find((row) =>
    Object.entries(run).every(([name, value]) => isDeepStrictEqual(row[name as keyof Row], value)),
  );

/** Where rows are kept that a table was made from. */
const KEPT = 'docs/bench/';

/** What was typed, paths but those of kept rows by their last names alone, and quoted where a shell needs it. */
export const commandLine = (): string =>
  `npm run bench -- ${process.argv
    .slice(2)
    .map((flag) => (flag.startsWith(KEPT) ? flag : flag.replace(/[^,]*\/(?=[^,/]+)/g, '')))
    .map((flag) => (/[^\w.,:=/-]/.test(flag) ? JSON.stringify(flag) : flag))
    .join(' ')}`;
