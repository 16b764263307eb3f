import { assert } from '../../base/errors';
import type { DType, Shape } from '../../base/tensor';
import { gradients } from '../../graph/autodiff';
import { GraphBuilder } from '../../graph/builder';
import type { Graph } from '../../graph/builder';
import { peakBytes } from '../../graph/liveness';
import { add, concat, div, min, mul, reduceSum, reshape, sqrt } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import { DeclaringNet, FlatNet } from '../../nn/net';
import type { Net, NetLayout, NetSettings } from '../../nn/net';
import { RATE_COUNT, optimiserStep, slotNames } from '../../nn/optimisers';
import type { OptimiserSpec } from '../../nn/optimisers';

/** A network's part in a step: updated when it has an optimiser, otherwise gradients only pass through it. */
export interface NetRole extends NetSettings {
  readonly optimiser?: OptimiserSpec;
  /** Batch norms with their running statistics, in a step that leaves the network alone. */
  readonly frozen?: boolean;
}

/** What `build` writes a step with. */
export interface StepGraph {
  readonly graph: GraphBuilder;
  /** True when held-out images are measured: no noise, running statistics. */
  readonly evaluating: boolean;
  readonly net: (name: string) => Net;
  /** Fed at every run. */
  readonly input: (name: string, shape: Shape, dtype?: DType) => Value;
}

export interface StepResult {
  readonly loss: Value;
  /** Scalars that are shown beside the loss. */
  readonly terms?: Readonly<Record<string, Value>>;
  /** Results that stay on the device and are fed to the later steps of the same iteration, by their input names. */
  readonly carried?: Readonly<Record<string, Value>>;
}

/** One training step as data: which networks, and the loss they are moved by. */
export interface StepSpec {
  readonly nets: Readonly<Record<string, NetRole>>;
  build(step: StepGraph): StepResult;
  /** Scales the gradients of all networks together so that their norm is at most this. */
  readonly clipNorm?: number;
}

export type StepMode = 'train' | 'forward' | 'evaluate';

/** Layouts of every network of some steps, in the order in which their tensors are first asked for. */
export type NetLayouts = Readonly<Record<string, NetLayout>>;

/** Writes the steps once without a graph to run, for the names and shapes of their networks. */
export function declareNets(steps: readonly StepSpec[]): NetLayouts {
  const graph = new GraphBuilder();
  const nets: Record<string, DeclaringNet> = {};
  for (const step of steps)
    step.build({
      graph,
      evaluating: false,
      net: (name) => (nets[name] ??= new DeclaringNet(graph)),
      input: (_, shape, dtype = 'float32') => graph.placeholder(dtype, shape),
    });
  return nets;
}

/** A step's graph and what its numbers are called. */
export interface EmittedStep {
  readonly graph: Graph;
  /** Names of the scalars in the output `report`, the loss first. */
  readonly report: readonly string[];
  readonly carried: readonly string[];
  /** Outputs that replace the inputs they are named after. */
  readonly next: readonly string[];
}

/** Input and output names of a network's vectors. */
export const vectorName = (net: string, vector: string): string => `${net}.${vector}`;
export const nextName = (name: string): string => `${name}.next`;
export const ratesName = (net: string): string => `${net}.rates`;

/**
 * Emits a step: `train` with backward pass and updates, `forward` with the loss alone, `evaluate` with the loss under
 * running statistics. One flat vector each of parameters, statistics and optimiser slots goes in and comes out.
 */
