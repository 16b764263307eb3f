import { AppError } from '../../base/errors';
import { floatTensor, floats } from '../../base/tensor';
import type { DeviceTensor } from '../../runtime/device-tensor';
import type { Feeds } from '../../runtime/program';
import type { FitWorld, FitProgress, MethodState } from '../contract';
import { Trainer } from './trainer';
import type { NetVectors } from './trainer';
import type { StepSpec } from './training-graph';

/** How a method is trained. */
export interface GradientFit {
  /** Under which unfinished work is kept; a fit with two trainings needs two names. */
  readonly key: string;
  readonly steps: Readonly<Record<string, StepSpec>>;
  /** Steps of one iteration, in order, repeats allowed; every step once when left out. */
  readonly cycle?: readonly string[];
  readonly iterations: number;
  /** Learning rate of a network in an iteration, counted from 0. */
  rate(net: string, iteration: number): number;
  /**
   * What a step is fed with.
   * @param turn place in the cycle
   * @param carried what earlier steps of this iteration left on the device
   */
  feeds(
    step: string,
    iteration: number,
    turn: number,
    carried: Readonly<Record<string, DeviceTensor>>,
  ): Promise<Feeds> | Feeds;
  /** Measures good images that are not trained on, keeps the best networks, and ends when they stop getting better. */
  readonly heldOut?: {
    /** Without any, training runs its whole length. */
    readonly images: Int32Array;
    readonly step: string;
    /** Iterations between two looks. */
    readonly every: number;
    /** Looks without a new best after which training ends. */
    readonly patience: number;
    /** The same batches every time. */
    feeds(): Promise<readonly Feeds[]>;
  };
  /** Networks that start from what another training left. */
  readonly start?: MethodState;
  /** What this training is called where it is one of several. */
  readonly phase?: string;
  /** True for a training whose networks are no detector without the next one's: a fit can't be ended with them. */
  readonly partial?: boolean;
  /** How often unfinished work is kept. */
  readonly checkpointMs?: number;
  /** What the numbers going to infinity usually comes from, for the message. */
  readonly divergence?: string;
}

/** Losses are read back this often: each reading waits for the device. */
const READ_EVERY = 5;
const CHECKPOINT_MS = 15_000;
const TRIAL_ITERATIONS = 3;

/** Where a training stands. */
interface Standing {
  iteration: number;
  best: { loss: number; iteration: number; vectors: NetVectors } | undefined;
  /** The last vectors that gave a finite loss. */
  safe: NetVectors;
}

/**
 * Trains networks by gradient descent: one run of a graph a step, vectors resident on the device, unfinished work kept
 * in checkpoints, the best networks by held-out loss returned.
 * @returns named tensors `${network}.${tensor}`, parameters and running statistics
 * @throws fit/diverged when no finite loss was ever seen
 */
export async function* fitByGradient(
  context: FitWorld,
  fit: GradientFit,
): AsyncGenerator<FitProgress, MethodState> {
  const trainer = new Trainer(context, fit.steps, fit.start);
  try {
    if (context.trial) {
      yield* measure(context, trainer, fit);
      return {};
    }
    const standing: Standing = { iteration: 0, best: undefined, safe: await trainer.vectors() };
    await resume(context, trainer, fit, standing);
    yield* train(context, trainer, fit, standing);
    return trainer.tensors(standing.best?.vectors ?? standing.safe);
  } finally {
    trainer.dispose();
  }
}

async function* train(
  context: FitWorld,
  trainer: Trainer,
  fit: GradientFit,
  standing: Standing,
): AsyncGenerator<FitProgress, void> {
  const looks = fit.heldOut?.images.length ? fit.heldOut : undefined;
  let saved = performance.now();
  let usable = standing.iteration > 0;
  while (standing.iteration < fit.iterations) {
    const last = standing.iteration + 1 === fit.iterations;
    const look = looks && (last || (standing.iteration + 1) % looks.every === 0);
    const read = look || last || standing.iteration % READ_EVERY === 0;
    const loss = await iterate(trainer, fit, standing.iteration, read);
    if (loss !== undefined && !Number.isFinite(loss)) return diverged(context, fit, standing, usable);
    standing.iteration++;
    let heldOutLoss: number | undefined;
    if (look) {
      heldOutLoss = await heldOut(trainer, looks);
      if (!Number.isFinite(heldOutLoss)) return diverged(context, fit, standing, usable);
      if (!(heldOutLoss >= (standing.best?.loss ?? Infinity)))
        standing.best = {
          loss: heldOutLoss,
          iteration: standing.iteration,
          vectors: await trainer.vectors(),
        };
    }
    usable ||= read;
    const { iteration, best } = standing;
    yield {
      phase: fit.phase ?? 'training',
      done: iteration,
      total: fit.iterations,
      unit: 'steps',
      loss,
      heldOutLoss,
      usable: usable && !fit.partial,
    };
    const patient = !looks || !best || iteration - best.iteration < looks.patience * looks.every;
    if (context.ending)
      context.remark(`Ended by hand after ${iteration} of ${fit.iterations} steps; ${kept(standing)}.`);
    if (context.ending || !patient) break;
    if (performance.now() - saved >= (fit.checkpointMs ?? CHECKPOINT_MS)) {
      if (!best) standing.safe = await trainer.vectors();
      await save(context, trainer, fit, standing);
      saved = performance.now();
    }
  }
  if (!standing.best) standing.safe = await trainer.vectors();
}

