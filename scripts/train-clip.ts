/** `npm run train:clip -- --help` */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { loadBackbone } from '../src/engine/backbones';
import type { NetVectors } from '../src/methods/kit/trainer';
import { nodeBackend } from '../src/runtime/node';
import { Runtime } from '../src/runtime/runtime';
import { FAR_RANGES, RANGES } from '../src/sample/ranges';
import type { Ranges } from '../src/sample/ranges';
import { ClipTokenizer } from '../src/text/tokenizer';
import { semEncoderConfig } from '../src/nn/clip/sem-encoder';
import { bytesAsSource } from '../src/weights/byte-source';
import { readFlags, runCommand, usage } from './command-line';
import { ship } from './models-manifest';
import { Captions } from './train-clip/captions';
import { namedTensors } from './train-clip/encoder';
import { familiarity } from './train-clip/familiar';
import { encoderFile, foldStatistics, requireSame } from './train-clip/export';
import { Judge, quality } from './train-clip/judge';
import type { Figures } from './train-clip/judge';
import { modelCard } from './train-clip/model-card';
import { trainingPictures } from './train-clip/pictures';
import { IMAGES, MINUTES, phasesOf } from './train-clip/plan';
import type { Phase, Plan } from './train-clip/plan';
import { OTHER_RANGES } from './train-clip/ranges';
import { LITE0, StemFile, StemMaker, channelStatistics } from './train-clip/stems';
import { encoderLayouts } from './train-clip/step';
import { GroupEncoder } from './train-clip/texts';
import { train } from './train-clip/training';

const HELP = `Trains the built-in SEM encoder on procedural images and ships it with a model card.

npm run train:clip -- [options]
  --minutes N          budget on two quiet cores, images included; steps scale with it (default: ${MINUTES})
  --images N           different images of 160 px; an eighth as many of 240 px (default: ${IMAGES}, fewer below ${MINUTES} minutes)
  --seed N             of images, captions, first weights and order (default: 0)
  --average D          decay of the weight average for each step; 0 keeps the last weights (default: 0.999)
  --dropout P          share of the stem's channels that are silent in an image (default: 0.1)
  --noise S            one sigma of noise on the standardised stem (default: 0.1)
  --out DIR            where the weights, their card and the manifest go (default: public/models)
  --cache DIR          where stems and unfinished work are kept (default: .cache/train-clip)
  --fresh              begins anew; else a training that was ended goes on, to the same numbers

Unfinished work is saved every minute. 48,000 images take 4 GB in the cache.`;

/** Held-out images of each set. */
const HELD_OUT = 256;
/** Stems on which the exported file is compared with what was trained. */
const COMPARED = 8;
const PRINT_EVERY_MS = 20_000;

