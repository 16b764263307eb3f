import { AppError } from '../../src/base/errors';
import { Rng } from '../../src/base/rng';
import type { TensorData } from '../../src/base/tensor';
import { Trainer } from '../../src/methods/kit/trainer';
import type { NetVectors, TrainerContext } from '../../src/methods/kit/trainer';
import type { ClipConfig } from '../../src/nn/clip/config';
import type { Runtime } from '../../src/runtime/runtime';
import { AVERAGE_EVERY, WeightAverage } from './average';
import { Batches, batchClasses } from './batches';
import type { Captions } from './captions';
import { scheduleOf } from './plan';
import type { Phase, Plan } from './plan';
import { loadProgress, saveProgress } from './progress';
import type { Best } from './progress';
import type { ChannelStatistics, StemFile } from './stems';
import { trainingStep } from './step';

const SAVE_EVERY_MS = 60_000;
const PRINT_EVERY = 50;
/** Share of a step in the losses that are shown. */
const FRESH = 0.05;

/** What a training is given. */
export interface TrainingInputs {
  readonly runtime: Runtime;
  readonly plan: Plan;
  readonly config: ClipConfig;
  readonly captions: Captions;
  /** Images of each phase. */
  readonly stems: readonly StemFile[];
  readonly statistics: ChannelStatistics;
  /** How good weights are on images that are held out. */
  readonly look: (weights: NetVectors) => Promise<number>;
  /** Where unfinished work is kept. */
  readonly path: string;
  readonly saveEveryMs?: number;
  readonly print: (line: string) => void;
}

/**
 * Trains through all phases, or goes on where an earlier run of the same plan was ended.
 * @returns the average weights that did best on held-out images
 * @throws fit/diverged, usage for unfinished work of another plan
 */
export async function train(inputs: TrainingInputs): Promise<Best> {
  const { plan, path, print, saveEveryMs = SAVE_EVERY_MS } = inputs;
  const identity = JSON.stringify(plan);
  const resumed = await loadProgress(path, identity);
  let best = resumed?.best;
  let start: Readonly<Record<string, TensorData>> | undefined;
  let seconds = resumed?.seconds ?? 0;
  for (let index = resumed?.phase ?? 0; index < plan.phases.length; index++) {
    const phase = plan.phases[index];
    const trainer = openTrainer(inputs, phase, start);
    const here = resumed?.phase === index ? resumed : undefined;
    if (here) trainer.unpack(here.packed);
    const average = new WeightAverage(plan.decay, here?.average ?? (await trainer.vectors()), here?.looks);
    const batches = new Batches(inputs.stems[index], inputs.statistics, inputs.captions, {
      ...plan,
      ...phase,
    });
    const rateOf = scheduleOf(phase);
    const names = await trainer.reportOf('step');
    const shown = new Map<string, number>();
    let saved = performance.now();
    let since = saved;
    if (here) print(`${phase.side} px: goes on at step ${here.step}`);
    for (let step = here?.step ?? 0; step < phase.steps;) {
      const { report } = await trainer.step('step', batches.feeds(step), () => rateOf(step));
      const values = await trainer.read(report);
      report.dispose();
      step++;
      if (!Number.isFinite(values[0]))
        throw new AppError('fit/diverged', `the loss stopped being a finite number at step ${step}`);
      names.forEach((name, i) => shown.set(name, mixed(shown.get(name), values[i])));
      if (step % AVERAGE_EVERY === 0) average.add(await trainer.vectors());
      const last = step === phase.steps;
      if (step % PRINT_EVERY === 0 || last) {
        const losses = [...shown].map(([name, value]) => `${name} ${value.toFixed(3)}`).join(', ');
        const now = seconds + (performance.now() - since) / 1000;
        print(`${phase.side} px, step ${step}/${phase.steps}, ${(now / 60).toFixed(1)} min: ${losses}`);
      }
      if (step % phase.lookEvery === 0 || last) {
        const quality = await inputs.look(average.vectors);
        if (!best || quality > best.quality)
          best = { phase: index, step, quality, vectors: copied(average.vectors) };
      }
      if (performance.now() - saved >= saveEveryMs || last) {
        saved = performance.now();
        seconds += (saved - since) / 1000;
        since = saved;
        const { vectors, looks } = average;
        const packed = await trainer.pack();
        saveProgress(path, identity, { phase: index, step, packed, average: vectors, looks, best, seconds });
      }
    }
    start = trainer.tensors(average.vectors);
    trainer.dispose();
  }
  return best!;
}

function openTrainer(
  { runtime, plan, config, captions }: TrainingInputs,
  { side, batch }: Phase,
  start: Readonly<Record<string, TensorData>> | undefined,
): Trainer {
  const context: TrainerContext = {
    compile: (graph, resident) => runtime.compile(graph, { resident }),
    upload: (tensor) => runtime.upload(tensor),
    read: (tensor) => runtime.read(tensor),
    rng: (name) => new Rng(plan.seed, name),
  };
  const grid = side / config.patch;
  const step = trainingStep({
    config,
    classes: batchClasses(batch),
    grid,
    each: plan.each,
    tokens: captions.longest,
  });
  return new Trainer(context, { step }, start);
}

const mixed = (before: number | undefined, now: number): number =>
  before === undefined ? now : (1 - FRESH) * before + FRESH * now;

const copied = (vectors: NetVectors): NetVectors =>
  Object.fromEntries(
    Object.entries(vectors).map(([part, { parameters, statistics }]) => [
      part,
      { parameters: parameters.slice(), statistics },
    ]),
  );
