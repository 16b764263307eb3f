/** `npm run bench -- --help` */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FitId } from '../src/base/ids';
import { standsOn } from '../src/engine/describe';
import { Engine } from '../src/engine/engine';
import type { FitSpec } from '../src/protocol/engine-api';
import { benchClasses } from './bench/classify';
import { commandLine, knownRow, rowsIn, threadsOf, variantsOf, weightsOf } from './bench/command';
import type { Variant } from './bench/command';
import { drawGood, readDataset } from './bench/dataset';
import type { BenchImage, Dataset } from './bench/dataset';
import { writeSection } from './bench/document';
import { evaluate } from './bench/evaluate';
import type { BenchHost, HostResult, Look } from './bench/host';
import { lateFall } from './bench/late-fall';
import { MEAN_IMAGE } from './bench/mean-image';
import { NodeHost } from './bench/node-host';
import { encodeNpy } from './bench/npy';
import { meanOf, printTable, tableOf } from './bench/rows';
import type { Row, ShownRow } from './bench/rows';
import { classFigures, defectGroups, drawSupport, shareUnlike } from './bench/support';
import { readFlags, runCommand, toNumber, usage } from './command-line';

const HELP = `Fits and inspects data sets in the MVTec layout with the app's own engine and prints what comes out.

npm run bench -- --data DIR[,DIR...] [options]
npm run bench -- --task classify --data DIR[,DIR...] [options]   (--task classify --help explains)
  --data DIR[,DIR...]   folders with train/good, test/<class>, ground_truth/<class>
  --methods A[,B...]    ${Object.keys(Engine.methods).join(', ')}, and
                        ${MEAN_IMAGE}, the trivial detector (default: patchcore,padim)
  --backbone NAME|FILE  a built-in backbone or a .safetensors file (default: efficientnet-lite0)
  --size N              side of the square input in px (default: 224)
  --good all|N          good images to fit on; N are drawn by the seed (default: all)
  --seed N[,N...]       one run for each; with several, their mean is printed too (default: 0)
  --provider P          cpu (onnxruntime-node), wasm or webgpu (headless Chromium) (default: cpu)
  --threads N           threads of the cpu provider; 1 to run one command per core side by side (default: one per core)
  --set M.OPTION=VALUE  a method's option, repeatable: --set patchcore.coresetShare=25
  --variant NAME[:M.OPTION=VALUE,...]
                        what these options are called in the rows, with more of them that it alone has; repeatable,
                        one run each: --variant full --variant "no V-V path:semclip.valuePath=false"
  --shots N[,N...]      images of each class for methods that take a support set; 0 is the text alone (default: 5)
  --draws N             support sets drawn for each number of shots (default: 3)
  --clip NAME|FILE      the encoder of those that see tokens (default: sem-encoder); others take --backbone and --size
  --leave-out group     tests one defect at a time, which the support lacks: files of one name up to the first _
  --json FILE           rows as JSON, written after each run; what is not defined is null
  --resume              takes the runs that FILE holds already as done; wrong once code or weights have changed
  --doc NAME            writes the table as section NAME of docs/bench.md (means only, with several seeds)
  --maps DIR            anomaly maps as DIR/<data>/<method>/<test path>.npy (float32, size x size)

Figures are computed at the input size; masks are brought there by nearest neighbour. fitMs is the fit without
calibration and without decoding, inspectMsPerImage runs in batches as the app does, backboneMsPerImage is the bare
forward pass of the same layers in the same run, stepMs and forwardMs a step of training and the forward pass of the
same graph on the same batch, peakRssMb the process's peak until then. lateFall tells whether a training ended flat: of all
that its loss on held-out good images fell, the share that it fell in its last fifth.`;

interface Plan {
  readonly datasets: readonly Dataset[];
  readonly kinds: readonly Variant[];
  readonly backbone: string;
  readonly size: number;
  readonly good: number | 'all';
  readonly seeds: readonly number[];
  readonly shots: readonly number[];
  readonly draws: number;
  readonly clip: string;
  readonly leaveOut: boolean;
  readonly provider: 'cpu' | 'wasm' | 'webgpu';
  readonly threads: number | undefined;
  readonly json: string | undefined;
  /** Rows of runs that are done. */
  readonly rows: Row[];
  readonly maps: string | undefined;
  readonly doc: string | undefined;
}

