/** `npm run bench -- --help` */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '../src/base/errors';
import type { BackboneId, FitId } from '../src/base/ids';
import { Engine } from '../src/engine/engine';
import { completeOptions } from '../src/methods/options';
import type { Options } from '../src/methods/options';
import type { FitSpec } from '../src/protocol/engine-api';
import { drawGood, readDataset } from './bench/dataset';
import type { Dataset } from './bench/dataset';
import { writeSection } from './bench/document';
import { evaluate } from './bench/evaluate';
import type { Figures } from './bench/evaluate';
import type { BenchHost, HostResult } from './bench/host';
import { MEAN_IMAGE } from './bench/mean-image';
import { NodeHost } from './bench/node-host';
import { encodeNpy } from './bench/npy';

/** Fitted on good images alone; those that a support set teaches need labelled ones. */
const METHODS = Object.entries(Engine.methods).flatMap(([id, { needs }]) => (needs.support ? [] : [id]));

const HELP = `Fits and inspects data sets in the MVTec layout with the app's own engine and prints what comes out.

npm run bench -- --data DIR[,DIR...] [options]
  --data DIR[,DIR...]   folders with train/good, test/<class>, ground_truth/<class>
  --methods A[,B...]    ${METHODS.join(', ')}, and
                        ${MEAN_IMAGE}, the trivial detector (default: patchcore,padim)
  --backbone NAME|FILE  a built-in backbone or a .safetensors file (default: efficientnet-lite0)
  --size N              side of the square input in px (default: 224)
  --good all|N          good images to fit on; N are drawn by the seed (default: all)
  --seed N[,N...]       one run for each; with several, their mean is printed too (default: 0)
  --provider P          cpu (onnxruntime-node), wasm or webgpu (headless Chromium) (default: cpu)
  --set M.OPTION=VALUE  a method's option, repeatable: --set patchcore.coresetShare=25
  --json FILE           rows as JSON; what is not defined is null
  --doc NAME            writes the table as section NAME of docs/bench.md (means only, with several seeds)
  --maps DIR            anomaly maps as DIR/<data>/<method>/<test path>.npy (float32, size x size)

Figures are computed at the input size; masks are brought there by nearest neighbour. fitMs is the fit without
calibration and without decoding, inspectMsPerImage runs in batches as the app does, backboneMsPerImage is the bare
forward pass of the same layers in the same run, stepMs and forwardMs a step of training and the forward pass of the
same graph on the same batch, peakRssMb the process's peak until then.`;

interface Row extends Figures {
  readonly data: string;
  readonly method: string;
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
  readonly peakRssMb: number;
}

interface Plan {
  readonly datasets: readonly Dataset[];
  readonly methods: readonly string[];
  readonly options: Readonly<Record<string, Options>>;
  readonly backbone: string;
  readonly size: number;
  readonly good: number | 'all';
  readonly seeds: readonly number[];
  readonly provider: 'cpu' | 'wasm' | 'webgpu';
  readonly json: string | undefined;
  readonly maps: string | undefined;
  readonly doc: string | undefined;
}

const usage = (message: string): never => {
  throw new AppError('usage', message);
};

