import type { Rng } from '../base/rng';
import { sizeOf } from '../base/tensor';
import type { Shape } from '../base/tensor';

/** First values of a parameter tensor. @source methods.md 1.8 */
export type Initialiser = (rng: Rng, shape: Shape) => Float32Array;

const drawn = (shape: Shape, draw: () => number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, draw);

/** Values of one kernel: 1 for a matrix. */
const receptiveField = (shape: Shape): number => sizeOf(shape.slice(2));
const fanIn = (shape: Shape): number => shape[1] * receptiveField(shape);
const fanOut = (shape: Shape): number => shape[0] * receptiveField(shape);

export const filledWith =
  (value: number): Initialiser =>
  (_, shape) =>
    new Float32Array(sizeOf(shape)).fill(value);

export const normal =
  (std: number, mean = 0): Initialiser =>
  (rng, shape) =>
    drawn(shape, () => mean + std * rng.normal());

/** Kaiming's normal by the fan out, std √(2/(k²·Cout)): convolutions before rectifiers. */
export const kaimingNormal: Initialiser = (rng, shape) => normal(Math.sqrt(2 / fanOut(shape)))(rng, shape);

/** Xavier's normal, std √(2/(fan in + fan out)). */
export const xavierNormal: Initialiser = (rng, shape) =>
  normal(Math.sqrt(2 / (fanIn(shape) + fanOut(shape))))(rng, shape);

/** He's normal by the mean of both fans, std √(4/(fan in + fan out)): convolutions of WGAN-GP's code. */
export const heNormal: Initialiser = (rng, shape) =>
  normal(Math.sqrt(4 / (fanIn(shape) + fanOut(shape))))(rng, shape);

/** Uniform in ±1/√fan: PyTorch's default for weights, and with the weight's fan in for biases. */
export const uniformBy =
  (fan: number): Initialiser =>
  (rng, shape) =>
    drawn(shape, () => rng.between(-1, 1) / Math.sqrt(fan));

/** PyTorch's default for the weight of a convolution or a linear layer. */
export const uniformFanIn: Initialiser = (rng, shape) => uniformBy(fanIn(shape))(rng, shape);

/** What a parameter without an initialiser of its own gets, by its name and shape. */
export const usualStart = (name: string, shape: Shape): Initialiser =>
  shape.length > 1 ? kaimingNormal : filledWith(name.endsWith('weight') ? 1 : 0);
