import { gelu, layerNorm, quickGelu } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { NetLayers } from '../layers';
import { affine, selfAttention, transformerBlock, valueAttention } from '../transformer';
import type { BlockParameters, BlockShape } from '../transformer';
import type { Activation, TrunkSize } from './config';

const EPSILON = 1e-5;

/** A layer norm over the last axis by its name. */
export function norm(layers: NetLayers, name: string, x: Value): Value {
  const width = [x.shape[x.rank - 1]];
  const { weight, bias } = affine(layers, name, width, width);
  return layerNorm(x, weight, bias, EPSILON);
}

/** The blocks of one tower by open_clip's names, counted from 1. */
export class Trunk {
  readonly #style: BlockShape;

  /** @param mask added to attention logits [B,heads,T,T] */
  constructor(
    private readonly layers: NetLayers,
    private readonly name: 'visual.transformer' | 'transformer',
    private readonly size: TrunkSize,
    activation: Activation,
    mask?: Value,
  ) {
    const activate = { gelu, quickGelu }[activation];
    this.#style = { heads: size.heads, epsilon: EPSILON, activation: activate, mask };
  }

  /** One whole block: [B,T,width] to the same. */
  block(tokens: Value, index: number): Value {
    return this.#in(index, (p) => transformerBlock(tokens, p, this.#style));
  }

  /** What a block's attention adds to the tokens that go into it, [B,T,width]; made once with `block`. */
  selfAttention(tokens: Value, index: number): Value {
    return this.#in(index, (p) => selfAttention(tokens, p, this.#style));
  }

  /** V-V attention of the tokens that go into a block, [B,T,width]; its layer norm and values are `block`'s. */
  valueAttention(tokens: Value, index: number): Value {
    return this.#in(index, (p) => valueAttention(tokens, p, this.#style));
  }

  #in(index: number, body: (parameters: BlockParameters) => Value): Value {
    const { layers, size } = this;
    const name = `${this.name}.resblocks.${index - 1}`;
    const { width, mlp } = size;
    const part = (own: string, from: number, to: number) =>
      affine(layers, `${name}.${own}`, [to, from], [to]);
    const ln = (own: string) => affine(layers, `${name}.${own}`, [width], [width]);
    return layers.graph.scope(name, () =>
      body({
        norm1: ln('ln_1'),
        qkv: {
          weight: layers.parameter(`${name}.attn.in_proj_weight`, [3 * width, width]),
          bias: layers.parameter(`${name}.attn.in_proj_bias`, [3 * width]),
        },
        out: part('attn.out_proj', width, width),
        norm2: ln('ln_2'),
        fc1: part('mlp.c_fc', width, mlp),
        fc2: part('mlp.c_proj', mlp, width),
      }),
    );
  }
}
