import type { Shape } from '../base/tensor';
import { add, layerNorm, linear, matMul, mul, reshape, slice, softmax, transpose } from '../graph/ops/index';
import type { Value } from '../graph/value';
import type { NetLayers } from './layers';

/** Weight and bias of a linear layer ([out,in], [out]) or a layer norm ([width], [width]). */
export interface Affine {
  readonly weight: Value;
  readonly bias: Value;
}

/** The parameters `${name}.weight` and `${name}.bias`. */
export const affine = (layers: NetLayers, name: string, weight: Shape, bias: Shape): Affine => ({
  weight: layers.parameter(`${name}.weight`, weight),
  bias: layers.parameter(`${name}.bias`, bias),
});

/** Parameters of one pre-norm transformer block, whatever their published names. */
export interface BlockParameters {
  readonly norm1: Affine;
  /** Rows in the order Q, K, V. */
  readonly qkv: Affine;
  readonly out: Affine;
  readonly norm2: Affine;
  readonly fc1: Affine;
  readonly fc2: Affine;
  /** Layer scale of both branches (DINOv2). */
  readonly scale1?: Value;
  readonly scale2?: Value;
}

export interface BlockShape {
  readonly heads: number;
  readonly epsilon: number;
  readonly activation: (x: Value) => Value;
  /** Added to attention logits, broadcast to [B,heads,T,T]: a causal mask, say. */
  readonly mask?: Value;
}

/** Q, K and V of normalised tokens, each [B,heads,T,width/heads]. */
export function projectHeads(x: Value, qkv: Affine, heads: number): readonly [Value, Value, Value] {
  const [batch, tokens, width] = x.shape;
  const projected = linear(x, qkv.weight, qkv.bias);
  const byHead = transpose(reshape(projected, [batch, tokens, 3, heads, width / heads]), [2, 0, 3, 1, 4]);
  const part = (i: number) => reshape(slice(byHead, 0, i, i + 1), [batch, heads, tokens, width / heads]);
  return [part(0), part(1), part(2)];
}

/**
 * softmax(q·kᵀ/√d + mask)·v as plain products: the fused attention kernel is wrong on some devices (runtime.md 2).
 * @param q, k, v [B,heads,T,d]
 * @returns [B,T,heads·d]
 */
export function attend(q: Value, k: Value, v: Value, mask?: Value): Value {
  const [batch, heads, tokens, depth] = q.shape;
  const logits = matMul(mul(q, depth ** -0.5), transpose(k, [0, 1, 3, 2]));
  const mixed = matMul(softmax(mask ? add(logits, mask) : logits, 3), v);
  return reshape(transpose(mixed, [0, 2, 1, 3]), [batch, tokens, heads * depth]);
}

const scaled = (x: Value, scale: Value | undefined): Value => (scale ? mul(x, scale) : x);

/** Q, K and V of a block. What several paths of one block ask for is made once, as every equal node. */
const blockHeads = (x: Value, p: BlockParameters, { epsilon, heads }: BlockShape) =>
  projectHeads(layerNorm(x, p.norm1.weight, p.norm1.bias, epsilon), p.qkv, heads);

/** The attention half of a block, which is added to what came in. [B,T,width] to the same. */
export function selfAttention(x: Value, p: BlockParameters, shape: BlockShape): Value {
  const [q, k, v] = blockHeads(x, p, shape);
  return scaled(linear(attend(q, k, v, shape.mask), p.out.weight, p.out.bias), p.scale1);
}

/**
 * V-V attention: the values in the places of queries and keys too, with the block's own weights. No residual.
 * [B,T,width] to the same.
 * @source methods.md 16.2 (2), (4); Li et al., "CLIP Surgery", 2023
 */
export function valueAttention(x: Value, p: BlockParameters, shape: BlockShape): Value {
  const [, , v] = blockHeads(x, p, shape);
  return linear(attend(v, v, v), p.out.weight, p.out.bias);
}

/** One pre-norm block: attention and MLP, each added to what came in. [B,T,width] to the same. */
export function transformerBlock(x: Value, p: BlockParameters, shape: BlockShape): Value {
  return feedForward(add(x, selfAttention(x, p, shape)), p, shape);
}

/** The MLP half of a block. */
export function feedForward(x: Value, p: BlockParameters, { epsilon, activation }: BlockShape): Value {
  const normed = layerNorm(x, p.norm2.weight, p.norm2.bias, epsilon);
  const hidden = activation(linear(normed, p.fc1.weight, p.fc1.bias));
  return add(x, scaled(linear(hidden, p.fc2.weight, p.fc2.bias), p.scale2));
}
