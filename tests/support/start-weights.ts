/** Weights of a network that was never trained; of use in a browser too. */
import { Rng } from '../../src/base/rng';
import { floatTensor, sizeOf } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import { usualStart } from '../../src/nn/initialisers';

/** Every tensor as training would start it, the same every time; running variances are 1. */
export const startWeights = (shapes: ReadonlyMap<string, Shape>): Map<string, TensorData> =>
  new Map([...shapes].map(([name, shape]) => [name, floatTensor(shape, startOf(name, shape))]));

const startOf = (name: string, shape: Shape): Float32Array =>
  name.endsWith('.running_var')
    ? new Float32Array(sizeOf(shape)).fill(1)
    : usualStart(name, shape)(new Rng(1, name), shape);
