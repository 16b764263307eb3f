import { assert } from '../../base/errors';
import type { Rng } from '../../base/rng';
import { floatTensor, floats } from '../../base/tensor';
import { rates, slotNames, slotStart } from '../../nn/optimisers';
import type { OptimiserSpec } from '../../nn/optimisers';
import type { DeviceTensor } from '../../runtime/device-tensor';
import type { Feeds } from '../../runtime/program';
import type { FitWorld, FitProgram, MethodState } from '../contract';
import { declareNets, emitStep, nextName, ratesName, vectorName } from './training-graph';
import type { EmittedStep, NetLayouts, StepMode, StepSpec } from './training-graph';

/** What a trainer asks of the world. */
export type TrainerContext = Pick<FitWorld, 'compile' | 'upload' | 'read' | 'rng'>;

/** Parameters and running statistics of every network, read back. */
export type NetVectors = Readonly<Record<string, { parameters: Float32Array; statistics: Float32Array }>>;

interface CompiledStep extends EmittedStep {
  readonly program: FitProgram;
}

/** Results of one run; the caller disposes them. */
export interface StepRun {
  readonly report: DeviceTensor;
  readonly carried: Readonly<Record<string, DeviceTensor>>;
}

/** Networks on the device, moved step by step: vectors go from run to run without being read back. */
export class Trainer {
  readonly #vectors = new Map<string, DeviceTensor>();
  /** Updates of each network so far: Adam's bias correction counts them. */
  readonly #updates = new Map<string, number>();
  readonly #compiled = new Map<string, Promise<CompiledStep>>();
  readonly layouts: NetLayouts;

  /**
   * @param known networks by name that start from given tensors instead of their first values
   */
  constructor(
    private readonly context: TrainerContext,
    private readonly steps: Readonly<Record<string, StepSpec>>,
    known: MethodState = {},
  ) {
    this.layouts = declareNets(Object.values(steps));
    for (const [name, { parameters, statistics }] of Object.entries(this.layouts)) {
      const prefix = `${name}.`;
      const given = Object.fromEntries(
        Object.entries(known).flatMap(([key, tensor]) =>
          key.startsWith(prefix) ? [[key.slice(prefix.length), tensor]] : [],
        ),
      );
      const fresh = Object.keys(given).length === 0;
      const rngOf = (tensor: string): Rng => context.rng(`start.${name}.${tensor}`);
      this.#put(vectorName(name, 'parameters'), fresh ? parameters.start(rngOf) : parameters.pack(given));
      if (statistics.size)
        this.#put(vectorName(name, 'statistics'), fresh ? statistics.start(rngOf) : statistics.pack(given));
    }
    for (const [name, optimiser] of this.#optimisers()) {
      this.#updates.set(name, 0);
      const { size } = this.layouts[name].parameters;
      for (const slot of slotNames(optimiser))
        this.#put(vectorName(name, slot), new Float32Array(size).fill(slotStart(optimiser)));
    }
  }

