import type { GraphBuilder } from '../../graph/builder';
import type { Value } from '../../graph/value';
import type { MethodState } from '../contract';

/** A state's tensors as inputs of a graph, which is then fed with the state. */
export const stateInputs = (graph: GraphBuilder, state: MethodState): Record<string, Value> =>
  Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, graph.input(name, shape)]));
