import { mean, standardDeviation } from '../../src/metrics/statistics';
import type { Options } from '../../src/methods/options';
import type { Figures } from './evaluate';

/** A run of one method on one data set. */
export interface Row extends Figures {
  readonly data: string;
  readonly method: string;
  /** What its options are called, where several are compared. */
  readonly variant?: string;
  readonly options: Options;
  readonly backbone: string;
  readonly size: number;
  readonly seed: number;
  readonly provider: string;
  readonly nGood: number;
  readonly nTest: number;
  readonly fitMs: number;
  readonly inspectMsPerImage: number;
  readonly backboneMsPerImage: number;
  readonly steps: number | null;
  readonly stepMs: number | null;
  readonly forwardMs: number | null;
  /** Share of the held-out loss's whole fall that came in the last fifth of the training: near 0 it ended flat. */
  readonly lateFall?: number | null;
  readonly peakRssMb: number;
  /** Of few-shot methods. */
  readonly shots?: number;
  readonly draw?: number;
  /** Defects of these names were tested, and left out of the support. */
  readonly leftOut?: string;
  readonly encoder?: string;
  readonly accuracy?: number | null;
  readonly macroPrecision?: number | null;
  readonly macroRecall?: number | null;
  readonly macroF1?: number | null;
  readonly nClassified?: number;
  /** Share of the tested images that are unlike what the encoder was trained on; null where it can't tell. */
  readonly unlike?: number | null;
}

/** How well classes are told apart. */
const CLASS_FIGURES = ['accuracy', 'macroPrecision', 'macroRecall', 'macroF1'] as const;

/** What is averaged over runs. */
const MEASURED = [
  'imageAuroc',
  'imageAp',
  'imageF1',
  'pixelAuroc',
  'pixelAp',
  'pixelF1',
  'aupro',
  ...CLASS_FIGURES,
  'unlike',
  'fitMs',
  'inspectMsPerImage',
  'backboneMsPerImage',
  'steps',
  'stepMs',
  'forwardMs',
  'lateFall',
] as const satisfies readonly (keyof Row)[];

/** A row as it is shown: of one run, or the means of several with how far they spread. */
export type ShownRow = Record<string, unknown>;

/** Means of runs that differ in seed, draw or what was left out; spread is the standard deviation. */
export function meanOf(rows: readonly Row[]): ShownRow {
  const shown = meanRow(rows, MEASURED, rows[0].shots === undefined ? 'seed' : 'draw');
  return rows[0].leftOut ? { ...shown, leftOut: 'each' } : shown;
}

/**
 * Means of some figures with their standard deviations, not defined where one isn't.
 * @param over what the rows differ in
 */
export function meanRow<R extends object>(
  rows: readonly R[],
  measured: readonly (keyof R & string)[],
  over: keyof R & string,
): ShownRow {
  const shown: ShownRow = { ...rows[0], [over]: `mean of ${rows.length}` };
  for (const name of measured) {
    const values = rows.flatMap((row) => (row[name] as number | null | undefined) ?? []);
    const defined = values.length === rows.length;
    shown[name] = defined ? mean(values) : null;
    if (defined) shown[`${name}Spread`] = standardDeviation(values, 'population');
  }
  return shown;
}

export type Column = readonly [title: string, show: (row: ShownRow) => string];

const figure = (title: string, spread = false): Column => [
  title,
  (row) => {
    const value = row[title];
    if (typeof value !== 'number') return 'n/d';
    const around = row[`${title}Spread`];
    return value.toFixed(4) + (spread && typeof around === 'number' ? ` ± ${around.toFixed(3)}` : '');
  },
];

const text = (title: string, name: string): Column => [
  title,
  (row) => {
    const value = row[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  },
];

const ratio = (a: number, b: number): string => (b ? (a / b).toFixed(2) : 'n/d');

const COSTS: readonly Column[] = [
  ['fit s', (row) => (Number(row.fitMs) / 1000).toFixed(2)],
  ['fit/bare', (row) => ratio(Number(row.fitMs), Number(row.backboneMsPerImage) * Number(row.nGood))],
  ['steps', (row) => (typeof row.steps === 'number' ? row.steps.toFixed(0) : '')],
  ['step/fwd', (row) => (typeof row.stepMs === 'number' ? ratio(row.stepMs, Number(row.forwardMs)) : '')],
  ['late fall', (row) => (typeof row.lateFall === 'number' ? `${(100 * row.lateFall).toFixed(1)} %` : '')],
  ['inspect ms', (row) => Number(row.inspectMsPerImage).toFixed(1)],
  ['bare ms', (row) => Number(row.backboneMsPerImage).toFixed(1)],
  ['insp/bare', (row) => ratio(Number(row.inspectMsPerImage), Number(row.backboneMsPerImage))],
  ['peak MB', (row) => String(row.peakRssMb)],
];

const COLUMNS: readonly Column[] = [
  text('data', 'data'),
  text('method', 'method'),
  text('variant', 'variant'),
  text('good', 'nGood'),
  text('seed', 'seed'),
  ...['imageAuroc', 'imageAp', 'imageF1', 'pixelAuroc', 'pixelAp', 'aupro'].map((name) => figure(name)),
  ...COSTS,
];

const FEW_SHOT_COLUMNS: readonly Column[] = [
  text('data', 'data'),
  text('method', 'method'),
  text('variant', 'variant'),
  text('shots', 'shots'),
  text('draw', 'draw'),
  text('left out', 'leftOut'),
  text('tested', 'nTest'),
  ...['imageAuroc', 'pixelAuroc', 'pixelF1', 'aupro', ...CLASS_FIGURES].map((name) => figure(name, true)),
  text('N', 'nClassified'),
  figure('unlike'),
  ...COSTS.filter(([title]) => ['fit s', 'steps', 'inspect ms'].includes(title)),
];

/** Columns that stand only where a row fills them. */
const WHERE_KNOWN = new Set(['variant', 'late fall']);

/** Header and rows of a table; few-shot runs have columns of their own. */
export function tableOf(rows: readonly ShownRow[]): string[][] {
  const all = rows.some(({ shots }) => shots !== undefined) ? FEW_SHOT_COLUMNS : COLUMNS;
  const columns = all.filter(([title, show]) => !WHERE_KNOWN.has(title) || rows.some(show));
  return [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, show]) => show(row)))];
}

export function printTable(cells: readonly string[][]): void {
  const widths = cells[0].map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  for (const line of cells) console.log(line.map((cell, i) => cell.padEnd(widths[i])).join('  '));
}