  /** One step of training. @param rateOf learning rate of each network it updates */
  async step(name: string, feeds: Feeds, rateOf: (net: string) => number): Promise<StepRun> {
    const compiled = await this.#compile(name, 'train');
    const rateFeeds: Record<string, ReturnType<typeof floatTensor>> = {};
    for (const [net, { optimiser }] of Object.entries(this.steps[name].nets)) {
      if (!optimiser) continue;
      const update = this.#updates.get(net)! + 1;
      this.#updates.set(net, update);
      const values = rates(optimiser, rateOf(net), update);
      rateFeeds[ratesName(net)] = floatTensor([values.length], values);
    }
    const { resident } = await compiled.program.run({ ...this.#feedsOf(compiled), ...feeds, ...rateFeeds });
    for (const vector of compiled.next) {
      this.#vectors.get(vector)!.dispose();
      this.#vectors.set(vector, resident[nextName(vector)]);
    }
    return {
      report: resident.report,
      carried: Object.fromEntries(compiled.carried.map((carried) => [carried, resident[carried]])),
    };
  }

  /** The loss alone, networks untouched. */
  async loss(name: string, feeds: Feeds, mode: 'forward' | 'evaluate'): Promise<number> {
    const compiled = await this.#compile(name, mode);
    const { resident } = await compiled.program.run({ ...this.#feedsOf(compiled), ...feeds });
    const [loss] = await this.read(resident.report);
    resident.report.dispose();
    return loss;
  }

  async read(tensor: DeviceTensor): Promise<Float32Array> {
    return floats(await this.context.read(tensor));
  }

  /** Names of the numbers in a step's report. */
  async reportOf(name: string): Promise<readonly string[]> {
    return (await this.#compile(name, 'train')).report;
  }

  /** Parameters and statistics of every network as they are now. */
  async vectors(): Promise<NetVectors> {
    const found: Record<string, { parameters: Float32Array; statistics: Float32Array }> = {};
    for (const net of Object.keys(this.layouts)) {
      const statistics = this.#vectors.get(vectorName(net, 'statistics'));
      found[net] = {
        parameters: (await this.read(this.#vectors.get(vectorName(net, 'parameters'))!)).slice(),
        statistics: statistics ? (await this.read(statistics)).slice() : new Float32Array(),
      };
    }
    return found;
  }

  /** Named tensors of every network: `${network}.${tensor}`. */
  tensors(vectors: NetVectors): MethodState {
    const state: Record<string, MethodState[string]> = {};
    for (const [net, { parameters, statistics }] of Object.entries(this.layouts)) {
      const named = {
        ...parameters.tensors(vectors[net].parameters),
        ...statistics.tensors(vectors[net].statistics),
      };
      for (const [name, tensor] of Object.entries(named)) state[`${net}.${name}`] = tensor;
    }
    return state;
  }

  /** Everything a resumed fit needs, in one array: counts of updates, then every vector. */
  async pack(): Promise<Float32Array> {
    const parts: Float32Array[] = [Float32Array.from(this.#updates.values())];
    for (const vector of this.#vectors.values()) parts.push(await this.read(vector));
    const packed = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      packed.set(part, at);
      at += part.length;
    }
    return packed;
  }

  unpack(packed: Float32Array): void {
    let at = this.#updates.size;
    [...this.#updates.keys()].forEach((net, i) => this.#updates.set(net, packed[i]));
    for (const [name, vector] of [...this.#vectors]) {
      const size = vector.bytes / 4;
      vector.dispose();
      this.#put(name, packed.slice(at, at + size));
      at += size;
    }
    assert(at === packed.length, 'a checkpoint of another network');
  }

  dispose(): void {
    for (const vector of this.#vectors.values()) vector.dispose();
    this.#vectors.clear();
  }

  #put(name: string, values: Float32Array): void {
    this.#vectors.set(name, this.context.upload(floatTensor([values.length], values)));
  }

  #feedsOf({ graph }: EmittedStep): Record<string, DeviceTensor> {
    const feeds: Record<string, DeviceTensor> = {};
    for (const name of graph.inputs.keys()) {
      const vector = this.#vectors.get(name);
      if (vector) feeds[name] = vector;
    }
    return feeds;
  }

  *#optimisers(): Generator<readonly [string, OptimiserSpec]> {
    for (const { nets } of Object.values(this.steps))
      for (const [name, { optimiser }] of Object.entries(nets)) if (optimiser) yield [name, optimiser];
  }

  #compile(name: string, mode: StepMode): Promise<CompiledStep> {
    const key = `${name}|${mode}`;
    let compiled = this.#compiled.get(key);
    if (!compiled) {
      const emitted = emitStep(this.steps[name], this.layouts, mode);
      const resident = ['report', ...emitted.carried, ...emitted.next.map(nextName)];
      compiled = this.context.compile(emitted.graph, resident).then((program) => ({ ...emitted, program }));
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }
}
