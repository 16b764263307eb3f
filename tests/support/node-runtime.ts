/** The runtime of tests: ONNX Runtime's own CPU provider, in Node. */
import * as ort from 'onnxruntime-node';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import type { Value } from '../../src/graph/value';
import { nodeBackend } from '../../src/runtime/node';
import { Runtime } from '../../src/runtime/runtime';

/** On one thread, since another file runs beside. @param memoryBytes what the device is said to have; unknown by default */
export function openNodeRuntime(memoryBytes?: number): Runtime {
  const backend = nodeBackend(ort, 1);
  return new Runtime({ ...backend, report: { ...backend.report, memoryBytes } });
}

/** With a thread per core, for what runs alone. */
export const openWholeRuntime = (): Runtime => new Runtime(nodeBackend(ort));

/** Builds a graph of fed inputs, runs it once, returns its outputs. */
export async function evaluate(
  runtime: Runtime,
  inputs: Readonly<Record<string, TensorData>>,
  build: (values: Record<string, Value>, graph: GraphBuilder) => Record<string, Value>,
): Promise<Record<string, TensorData>> {
  const graph = new GraphBuilder();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => [name, graph.input(name, shape, dtype)]),
  );
  for (const [name, value] of Object.entries(build(values, graph))) graph.output(name, value);
  const program = await runtime.compile(graph.build());
  return { ...(await program.run(inputs)).values };
}
