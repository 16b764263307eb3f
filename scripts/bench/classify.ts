/** `npm run bench -- --task classify --help` */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { FitId } from '../../src/base/ids';
import { Classifying } from '../../src/engine/classification';
import { classReport } from '../../src/metrics/class-report';
import { coverageAt, coverageRisk } from '../../src/metrics/coverage';
import { calibrationError, rightWhenSure, topProbabilities } from '../../src/metrics/reliability';
import { standsOn } from '../../src/engine/describe';
import type { Options } from '../../src/methods/options';
import type { ClassFitSpec } from '../../src/protocol/classes-api';
import { readFlags, toNumber, usage } from '../command-line';
import { drawLongTail, drawShots } from './class-draws';
import type { ClassDraw } from './class-draws';
import { commandLine, knownRow, threadsOf, variantsOf, weightsOf } from './command';
import { readImages } from './dataset';
import type { BenchImage } from './dataset';
import { writeSection } from './document';
import { NodeHost } from './node-host';
import { meanRow, printTable } from './rows';
import type { Column } from './rows';

const HELP = `Teaches classifiers on labelled folders with the app's own engine and prints how well they tell classes.

npm run bench -- --task classify --data DIR[,DIR...] [options]
  --data DIR[,DIR...]     folders with test/<class> (and train/good)
  --methods A[,B...]      ${Object.keys(Classifying.methods).join(', ')}
                          (default: linear,nearest-mean,knn)
  --shots N[,N...]        images of each class (default: 5)
  --imbalance N           in place of shots a long tail: the largest class has N times the images of the smallest
  --draws N               drawn for each number of shots, or long tails (default: 3)
  --seed N                of the training (default: 0)
  --backbone NAME|FILE    built-in weights or a .safetensors file (default: efficientnet-lite0)
  --clip NAME|FILE        the encoder of those that see tokens (default: sem-encoder)
  --weights M=FILE        weights of one method, repeatable: --weights vit=vit_base_patch16_224.safetensors
  --size N                side of the input in px; the weights' usual one when left out
  --set M.OPTION=VALUE    a method's option, repeatable: --set recame.experts=1
  --variant NAME[:M.OPTION=VALUE,...]
                          what these options are called in the rows, with more of them that it alone has; repeatable,
                          one run each: --variant full --variant "no attention:recame.attention=false"
  --threads N             threads of the cpu provider; 1 to run one command per core side by side (default: one per core)
  --json FILE             { runs, means } as JSON, written after each run: a row a run, and the means over draws with
                          the spread (population standard deviation) of each figure; what is not defined is null
  --resume                takes the runs that FILE holds already as done; wrong once code or weights have changed
  --doc NAME              writes the table as section NAME of docs/bench.md

head, middle and tail are classes with more than 100, 20 to 100 and fewer than 20 taught images, or terciles where these
part nothing. ece is the expected calibration error; sure are the images said with 99 % or more, and the share of them
that is right; coverageAt99 is the share of images that can be classified with 1 % wrong. trainMs is what of fitMs comes
after the last of the backbone's features.`;

interface ClassRow {
  readonly data: string;
  readonly method: string;
  readonly variant: string;
  readonly options: Options;
  readonly backbone: string;
  readonly size: number;
  readonly seed: number;
  readonly shots: number | null;
  readonly imbalance: number | null;
  readonly draw: number;
  readonly nTrain: number;
  readonly nTest: number;
  readonly accuracy: number | null;
  readonly macroPrecision: number | null;
  readonly macroRecall: number | null;
  readonly macroF1: number | null;
  readonly kappa: number | null;
  readonly headRecall: number | null;
  readonly middleRecall: number | null;
  readonly tailRecall: number | null;
  readonly coverageAt99: number | null;
  readonly ece: number | null;
  readonly sure: number;
  readonly sureRight: number | null;
  readonly perClass: readonly {
    readonly name: string;
    readonly trained: number;
    readonly tested: number;
    readonly recall: number | null;
    readonly purity: number | null;
  }[];
  readonly temperature: number | null;
  readonly steps: number | null;
  readonly fitMs: number;
  readonly trainMs: number | null;
  readonly msPerImage: number;
}

