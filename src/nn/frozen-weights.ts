import { AppError } from '../base/errors';
import { floats, floatTensor, formatShape, sameShape } from '../base/tensor';
import type { Shape, TensorData } from '../base/tensor';

/** A convolution that carries its batch norm. */
export interface FoldedConv {
  readonly weight: TensorData;
  readonly bias: TensorData;
}

/**
 * The tensors of a frozen network by their published names. What is derived from them is derived once and kept, so
 * that several programs share one copy on the device.
 */
export class FrozenWeights {
  readonly #folded = new Map<string, FoldedConv>();
  readonly #derived = new Map<string, TensorData>();

  constructor(private readonly tensors: ReadonlyMap<string, TensorData>) {}

  /** @throws model/keys when the name is missing or its shape is another */
  get(name: string, shape: Shape): TensorData {
    const tensor = this.tensors.get(name);
    if (!tensor)
      throw new AppError('model/keys', `the weights lack "${name}"`, {
        hint: 'Use the file as it is published, with the layers behind its last feature map.',
      });
    if (!sameShape(tensor.shape, shape))
      throw new AppError(
        'model/keys',
        `"${name}" is ${formatShape(tensor.shape)}, expected ${formatShape(shape)}`,
      );
    return tensor;
  }

  /**
   * A convolution without bias and the batch norm behind it as one convolution: w' = w·γ/√(v+ε), b' = β − μ·γ/√(v+ε).
   * @source methods.md 23.1
   */
  folded(conv: string, norm: string, shape: Shape, epsilon: number): FoldedConv {
    const key = `${conv}|${norm}`;
    let folded = this.#folded.get(key);
    if (!folded) this.#folded.set(key, (folded = this.#fold(conv, norm, shape, epsilon)));
    return folded;
  }

  /** A tensor computed from others, kept under a name. */
  derived(name: string, compute: () => TensorData): TensorData {
    let tensor = this.#derived.get(name);
    if (!tensor) this.#derived.set(name, (tensor = compute()));
    return tensor;
  }

  #fold(conv: string, norm: string, shape: Shape, epsilon: number): FoldedConv {
    const channels = shape[0];
    const weight = floats(this.get(`${conv}.weight`, shape));
    const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
      floats(this.get(`${norm}.${part}`, [channels])),
    );
    const perChannel = weight.length / channels;
    const foldedWeight = new Float32Array(weight.length);
    const bias = new Float32Array(channels);
    for (let c = 0; c < channels; c++) {
      const factor = gamma[c] / Math.sqrt(variance[c] + epsilon);
      for (let i = c * perChannel; i < (c + 1) * perChannel; i++) foldedWeight[i] = weight[i] * factor;
      bias[c] = beta[c] - mean[c] * factor;
    }
    return { weight: floatTensor(shape, foldedWeight), bias: floatTensor([channels], bias) };
  }
}
