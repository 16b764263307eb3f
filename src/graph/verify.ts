import { AppError } from '../base/errors';
import { sameShape } from '../base/tensor';
import type { Graph } from './builder';
import { OPS } from './ops/index';
import { rejectAs } from './value';
import type { Value } from './value';

/**
 * Checks what every later stage relies on: each value is made before it is used, operators are known, and the shape
 * rules still give the types that the values carry.
 * @throws graph/invalid that names the node
 */
export function verify(graph: Graph): void {
  const known = new Set<Value>([...graph.inputs.values(), ...graph.weights.values()]);
  const fail = (where: string, reason: string): never => {
    throw new AppError('graph/invalid', `${where}: ${reason}`);
  };
  for (const [index, { op, inputs, outputs, attributes, scope }] of graph.nodes.entries()) {
    const where = `node ${index} (${op.type}${scope && ` in ${scope}`})`;
    if ((OPS as Readonly<Record<string, unknown>>)[op.type] !== op) fail(where, 'unknown operator');
    for (const input of inputs)
      if (!known.has(input) && input.origin.kind !== 'constant')
        fail(where, `${input.toString()} is used before it is made`);
    const types = op.infer(inputs, attributes, rejectAs(op.type, scope, inputs));
    types.forEach(({ dtype, shape }, i) => {
      const output = outputs[i];
      if (dtype !== output.dtype || !sameShape(shape, output.shape))
        fail(where, `output ${i} is ${output.toString()}, its rule gives ${dtype}[${shape.join(',')}]`);
    });
    for (const output of outputs) known.add(output);
  }
  for (const [name, value] of graph.outputs)
    if (!known.has(value)) fail(`output "${name}"`, 'nothing makes it');
}