/** What `--json` names. */
interface BenchFile {
  readonly runs: ClassRow[];
  means: Record<string, unknown>[];
}

const readFile = (path: string): BenchFile =>
  existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as BenchFile) : { runs: [], means: [] };

/** Of the same runs, but for how many draws there were. */
const isSameMean = (a: Record<string, unknown>, b: Record<string, unknown>): boolean =>
  (['data', 'method', 'variant', 'options', 'backbone', 'size', 'seed', 'shots', 'imbalance'] as const).every(
    (name) => isDeepStrictEqual(a[name], b[name]),
  );

/** What is averaged over draws. */
const MEASURED = [
  'accuracy',
  'macroPrecision',
  'macroRecall',
  'macroF1',
  'kappa',
  'headRecall',
  'middleRecall',
  'tailRecall',
  'coverageAt99',
  'ece',
  'sure',
  'sureRight',
  'fitMs',
  'trainMs',
  'msPerImage',
] as const satisfies readonly (keyof ClassRow)[];

type Run = Pick<
  ClassRow,
  'data' | 'method' | 'variant' | 'options' | 'backbone' | 'size' | 'seed' | 'shots' | 'imbalance' | 'draw'
>;

const text = { type: 'string' } as const;
const FLAGS = {
  task: text,
  data: text,
  methods: { ...text, default: 'linear,nearest-mean,knn' },
  shots: { ...text, default: '5' },
  imbalance: text,
  draws: { ...text, default: '3' },
  seed: { ...text, default: '0' },
  backbone: { ...text, default: 'efficientnet-lite0' },
  clip: { ...text, default: 'sem-encoder' },
  weights: { ...text, multiple: true, default: [] as string[] },
  size: text,
  set: { ...text, multiple: true, default: [] as string[] },
  variant: { ...text, multiple: true, default: [''] as string[] },
  threads: text,
  json: text,
  resume: { type: 'boolean', default: false },
  doc: text,
  help: { type: 'boolean', default: false },
} as const;

type Flags = ReturnType<typeof readFlags<typeof FLAGS>>;

function weightsFor(method: string, flags: Flags): string {
  const own = flags.weights.map((text) => text.split('=')).find(([name]) => name === method)?.[1];
  const needs = Classifying.method(method).needs;
  return own ?? (standsOn(needs) === 'clip' ? flags.clip : flags.backbone);
}

async function runOne(
  host: NodeHost,
  run: Run,
  { classes, train, test, trainCounts }: ClassDraw,
): Promise<Omit<ClassRow, keyof Run>> {
  const spec: ClassFitSpec = {
    fitId: `${run.data}.${run.method}.${run.draw}` as FitId,
    method: run.method,
    options: run.options,
    backboneId: weightsOf(run.backbone),
    side: run.size,
    seed: run.seed,
    white: 255,
    classes,
    view: 'frame',
  };
  return host.withClasses(spec, train, async ({ summary, trainMs, classify }) => {
    for (const remark of summary.remarks) console.error(`${run.data} ${run.method}: ${remark}`);
    await classify(test.slice(0, 4));
    const start = performance.now();
    const found = await classify(test);
    const msPerImage = (performance.now() - start) / test.length;
    const actual = test.map(({ className }) => classes.indexOf(className));
    const probabilities = found.flatMap((one) => [...one.probabilities]);
    const { predicted, confidence, right } = topProbabilities(probabilities, actual);
    const report = classReport(actual, predicted, trainCounts);
    const sure = rightWhenSure(probabilities, actual);
    return {
      nTrain: train.length,
      nTest: test.length,
      accuracy: report.accuracy.value,
      macroPrecision: report.macroPrecision.value,
      macroRecall: report.macroRecall.value,
      macroF1: report.macroF1.value,
      kappa: report.kappa.value,
      headRecall: report.groupRecall.many,
      middleRecall: report.groupRecall.medium,
      tailRecall: report.groupRecall.few,
      coverageAt99: coverageAt(coverageRisk(confidence, right)),
      ece: calibrationError(probabilities, actual),
      sure: sure.n,
      sureRight: sure.n ? sure.right / sure.n : null,
      perClass: report.classes.map(({ trained, recall, purity }, c) => ({
        name: classes[c],
        trained,
        tested: recall.of,
        recall: recall.value,
        purity: purity.value,
      })),
      temperature: summary.sureness?.temperature ?? null,
      steps: summary.steps ?? null,
      fitMs: Math.round(summary.durationMs),
      trainMs,
      msPerImage,
    };
  });
}

