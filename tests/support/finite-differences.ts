import type { Rng } from '../../src/base/rng';
import { floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { GraphBuilder } from '../../src/graph/builder';
import { add, mul, reduceSum } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import type { Runtime } from '../../src/runtime/runtime';
import type { Sample } from '../graph/samples';

/** Weights that turn any output into one number, so that no element's gradient cancels another's. */
const weightsFor = (rng: Rng, like: { shape: readonly number[] }): Float32Array =>
  Float32Array.from({ length: like.shape.reduce((a, b) => a * b, 1) }, () => rng.between(-1, 1));

interface Program {
  loss: (inputs: Record<string, TensorData>) => Promise<number>;
  gradients: (inputs: Record<string, TensorData>) => Promise<Record<string, Float32Array>>;
}

/** L = Σ w·f(x) for random w, and dL/dx; with `order` 2, f is itself a weighted sum's gradient by the float inputs. */
async function compile(runtime: Runtime, sample: Sample, rng: Rng, order: 1 | 2): Promise<Program> {
  const graph = new GraphBuilder();
  const values = Object.fromEntries(
    Object.entries(sample.inputs).map(([name, { shape, dtype }]) => [name, graph.input(name, shape, dtype)]),
  );
  const names = Object.keys(values).filter(
    (name) => values[name].dtype === 'float32' && !sample.fixed?.includes(name),
  );
  const targets = names.map((name) => values[name]);
  const weighted = (value: Value): Value => {
    const weights = graph.constant({ dtype: 'float32', shape: value.shape, data: weightsFor(rng, value) });
    return reduceSum(mul(value, weights));
  };
  let loss = weighted(sample.build(values));
  if (order === 2) {
    const terms = gradients(loss, targets).map(weighted);
    loss = terms.reduce(add);
  }
  const found = gradients(loss, targets);
  graph.output('loss', loss);
  names.forEach((name, i) => graph.output(`d.${name}`, found[i]));
  const program = await runtime.compile(graph.build());
  return {
    loss: async (inputs) => floats((await program.run(inputs)).values.loss)[0],
    gradients: async (inputs) => {
      const { values: results } = await program.run(inputs);
      return Object.fromEntries(names.map((name) => [name, floats(results[`d.${name}`])]));
    },
  };
}

/**
 * Largest difference between the gradient graph and central differences (fourth order), relative to the largest
 * gradient or 1.
 */
export async function gradientError(
  runtime: Runtime,
  sample: Sample,
  rng: Rng,
  order: 1 | 2 = 1,
): Promise<number> {
  const program = await compile(runtime, sample, rng, order);
  const exact = await program.gradients({ ...sample.inputs });
  const step = 0.02;
  let worst = 0;
  let scale = 1;
  for (const [name, gradient] of Object.entries(exact)) {
    const input = sample.inputs[name];
    for (let i = 0; i < gradient.length; i++) {
      const at = async (offset: number) => {
        const data = Float32Array.from(input.data as Float32Array);
        data[i] += offset;
        return program.loss({ ...sample.inputs, [name]: { ...input, data } });
      };
      const near = (await at(step)) - (await at(-step));
      const far = (await at(2 * step)) - (await at(-2 * step));
      const numeric = (8 * near - far) / (12 * step);
      worst = Math.max(worst, Math.abs(numeric - gradient[i]));
      scale = Math.max(scale, Math.abs(gradient[i]));
    }
  }
  return worst / scale;
}
