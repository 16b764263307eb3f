import { AppError, assert } from '../base/errors';
import { formatShape, sameShape } from '../base/tensor';
import { graphOf } from './builder';
import { add } from './ops/arithmetic';
import { Identity } from './ops/compare';
import { expand, reshape } from './ops/layout';
import { reduceSum } from './ops/reduce';
import type { Value } from './value';

/**
 * Reverse-mode differentiation: adds the backward pass to the graph as ordinary nodes, so that one run of the graph
 * computes loss and gradients, and gradients of gradients are had by calling it again.
 * @param loss any value; a scalar unless `seed` is given
 * @param targets values to differentiate by
 * @param seed dL/d(loss), of the loss's shape; 1 when left out
 * @returns dL/d(target) for each target, zeros where the loss doesn't depend on it
 * @throws graph/no-gradient when an operator without a rule lies on the way, by its name
 */
export function gradients(loss: Value, targets: readonly Value[], seed?: Value): Value[] {
  const graph = graphOf(loss);
  assert(seed || loss.rank === 0 || loss.shape.every((side) => side === 1), 'a loss is a scalar');
  // `stopGradient` ends a path. Nodes stand in the order they were made, so every input precedes its node: one pass each way, no recursion.
  const onPath = new Set<Value>(targets);
  for (const node of graph.nodes)
    if (node.op !== Identity && node.inputs.some((input) => onPath.has(input)))
      for (const output of node.outputs) onPath.add(output);
  const gradientOf = new Map<Value, Value>();
  gradientOf.set(loss, seed ?? filled(loss, 1));
  const nodes = [...graph.nodes];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    const needed = node.inputs.map((input) => onPath.has(input));
    const incoming = node.outputs.map((output) => gradientOf.get(output));
    const gradient = incoming.find((value) => value !== undefined);
    if (!gradient || !needed.includes(true)) continue;
    const rule = node.op.gradient;
    const where = `${node.op.type}${node.scope && ` in ${node.scope}`}`;
    if (typeof rule !== 'function')
      throw new AppError('graph/no-gradient', `${where} has no gradient: ${rule.none}`);
    const { inputs, outputs, attributes } = node;
    const found = rule({ inputs, outputs, attributes, gradient, gradients: incoming, needed });
    assert(
      found.length === inputs.length,
      `${where} gave ${found.length} gradients for ${inputs.length} inputs`,
    );
    found.forEach((value, index) => {
      if (!value || !needed[index]) return;
      const input = inputs[index];
      const own = unbroadcast(value, input, where);
      const sum = gradientOf.get(input);
      gradientOf.set(input, sum ? add(sum, own) : own);
    });
  }
  return targets.map((target) => gradientOf.get(target) ?? filled(target, 0));
}

/**
 * Forward-mode differentiation out of the reverse rules: the directional derivative of `output` when `input` moves
 * along `direction`. The backward pass is linear in its seed, so differentiating it by the seed turns it round; the
 * seed itself disappears from the graph.
 * @returns a value of the output's shape: (d output / d input) · direction
 * @source methods.md 2.3 (tangent pass); Townsend, "A new trick for calculating Jacobian vector products", 2017
 */
export function tangent(output: Value, input: Value, direction: Value): Value {
  const seed = graphOf(output).placeholder(output.dtype, output.shape);
  const [backward] = gradients(output, [input], seed);
  const [forward] = gradients(backward, [seed], direction);
  return forward;
}

/** Sums a gradient back to the shape that was broadcast. */
function unbroadcast(gradient: Value, input: Value, where: string): Value {
  if (sameShape(gradient.shape, input.shape)) return gradient;
  const lead = gradient.rank - input.rank;
  const axes = gradient.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || (input.shape[axis - lead] === 1 && gradient.shape[axis] !== 1));
  const summed = reshape(reduceSum(gradient, axes), input.shape);
  assert(
    sameShape(summed.shape, input.shape),
    `${where}: gradient ${formatShape(gradient.shape)} for input ${formatShape(input.shape)}`,
  );
  return summed;
}

const filled = (like: Value, value: number): Value => expand(graphOf(like).constant(value), like.shape);