function readFlags() {
  try {
    return parseArgs({
      options: {
        data: { type: 'string' },
        methods: { type: 'string', default: 'patchcore,padim' },
        backbone: { type: 'string', default: 'efficientnet-lite0' },
        size: { type: 'string', default: '224' },
        good: { type: 'string', default: 'all' },
        seed: { type: 'string', default: '0' },
        provider: { type: 'string', default: 'cpu' },
        set: { type: 'string', multiple: true, default: [] },
        json: { type: 'string' },
        maps: { type: 'string' },
        doc: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return usage((error as Error).message.split('\n')[0]);
  }
}

function toNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  return Number.isInteger(value) && value >= least
    ? value
    : usage(`--${flag} ${text}: a whole number from ${least} on`);
}

function plan(flags: ReturnType<typeof readFlags>): Plan {
  const list = (text: string) => text.split(',').filter(Boolean);
  if (!flags.data) usage('--data is missing; --help explains');
  const methods = list(flags.methods);
  for (const method of methods)
    if (!METHODS.includes(method) && method !== MEAN_IMAGE)
      usage(`--methods ${method}: known are ${[...METHODS, MEAN_IMAGE].join(', ')}`);
  const provider = flags.provider;
  if (provider !== 'cpu' && provider !== 'wasm' && provider !== 'webgpu')
    return usage(`--provider ${provider}: cpu, wasm or webgpu`);
  return {
    datasets: list(flags.data!).map(readDataset),
    methods,
    options: Object.fromEntries(
      methods.map((method) => [method, method === MEAN_IMAGE ? {} : optionsOf(method, flags.set)]),
    ),
    backbone: flags.backbone,
    size: toNumber('size', flags.size, 32),
    good: flags.good === 'all' ? 'all' : toNumber('good', flags.good, 1),
    seeds: list(flags.seed).map((seed) => toNumber('seed', seed, 0)),
    provider,
    json: flags.json,
    maps: flags.maps,
    doc: flags.doc,
  };
}

/** Options of one method out of all --set flags. */
function optionsOf(method: string, settings: readonly string[]): Options {
  const { options } = Engine.method(method);
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

async function openHost(provider: Plan['provider']): Promise<BenchHost> {
  if (provider === 'cpu') return new NodeHost();
  const { BrowserHost } = await import('./bench/browser-host');
  return BrowserHost.open(provider);
}

async function runOne(
  host: BenchHost,
  p: Plan,
  dataset: Dataset,
  method: string,
  seed: number,
): Promise<Row> {
  const good = drawGood(dataset, p.good, seed);
  const spec: FitSpec = {
    fitId: `${dataset.name}.${method}.${seed}` as FitId,
    method,
    options: p.options[method],
    backboneId: (/[./]/.test(p.backbone) ? p.backbone : `builtin:${p.backbone}`) as BackboneId,
    side: p.size,
    seed,
    white: 255,
  };
  const { results, ...costs } =
    method === MEAN_IMAGE
      ? { ...NO_COSTS, results: await host.meanImage(spec, good, dataset.test) }
      : await fitAndInspect(host, spec, good, dataset);
  const figures = await evaluate(dataset.test, results, p.size);
  if (p.maps) writeMaps(p.maps, dataset, method, p.size, results);
  return {
    data: dataset.name,
    method,
    backbone: p.backbone,
    size: p.size,
    seed,
    provider: host.provider,
    nGood: good.length,
    nTest: dataset.test.length,
    ...figures,
    ...costs,
    peakRssMb: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

type Costs = Pick<
  Row,
  'fitMs' | 'inspectMsPerImage' | 'backboneMsPerImage' | 'steps' | 'stepMs' | 'forwardMs'
>;

const NO_COSTS: Costs = {
  fitMs: 0,
  inspectMsPerImage: 0,
  backboneMsPerImage: 0,
  steps: null,
  stepMs: null,
  forwardMs: null,
};

async function fitAndInspect(
  host: BenchHost,
  spec: FitSpec,
  good: Dataset['good'],
  dataset: Dataset,
): Promise<Costs & { results: HostResult[] }> {
  const backboneMsPerImage = await host.measure(spec);
  const cost = await host.measureTraining(spec, good.length);
  const summary = await host.fit(spec, good);
  for (const remark of summary.remarks) console.error(`${dataset.name} ${spec.method}: ${remark}`);
  const { results, durationMs } = await host.inspect(spec, dataset.test);
  await host.forget(spec);
  return {
    results,
    fitMs: Math.round(summary.durationMs),
    inspectMsPerImage: round(durationMs / dataset.test.length, 2),
    backboneMsPerImage: round(backboneMsPerImage, 2),
    steps: summary.steps ?? null,
    stepMs: cost && round(cost.stepMs, 1),
    forwardMs: cost && round(cost.forwardMs, 1),
  };
}

function writeMaps(
  folder: string,
  dataset: Dataset,
  method: string,
  side: number,
  results: readonly { readonly map: Float32Array }[],
): void {
  dataset.test.forEach(({ path }, i) => {
    const file = `${join(folder, dataset.name, method, path)}.npy`;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, encodeNpy(results[i].map, [side, side]));
  });
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** A mean row over the seeds of one data set and method. */
function meanOf(rows: readonly Row[]): Record<string, unknown> {
  const mean = (pick: (row: Row) => number | null) => {
    const values = rows.map(pick);
    return values.includes(null)
      ? null
      : values.reduce<number>((sum, value) => sum + value!, 0) / values.length;
  };
  return {
    ...rows[0],
    seed: `mean of ${rows.length}`,
    imageAuroc: mean((row) => row.imageAuroc),
    imageAp: mean((row) => row.imageAp),
    imageF1: mean((row) => row.imageF1),
    pixelAuroc: mean((row) => row.pixelAuroc),
    pixelAp: mean((row) => row.pixelAp),
    aupro: mean((row) => row.aupro),
    fitMs: mean((row) => row.fitMs),
    inspectMsPerImage: mean((row) => row.inspectMsPerImage),
    backboneMsPerImage: mean((row) => row.backboneMsPerImage),
    steps: mean((row) => row.steps),
    stepMs: mean((row) => row.stepMs),
    forwardMs: mean((row) => row.forwardMs),
  };
}

const COLUMNS: readonly [title: string, show: (row: Record<string, unknown>) => string][] = [
  ['data', (row) => String(row.data)],
  ['method', (row) => String(row.method)],
  ['good', (row) => String(row.nGood)],
  ['seed', (row) => String(row.seed)],
  ...(['imageAuroc', 'imageAp', 'imageF1', 'pixelAuroc', 'pixelAp', 'aupro'] as const).map(
    (name): [string, (row: Record<string, unknown>) => string] => [
      name,
      (row) => (typeof row[name] === 'number' ? row[name].toFixed(4) : 'n/d'),
    ],
  ),
  ['fit s', (row) => (Number(row.fitMs) / 1000).toFixed(2)],
  ['fit/bare', (row) => ratio(Number(row.fitMs), Number(row.backboneMsPerImage) * Number(row.nGood))],
  ['steps', (row) => (typeof row.steps === 'number' ? row.steps.toFixed(0) : '')],
  ['step/fwd', (row) => (typeof row.stepMs === 'number' ? ratio(row.stepMs, Number(row.forwardMs)) : '')],
  ['inspect ms', (row) => Number(row.inspectMsPerImage).toFixed(1)],
  ['bare ms', (row) => Number(row.backboneMsPerImage).toFixed(1)],
  ['insp/bare', (row) => ratio(Number(row.inspectMsPerImage), Number(row.backboneMsPerImage))],
  ['peak MB', (row) => String(row.peakRssMb)],
];

const ratio = (a: number, b: number): string => (b ? (a / b).toFixed(2) : 'n/d');

const tableOf = (rows: readonly Record<string, unknown>[]): string[][] => [
  COLUMNS.map(([title]) => title),
  ...rows.map((row) => COLUMNS.map(([, show]) => show(row))),
];

function printTable(cells: readonly string[][]): void {
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  for (const line of cells) console.log(line.map((cell, i) => cell.padEnd(widths[i])).join('  '));
}

/** What was typed, data folders by their names alone. */
const commandLine = (): string =>
  `npm run bench -- ${process.argv
    .slice(2)
    .map((flag) => flag.replace(/[^,]*\/(?=[^,/]+)/g, ''))
    .join(' ')}`;

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help) {
    console.log(HELP);
    return;
  }
  const p = plan(flags);
  const host = await openHost(p.provider);
  const rows: Row[] = [];
  const shown: Record<string, unknown>[] = [];
  for (const dataset of p.datasets)
    for (const method of p.methods) {
      const own: Row[] = [];
      for (const seed of p.seeds) {
        own.push(await runOne(host, p, dataset, method, seed));
        console.error(`${dataset.name} ${method} seed ${seed}: done`);
      }
      rows.push(...own);
      shown.push(...own.map((row) => ({ ...row })), ...(own.length > 1 ? [meanOf(own)] : []));
    }
  await host.close();
  printTable(tableOf(shown));
  if (p.doc) {
    const rowsOfDoc = p.seeds.length > 1 ? shown.filter(({ seed }) => typeof seed === 'string') : shown;
    writeSection('docs/bench.md', p.doc, commandLine(), tableOf(rowsOfDoc));
  }
  if (p.json) writeFileSync(p.json, `${JSON.stringify(rows, null, 2)}\n`);
}

main().catch((error: unknown) => {
  if (error instanceof AppError) {
    console.error(`bench: ${error.message}${error.hint && ` (${error.hint})`}`);
    process.exitCode = 2;
    return;
  }
  throw error;
});