const COLUMNS: readonly Column[] = [
  ...(['data', 'method', 'variant', 'shots', 'imbalance', 'draw', 'nTrain', 'nTest'] as const).map(
    (name): Column => [name, (row) => String((row[name] as string | number | null) ?? '')],
  ),
  ...MEASURED.map((name): Column => [
    name,
    (row) => {
      const value = row[name];
      if (typeof value !== 'number') return 'n/d';
      const around = row[`${name}Spread`];
      const digits = name === 'msPerImage' ? 1 : name === 'sure' || name.endsWith('Ms') ? 0 : 4;
      const spread = typeof around === 'number' && digits === 4 ? ` ± ${around.toFixed(3)}` : '';
      return value.toFixed(digits) + spread;
    },
  ]),
];

/** The command `--task classify`. @throws usage */
export async function benchClasses(): Promise<void> {
  const flags = readFlags(FLAGS);
  if (flags.help) {
    console.log(HELP);
    return;
  }
  if (!flags.data) usage('--data is missing; --task classify --help explains');
  const list = (text: string) => text.split(',').filter(Boolean);
  const methods = list(flags.methods);
  for (const method of methods)
    if (!Classifying.methods[method])
      usage(`--methods ${method}: known are ${Object.keys(Classifying.methods).join(', ')}`);
  const file: BenchFile = flags.resume
    ? readFile(flags.json ?? usage('--resume takes up what --json names'))
    : { runs: [], means: [] };
  const draws = toNumber('draws', flags.draws, 1);
  const seed = toNumber('seed', flags.seed, 0);
  const write = () => flags.json && writeFileSync(flags.json, `${JSON.stringify(file, null, 2)}\n`);
  const imbalance = flags.imbalance === undefined ? null : toNumber('imbalance', flags.imbalance, 1);
  const shots = imbalance === null ? list(flags.shots).map((text) => toNumber('shots', text, 1)) : [null];
  const fresh = async (host: NodeHost, run: Run, backbone: string, images: readonly BenchImage[]) => {
    const { data, method, shots: few, draw } = run;
    const drawn = few === null ? drawLongTail(images, imbalance!, draw) : drawShots(images, few, draw);
    const row: ClassRow = { ...run, ...(await runOne(host, { ...run, backbone }, drawn)) };
    file.runs.push(row);
    write();
    console.error(`${data} ${method} ${few ?? `1:${imbalance}`}, draw ${draw}: done`);
    return row;
  };
  const kinds = methods.flatMap((method) =>
    shots.flatMap((few) =>
      variantsOf(method, Classifying.method(method).options, flags).map((kind) => ({ ...kind, shots: few })),
    ),
  );
  const host = new NodeHost(threadsOf(flags));
  const shown: Record<string, unknown>[] = [];
  for (const folder of list(flags.data!)) {
    const images = readImages(folder);
    const data = basename(resolve(folder));
    for (const kind of kinds) {
      const backbone = weightsFor(kind.method, flags);
      const size = flags.size ? toNumber('size', flags.size, 32) : await host.usualSide(weightsOf(backbone));
      const own: ClassRow[] = [];
      for (let draw = 0; draw < draws; draw++) {
        const run: Run = { data, ...kind, backbone: basename(backbone), size, seed, imbalance, draw };
        own.push(knownRow(file.runs, run) ?? (await fresh(host, run, backbone, images)));
      }
      const mean = own.length > 1 ? meanRow(own, MEASURED, 'draw') : { ...own[0] };
      shown.push(mean);
      file.means = [...file.means.filter((known) => !isSameMean(known, mean)), mean];
      write();
    }
  }
  await host.close();
  const table = [
    COLUMNS.map(([title]) => title),
    ...shown.map((row) => COLUMNS.map(([, show]) => show(row))),
  ];
  printTable(table);
  if (flags.doc) writeSection('docs/bench.md', flags.doc, commandLine(), table);
}
