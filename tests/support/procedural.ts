/** Weights and inputs computed from their names, as the golden files define them (README, section 1). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { floatTensor, sizeOf } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import { GOLDEN_DIR, goldenJson } from './golden';

/** The golden folder's own seed, so that a folder made with another one passes too. */
const DEFAULT_SEED = existsSync(join(GOLDEN_DIR, 'procedural.json'))
  ? goldenJson<{ seed: number }>('procedural.json').seed
  : 1;

/** The uniform numbers of a key: mulberry32 from the hash of its UTF-8 bytes. */
export function uniforms(key: string, count: number, seed = DEFAULT_SEED): Float64Array {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(key)) state = Math.imul(state ^ byte, 0x01000193);
  state ^= seed;
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    out[i] = ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  return out;
}

/** Values of a key through a rule; a plain loop, since large networks have a hundred million of them. */
function mapped(key: string, shape: Shape, seed: number, rule: (u: number) => number): TensorData {
  const u = uniforms(key, sizeOf(shape), seed);
  const out = new Float32Array(u.length);
  for (let i = 0; i < out.length; i++) out[i] = rule(u[i]);
  return floatTensor(shape, out);
}

export const unit = (key: string, shape: Shape, seed = DEFAULT_SEED): TensorData =>
  mapped(key, shape, seed, (u) => u);

export const signed = (key: string, shape: Shape, scale = 1, seed = DEFAULT_SEED): TensorData =>
  mapped(key, shape, seed, (u) => (2 * u - 1) * scale);

export function bell(key: string, shape: Shape, seed = DEFAULT_SEED): TensorData {
  const n = sizeOf(shape);
  const u = uniforms(key, 4 * n, seed);
  const value = (i: number) => (u[4 * i] + u[4 * i + 1] + u[4 * i + 2] + u[4 * i + 3] - 2) * Math.sqrt(3);
  return floatTensor(
    shape,
    Float32Array.from({ length: n }, (_, i) => value(i)),
  );
}

export function weight(key: string, shape: Shape, seed = DEFAULT_SEED): TensorData {
  return mapped(key, shape, seed, weightRule(key, shape));
}

function weightRule(key: string, shape: Shape): (u: number) => number {
  const last = key.slice(key.lastIndexOf('.') + 1);
  if (last === 'running_var') return (u) => 1 + 0.5 * u;
  if (last === 'running_mean') return (u) => 0.1 * (2 * u - 1);
  if (last === 'logit_scale') return (u) => 2.5 + u;
  if (last === 'gamma' && shape.length === 1) return (u) => 0.2 + 0.2 * u;
  if (
    /pos_embed|positional_embedding|position_embedding/.test(key) ||
    ['cls_token', 'class_embedding', 'reg_token'].includes(last)
  )
    return (u) => 0.5 * (2 * u - 1);
  if (key.includes('token_embedding')) return (u) => 0.5 * (2 * u - 1);
  if (last === 'bias' || last.endsWith('_bias')) return (u) => 0.1 * (2 * u - 1);
  if (shape.length <= 1) return (u) => 1 + 0.1 * (2 * u - 1);
  const fan = ['proj', 'text_projection'].includes(last) ? shape[0] : sizeOf(shape) / shape[0];
  const scale = Math.sqrt(3 / fan);
  return (u) => scale * (2 * u - 1);
}