const kept = ({ best, iteration }: Standing): string =>
  best ? `kept is step ${best.iteration}, the best on held-out good images` : `kept is step ${iteration}`;

/** One iteration: every step of the cycle. @returns the first step's loss when it is read */
async function iterate(
  trainer: Trainer,
  fit: GradientFit,
  iteration: number,
  read: boolean,
): Promise<number | undefined> {
  const cycle = fit.cycle ?? Object.keys(fit.steps);
  const carried: Record<string, DeviceTensor> = {};
  let loss: number | undefined;
  try {
    for (const [turn, step] of cycle.entries()) {
      const feeds = await fit.feeds(step, iteration, turn, carried);
      const run = await trainer.step(step, feeds, (net) => fit.rate(net, iteration));
      for (const [name, tensor] of Object.entries(run.carried)) {
        carried[name]?.dispose();
        carried[name] = tensor;
      }
      if (read) {
        const [value] = await trainer.read(run.report);
        // Any step of the cycle may be the one that leaves the numbers.
        if (turn === 0 || !Number.isFinite(value))
          loss = loss !== undefined && !Number.isFinite(loss) ? loss : value;
      }
      run.report.dispose();
    }
    return loss;
  } finally {
    for (const tensor of Object.values(carried)) tensor.dispose();
  }
}

async function heldOut(trainer: Trainer, looks: NonNullable<GradientFit['heldOut']>): Promise<number> {
  const batches = await looks.feeds();
  let sum = 0;
  for (const feeds of batches) sum += await trainer.loss(looks.step, feeds, 'evaluate');
  return sum / batches.length;
}

function diverged(context: FitWorld, fit: GradientFit, standing: Standing, usable: boolean): void {
  const cause = fit.divergence ?? 'the learning rate is too high for these images';
  const fact = `the loss stopped being a finite number at step ${standing.iteration + 1} of ${fit.iterations}`;
  const hint = `Likely ${cause}.`;
  if (!usable) throw new AppError('fit/diverged', fact, { hint });
  context.remark(`${fact[0].toUpperCase()}${fact.slice(1)}; kept is the last good state. ${hint}`);
}

const checkpointKey = (fit: GradientFit): string => `training.${fit.key}`;

/** [iteration, best loss, best iteration, bestful?], everything packed, then the best or last good vectors. */
async function save(
  context: FitWorld,
  trainer: Trainer,
  fit: GradientFit,
  standing: Standing,
): Promise<void> {
  const { best, iteration } = standing;
  const packed = await trainer.pack();
  const vectors = Object.values(best?.vectors ?? standing.safe);
  const parts = [
    Float32Array.of(iteration, best?.loss ?? 0, best?.iteration ?? 0, best ? 1 : 0, packed.length),
    packed,
    ...vectors.flatMap(({ parameters, statistics }) => [parameters, statistics]),
  ];
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  await context.checkpoint.put(checkpointKey(fit), floatTensor([all.length], all));
}

async function resume(
  context: FitWorld,
  trainer: Trainer,
  fit: GradientFit,
  standing: Standing,
): Promise<void> {
  const piece = await context.checkpoint.get(checkpointKey(fit));
  if (!piece) return;
  const all = floats(piece);
  const [iteration, loss, bestIteration, hasBest, length] = all;
  let at = 5;
  trainer.unpack(all.slice(at, (at += length)));
  const vectors: Record<string, { parameters: Float32Array; statistics: Float32Array }> = {};
  for (const [net, { parameters, statistics }] of Object.entries(trainer.layouts))
    vectors[net] = {
      parameters: all.slice(at, (at += parameters.size)),
      statistics: all.slice(at, (at += statistics.size)),
    };
  standing.iteration = iteration;
  if (hasBest) standing.best = { loss, iteration: bestIteration, vectors };
  else standing.safe = vectors;
}

/** Times a few iterations, and the forward pass of the first step, after a warm-up. */
async function* measure(
  context: FitWorld,
  trainer: Trainer,
  fit: GradientFit,
): AsyncGenerator<FitProgress, void> {
  const cycle = fit.cycle ?? Object.keys(fit.steps);
  const [first] = cycle;
  const feeds = await fit.feeds(first, 0, 0, {});
  const tick: FitProgress = { phase: 'measuring', done: 0, total: 1, unit: 'steps' };
  // A tick a run: a fit that starts meanwhile ends the measuring there.
  const timed = async function* (work: () => Promise<unknown>): AsyncGenerator<FitProgress, number> {
    await work();
    const times: number[] = [];
    for (let i = 0; i < TRIAL_ITERATIONS; i++) {
      yield tick;
      const start = performance.now();
      await work();
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[TRIAL_ITERATIONS >> 1];
  };
  const forwardMs = yield* timed(() => trainer.loss(first, feeds, 'forward'));
  const stepMs = yield* timed(async () => {
    const run = await trainer.step(first, feeds, (net) => fit.rate(net, 0));
    await trainer.read(run.report);
    for (const tensor of [run.report, ...Object.values(run.carried)]) tensor.dispose();
  });
  let iteration = 0;
  const iterationMs =
    cycle.length > 1 ? yield* timed(() => iterate(trainer, fit, iteration++, true)) : stepMs;
  context.trial!.report({ forwardMs, stepMs, iterationMs, iterations: fit.iterations });
  yield { ...tick, done: 1 };
}