const text = { type: 'string' } as const;
const FLAGS = {
  minutes: { ...text, default: String(MINUTES) },
  images: text,
  seed: { ...text, default: '0' },
  average: { ...text, default: '0.999' },
  dropout: { ...text, default: '0.1' },
  noise: { ...text, default: '0.1' },
  out: { ...text, default: 'public/models' },
  cache: { ...text, default: '.cache/train-clip' },
  fresh: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

type Flags = ReturnType<typeof readFlags<typeof FLAGS>>;

function toNumber(flag: keyof Flags, text: string, least: number, most: number): number {
  const value = Number(text);
  return value >= least && value <= most
    ? value
    : usage(`--${flag} ${text}: a number from ${least} to ${most}`);
}

function toPlan(flags: Flags): Plan {
  const minutes = toNumber('minutes', flags.minutes, 0.1, 10_000);
  const images = flags.images ?? String(Math.ceil(IMAGES * Math.min(minutes / MINUTES, 1)));
  return {
    seed: Math.round(toNumber('seed', flags.seed, 0, 2 ** 31)),
    phases: phasesOf(minutes, Math.round(toNumber('images', images, 256, 10_000_000))),
    each: 4,
    decay: toNumber('average', flags.average, 0, 0.99999),
    dropout: toNumber('dropout', flags.dropout, 0, 0.9),
    noise: toNumber('noise', flags.noise, 0, 10),
  };
}

async function run(flags: Flags): Promise<void> {
  const plan = toPlan(flags);
  const path = join(flags.cache, 'progress.safetensors');
  if (flags.fresh) rmSync(path, { force: true });
  const runtime = new Runtime(nodeBackend(ort));
  const captions = new Captions(new ClipTokenizer(readFileSync('public/models/clip-merges.txt', 'utf8')));
  const config = semEncoderConfig(captions.tokenIds.length);
  const layouts = encoderLayouts(config);
  const maker = await StemMaker.open(runtime);
  const stems: StemFile[] = [];
  for (const phase of plan.phases) stems.push(await stemsOf(phase, plan.seed, flags.cache, maker));
  const statistics = channelStatistics(stems[0]);

  const texts = await GroupEncoder.open(runtime, { layouts, config }, captions);
  const judgeOn = (name: string, ranges: Ranges) => {
    const set = { name, side: config.imageSide, seed: plan.seed, sources: [{ ranges }] };
    return Judge.open(runtime, { layouts, config }, set, HELD_OUT, maker, statistics);
  };
  const usual = await judgeOn('usual', RANGES);
  const other = await judgeOn('other', OTHER_RANGES);
  const look = async (weights: NetVectors) => {
    const vectors = await texts.vectors(weights, false);
    const [own, theirs] = [await usual.figures(weights, vectors), await other.figures(weights, vectors)];
    console.log(`held out: usual ranges ${inWords(own)}; other ranges ${inWords(theirs)}`);
    // What it was made for, and what it was not, alike.
    return (quality(own) + quality(theirs)) / 2;
  };
  const print = console.log;
  const best = await train({ runtime, plan, config, captions, stems, statistics, path, look, print });

  const vectors = await texts.vectors(best.vectors, true);
  const tensors = foldStatistics(namedTensors(layouts, best.vectors), statistics);
  const plain = encoderFile(tensors, captions.tokenIds, vectors);
  const stem = () => loadBackbone(bytesAsSource(readFileSync(LITE0)));
  const encoder = await loadBackbone(bytesAsSource(plain), { activation: 'gelu', stem });
  const familiar = await familiarity(runtime, encoder, plan.seed);
  const file = encoderFile({ ...tensors, ...familiar }, captions.tokenIds, vectors);
  const records = Array.from({ length: COMPARED }, (_, i) => stems[0].read(i));
  const trained = { layouts, config, vectors: best.vectors, statistics };
  const error = await requireSame(runtime, file, trained, records, captions);
  console.log(`the file gives what was trained, but for ${error.toExponential(1)} of the largest value`);
  const judges = {
    'usual ranges (chosen by)': usual,
    'another instrument (chosen by)': other,
    'far from training in everything': await judgeOn('far', FAR_RANGES),
  };
  const figures: Record<string, Figures> = {};
  for (const [name, judge] of Object.entries(judges)) {
    figures[name] = await judge.figures(best.vectors, vectors);
    console.log(`${name}: ${inWords(figures[name])}`);
  }
  const parameters = Object.values(layouts).reduce((sum, own) => sum + own.parameters.size, 0);
  shipEncoder(flags.out, file, modelCard({ plan, best, parameters, heldOut: HELD_OUT, figures }));
  for (const own of stems) own.close();
  await runtime.close();
}

function shipEncoder(folder: string, file: Uint8Array, card: string): void {
  const name = 'MODEL-CARD-sem-encoder.md';
  ship(folder, file, {
    id: 'sem-encoder',
    file: 'sem-encoder.safetensors',
    architecture: 'sem-encoder',
    licence: 'MIT',
    source: `Trained from scratch by \`npm run train:clip\` on procedural images alone: ${name}.`,
  });
  writeFileSync(join(folder, name), card);
}

function stemsOf({ side, images }: Phase, seed: number, cache: string, maker: StemMaker): Promise<StemFile> {
  let shown = performance.now();
  return StemFile.open(cache, trainingPictures(side, seed), images, maker, (done) => {
    if (done < images && performance.now() - shown < PRINT_EVERY_MS) return;
    shown = performance.now();
    console.log(`${side} px: ${done} of ${images} images`);
  });
}

const inWords = ({ imageAuroc, genericAuroc, pixelAuroc, accuracy }: Figures): string =>
  `image AUROC ${imageAuroc.toFixed(3)} (generic ${genericAuroc.toFixed(3)}), pixel ${pixelAuroc.toFixed(3)}, ` +
  `accuracy ${accuracy.toFixed(3)}`;

await runCommand('train:clip', async () => {
  const flags = readFlags(FLAGS);
  if (flags.help) console.log(HELP);
  else await run(flags);
});
