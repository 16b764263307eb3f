import { BYTES_PER_ELEMENT, sizeOf } from '../base/tensor';
import type { Graph } from './builder';
import type { Value } from './value';

const bytesOfValue = ({ dtype, shape }: Value): number => sizeOf(shape) * BYTES_PER_ELEMENT[dtype];

/**
 * Bytes that the nodes' results take at their peak when nodes run in order and a result is freed after its last use.
 * What a provider allocates besides (work space, alignment, what it keeps for the next run) is not in it.
 */
export function peakBytes(graph: Graph): number {
  const lastUse = new Map<Value, number>();
  graph.nodes.forEach((node, index) => {
    for (const output of node.outputs) lastUse.set(output, index);
    for (const input of node.inputs) if (input.origin.kind === 'node') lastUse.set(input, index);
  });
  for (const output of graph.outputs.values()) lastUse.set(output, graph.nodes.length);
  const freedAfter = new Map<number, number>();
  for (const [value, index] of lastUse)
    freedAfter.set(index, (freedAfter.get(index) ?? 0) + bytesOfValue(value));
  let live = 0;
  let peak = 0;
  graph.nodes.forEach((node, index) => {
    for (const output of node.outputs) live += bytesOfValue(output);
    peak = Math.max(peak, live);
    live -= freedAfter.get(index) ?? 0;
  });
  return peak;
}