export function emitStep(spec: StepSpec, layouts: NetLayouts, mode: StepMode): EmittedStep {
  const graph = new GraphBuilder();
  const nets = new Map<string, { net: FlatNet; vector: Value; statistics: Value | undefined }>();
  const net = (name: string) => {
    let known = nets.get(name);
    if (!known) {
      const layout = layouts[name];
      const role = spec.nets[name];
      assert(role, `the step has no network "${name}"`);
      const vector = graph.input(vectorName(name, 'parameters'), [layout.parameters.size]);
      const { size } = layout.statistics;
      const statistics = size ? graph.input(vectorName(name, 'statistics'), [size]) : undefined;
      const still = mode === 'evaluate' || role.frozen;
      const flat = new FlatNet(
        graph,
        layout,
        { parameters: vector, statistics },
        role,
        still ? 'evaluate' : 'train',
      );
      nets.set(name, (known = { net: flat, vector, statistics }));
    }
    return known.net;
  };
  const result = spec.build({
    graph,
    evaluating: mode === 'evaluate',
    net,
    input: (name, shape, dtype) => graph.input(name, shape, dtype),
  });
  const scalars = { loss: result.loss, ...result.terms };
  graph.output(
    'report',
    concat(
      Object.values(scalars).map((value) => reshape(value, [1])),
      0,
    ),
  );
  const next: string[] = [];
  const carried = mode === 'train' ? (result.carried ?? {}) : {};
  for (const [name, value] of Object.entries(carried)) graph.output(name, value);
  if (mode === 'train') {
    const updated = Object.entries(spec.nets).flatMap(([name, { optimiser }]) => {
      const used = nets.get(name);
      if (!optimiser) return [];
      assert(used, `the step updates "${name}" without using it`);
      const flat = gradients(result.loss, used.net.parameters).map((value) => reshape(value, [-1]));
      return [{ name, optimiser, gradient: concat(flat, 0), vector: used.vector }];
    });
    const scale = spec.clipNorm === undefined ? undefined : clipScale(updated, spec.clipNorm);
    for (const { name, optimiser, gradient, vector } of updated) {
      const slots = Object.fromEntries(
        slotNames(optimiser).map((slot) => [slot, graph.input(vectorName(name, slot), vector.shape)]),
      );
      const step = optimiserStep(optimiser, {
        parameters: vector,
        gradient: scale ? mul(gradient, scale) : gradient,
        slots,
        rates: graph.input(ratesName(name), [RATE_COUNT]),
      });
      for (const [vectorOf, value] of Object.entries({ parameters: step.parameters, ...step.slots }))
        next.push(replace(graph, vectorName(name, vectorOf), value));
    }
    for (const [name, used] of nets) {
      const statistics = used.net.nextStatistics;
      if (statistics) next.push(replace(graph, vectorName(name, 'statistics'), statistics));
    }
  }
  return { graph: graph.build(), report: Object.keys(scalars), carried: Object.keys(carried), next };
}

function replace(graph: GraphBuilder, name: string, value: Value): string {
  graph.output(nextName(name), value);
  return name;
}

/** min(1, c/(‖g‖+1e-6)) over the gradients of all networks. @source methods.md 1.8 */
function clipScale(updated: readonly { readonly gradient: Value }[], limit: number): Value {
  const squared = updated
    .map(({ gradient }) => reduceSum(mul(gradient, gradient)))
    .reduce((sum, value) => add(sum, value));
  return min(div(limit, add(sqrt(squared), 1e-6)), 1);
}

/** Bytes of the networks that a fit keeps: parameters and running statistics. */
export const netBytes = (steps: readonly StepSpec[]): number =>
  Object.values(declareNets(steps)).reduce(
    (sum, { parameters, statistics }) => sum + 4 * (parameters.size + statistics.size),
    0,
  );

/** Bytes that training takes on the device: vectors of all networks, twice for those a step replaces, and activations. */
export function trainingBytes(steps: readonly StepSpec[]): number {
  const layouts = declareNets(steps);
  const vectors = Object.values(layouts).reduce(
    (sum, { parameters, statistics }) => sum + 4 * (2 * parameters.size + statistics.size),
    0,
  );
  const slots = steps.flatMap(({ nets }) =>
    Object.entries(nets).map(([name, { optimiser }]) =>
      optimiser ? 4 * slotNames(optimiser).length * layouts[name].parameters.size : 0,
    ),
  );
  const activations = Math.max(...steps.map((step) => peakBytes(emitStep(step, layouts, 'train').graph)));
  return vectors + slots.reduce((sum, bytes) => sum + bytes, 0) + activations;
}
