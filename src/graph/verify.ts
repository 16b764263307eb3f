import { AppError } from '../base/errors';
import { sameShape } from '../base/tensor';
import type { Graph } from './builder';
import { OPS } from './ops/index';
import type { Value } from './value';

/**
 * Checks what every later stage relies on: each value is made before it is used, operators are known, and the shape
 * rules still give the types that the values carry.
 * @throws graph/invalid that names the node
 */
export function verify(graph: Graph): void {
  const known = new Set<Value>([...graph.inputs.values(), ...graph.weights.values()]);
  // Constants belong to no list of the graph: they go with the nodes and outputs that use them.
  const isMade = (value: Value) => value.origin.kind === 'constant' || known.has(value);
  const fail = (where: string, reason: string): never => {
    throw new AppError('graph/invalid', `${where}: ${reason}`);
  };
  for (const [index, { op, inputs, outputs, attributes, scope }] of graph.nodes.entries()) {
    const where = `node ${index} (${op.type}${scope && ` in ${scope}`})`;
    if ((OPS as Readonly<Record<string, unknown>>)[op.type] !== op) fail(where, 'unknown operator');
    for (const input of inputs)
      if (!isMade(input)) fail(where, `${input.toString()} is used before it is made`);
    const types = op.infer(inputs, attributes, (reason) =>
      fail(where, `refuses ${inputs.join(', ')}: ${reason}`),
    );
    if (types.length !== outputs.length)
      fail(where, `its rule gives ${types.length} outputs, it has ${outputs.length}`);
    types.forEach(({ dtype, shape }, i) => {
      const output = outputs[i];
      if (dtype !== output.dtype || !sameShape(shape, output.shape))
        fail(where, `output ${i} is ${output.toString()}, its rule gives ${dtype}[${shape.join(',')}]`);
    });
    for (const output of outputs) known.add(output);
  }
  for (const [name, value] of graph.outputs) if (!isMade(value)) fail(`output "${name}"`, 'nothing makes it');
}