const FLAGS = {
  data: { type: 'string' },
  methods: { type: 'string', default: 'patchcore,padim' },
  backbone: { type: 'string', default: 'efficientnet-lite0' },
  size: { type: 'string', default: '224' },
  good: { type: 'string', default: 'all' },
  seed: { type: 'string', default: '0' },
  provider: { type: 'string', default: 'cpu' },
  threads: { type: 'string' },
  set: { type: 'string', multiple: true, default: [] as string[] },
  variant: { type: 'string', multiple: true, default: [''] as string[] },
  shots: { type: 'string', default: '5' },
  draws: { type: 'string', default: '3' },
  clip: { type: 'string', default: 'sem-encoder' },
  'leave-out': { type: 'string' },
  json: { type: 'string' },
  resume: { type: 'boolean', default: false },
  maps: { type: 'string' },
  doc: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

type Flags = ReturnType<typeof readFlags<typeof FLAGS>>;

function plan(flags: Flags): Plan {
  const list = (text: string) => text.split(',').filter(Boolean);
  if (!flags.data) usage('--data is missing; --help explains');
  const methods = list(flags.methods);
  for (const method of methods)
    if (!Engine.methods[method] && method !== MEAN_IMAGE)
      usage(`--methods ${method}: known are ${[...Object.keys(Engine.methods), MEAN_IMAGE].join(', ')}`);
  const provider = flags.provider;
  if (provider !== 'cpu' && provider !== 'wasm' && provider !== 'webgpu')
    return usage(`--provider ${provider}: cpu, wasm or webgpu`);
  if (flags.threads !== undefined && provider !== 'cpu') usage('--threads is for --provider cpu');
  const leaveOut = flags['leave-out'];
  if (leaveOut !== undefined && leaveOut !== 'group') usage(`--leave-out ${leaveOut}: only group is known`);
  return {
    datasets: list(flags.data!).map(readDataset),
    kinds: methods.flatMap((method) =>
      variantsOf(method, method === MEAN_IMAGE ? {} : Engine.method(method).options, flags),
    ),
    backbone: flags.backbone,
    size: toNumber('size', flags.size, 32),
    good: flags.good === 'all' ? 'all' : toNumber('good', flags.good, 1),
    seeds: list(flags.seed).map((seed) => toNumber('seed', seed, 0)),
    shots: list(flags.shots).map((shots) => toNumber('shots', shots, 0)),
    draws: toNumber('draws', flags.draws, 1),
    clip: flags.clip,
    leaveOut: leaveOut !== undefined,
    provider,
    threads: threadsOf(flags),
    json: flags.json,
    rows: flags.resume ? rowsIn<Row>(flags.json ?? usage('--resume takes up what --json names')) : [],
    maps: flags.maps,
    doc: flags.doc,
  };
}

/** The row of a run: made, and written at once, unless an earlier command did. */
async function rowOf<K extends Partial<Row>>(
  p: Plan,
  run: K,
  make: () => Promise<Omit<Row, keyof K>>,
): Promise<Row> {
  const known = knownRow(p.rows, run);
  if (known) return known;
  const row = { ...run, ...(await make()) } as unknown as Row;
  p.rows.push(row);
  if (p.json) writeFileSync(p.json, `${JSON.stringify(p.rows, null, 2)}\n`);
  const { data, method, variant, seed, shots, draw, leftOut } = row;
  const drawn =
    shots === undefined ? '' : `, ${shots} shots, draw ${draw}${leftOut ? ` without ${leftOut}` : ''}`;
  console.error(`${data} ${[method, variant].filter(Boolean).join(' ')} seed ${seed}${drawn}: done`);
  return row;
}

async function openHost({ provider, threads }: Plan): Promise<BenchHost> {
  if (provider === 'cpu') return new NodeHost(threads);
  const { BrowserHost } = await import('./bench/browser-host');
  return BrowserHost.open(provider);
}

async function runOne(
  host: BenchHost,
  p: Plan,
  dataset: Dataset,
  { method, variant, options }: Variant,
  seed: number,
): Promise<Row> {
  const good = drawGood(dataset, p.good, seed);
  const spec: FitSpec = {
    fitId: `${dataset.name}.${method}.${variant}.${seed}` as FitId,
    method,
    options,
    backboneId: weightsOf(p.backbone),
    side: p.size,
    seed,
    white: 255,
  };
  const run = {
    data: dataset.name,
    method,
    ...(variant && { variant }),
    options,
    backbone: p.backbone,
    size: p.size,
    seed,
    provider: host.provider,
    nGood: good.length,
    nTest: dataset.test.length,
  };
  return rowOf(p, run, async () => {
    const { results, ...costs } =
      method === MEAN_IMAGE
        ? { ...NO_COSTS, results: await host.meanImage(spec, good, dataset.test) }
        : await fitAndInspect(host, spec, good, dataset);
    if (p.maps) writeMaps(p.maps, dataset, method, p.size, results);
    return { ...(await evaluate(dataset.test, results, p.size)), ...costs, peakRssMb: peakMb() };
  });
}

/** One support set: drawn, fitted on, and the rest of the set inspected. */
async function runFewShot(
  host: BenchHost,
  p: Plan,
  dataset: Dataset,
  { method, variant, options }: Variant,
  { shots, draw, leftOut, seed }: { shots: number; draw: number; leftOut?: string; seed: number },
): Promise<Row> {
  const support = drawSupport(dataset, shots, draw, leftOut);
  const seesTokens = standsOn(Engine.method(method).needs) === 'clip';
  const backbone = seesTokens ? p.clip : p.backbone;
  const spec: FitSpec = {
    fitId: `${dataset.name}.${method}.${variant}.${shots}.${draw}.${leftOut}.${seed}` as FitId,
    method,
    options,
    backboneId: weightsOf(backbone),
    side: seesTokens ? await host.usualSide(weightsOf(backbone)) : p.size,
    seed,
    white: 255,
    support: support.spec,
  };
  const run = {
    data: dataset.name,
    method,
    ...(variant && { variant }),
    options,
    backbone,
    ...(seesTokens && { encoder: backbone }),
    size: spec.side,
    seed,
    shots,
    draw,
    ...(leftOut && { leftOut }),
    provider: host.provider,
    nGood: support.good.length,
    nTest: support.rest.length,
  };
  return rowOf(p, run, async () => {
    const tested = { ...dataset, test: support.rest };
    const { results, ...costs } = await fitAndInspect(host, spec, support.good, tested, support.defects);
    return {
      ...(await evaluate(support.rest, results, spec.side)),
      ...classFigures(support, support.rest, results),
      unlike: shareUnlike(results),
      ...costs,
      peakRssMb: peakMb(),
    };
  });
}

/** Every run of a few-shot method on a data set, and their means. */
async function runAllShots(
  host: BenchHost,
  p: Plan,
  dataset: Dataset,
  kind: Variant,
): Promise<readonly ShownRow[]> {
  const shown: ShownRow[] = [];
  const groups = p.leaveOut ? defectGroups(dataset) : [undefined];
  for (const shots of p.shots) {
    const own: Row[] = [];
    // Text alone draws nothing.
    for (let draw = 0; draw < (shots ? p.draws : 1); draw++)
      for (const leftOut of groups)
        for (const seed of p.seeds)
          own.push(await runFewShot(host, p, dataset, kind, { shots, draw, leftOut, seed }));
    shown.push(...own.map((row) => ({ ...row })), ...(own.length > 1 ? [meanOf(own)] : []));
  }
  return shown;
}

type Costs = Pick<
  Row,
  'fitMs' | 'inspectMsPerImage' | 'backboneMsPerImage' | 'steps' | 'stepMs' | 'forwardMs' | 'lateFall'
>;

const NO_COSTS: Costs = {
  fitMs: 0,
  inspectMsPerImage: 0,
  backboneMsPerImage: 0,
  steps: null,
  stepMs: null,
  forwardMs: null,
  lateFall: null,
};

async function fitAndInspect(
  host: BenchHost,
  spec: FitSpec,
  good: Dataset['good'],
  dataset: Dataset,
  defects: readonly BenchImage[] = [],
): Promise<Costs & { results: HostResult[] }> {
  const backboneMsPerImage = await host.measure(spec);
  const cost = spec.support ? null : await host.measureTraining(spec, good.length);
  const looks: Look[] = [];
  const summary = await host.fit(spec, good, defects, (look) => looks.push(look));
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
    lateFall: lateFall(looks),
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

const peakMb = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

async function main(): Promise<void> {
  if (process.argv.some((flag, i) => flag === 'classify' && process.argv[i - 1] === '--task'))
    return benchClasses();
  const flags = readFlags(FLAGS);
  if (flags.help) {
    console.log(HELP);
    return;
  }
  const p = plan(flags);
  const host = await openHost(p);
  const shown: ShownRow[] = [];
  for (const dataset of p.datasets)
    for (const kind of p.kinds) {
      if (Engine.methods[kind.method]?.needs.support) {
        shown.push(...(await runAllShots(host, p, dataset, kind)));
        continue;
      }
      const own: Row[] = [];
      for (const seed of p.seeds) own.push(await runOne(host, p, dataset, kind, seed));
      shown.push(...own.map((row) => ({ ...row })), ...(own.length > 1 ? [meanOf(own)] : []));
    }
  await host.close();
  printTable(tableOf(shown));
  if (p.doc) {
    const means = shown.filter(({ seed, draw }) => [seed, draw].some((own) => typeof own === 'string'));
    // A row of its own stands where one run is all there is.
    const rowsOfDoc = means.length ? shown.filter((row) => means.includes(row) || row.shots === 0) : shown;
    writeSection('docs/bench.md', p.doc, commandLine(), tableOf(rowsOfDoc));
  }
}

await runCommand('bench', main);
