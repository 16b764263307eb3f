import { floatTensor } from '../../base/tensor';
import {
  add,
  cast,
  equal,
  exp,
  gather,
  l2Normalise,
  matMul,
  mul,
  reshape,
  slice,
  toFloat,
  transposeLast,
} from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { NetLayers } from '../layers';
import type { ClipConfig } from './config';
import { Trunk, norm } from './trunk';

/** Far below every logit, so that the exponential is 0 exactly; no difference of two is NaN, as of −∞. */
const MASKED = -1e9;

/**
 * A CLIP's text transformer by open_clip's names. Prompts are cut to the longest of a batch: what stands behind a
 * prompt's end doesn't reach it through the causal mask.
 * @source methods.md 22.7, 13.7
 */
export class TextTower {
  constructor(
    private readonly layers: NetLayers,
    readonly config: ClipConfig,
  ) {}

  /**
   * Embeddings of tokens, without positions: learnt vectors may take the place of some.
   * @param ids rows of the token table, int32 or int64 [P,L]
   * @returns [P,L,width]
   */
  lookUp(ids: Value): Value {
    const { vocabulary, width } = this.config.text;
    return gather(this.layers.parameter('token_embedding.weight', [vocabulary, width]), ids);
  }

  /**
   * Prompts in the space that images and texts share, not normalised.
   * @param tokens [P,L,width]; L at most the context length
   * @param end position of each prompt's end token, int32 [P]. Given, since a search would need ids, which learnt
   * prompts lack, and meet the end tokens that some pad with. Its row is picked by a product with zeros and a one:
   * exact, and its gradient is a product too.
   * @returns [P,embed]
   * @throws graph/shape when prompts are longer than the context
   */
  encode(tokens: Value, end: Value): Value {
    const { layers, config } = this;
    const [prompts, length, width] = tokens.shape;
    const positions = layers.parameter('positional_embedding', [config.text.context, width]);
    const trunk = new Trunk(
      layers,
      'transformer',
      config.text,
      config.activation,
      causalMask(tokens, length),
    );
    let x = add(tokens, slice(positions, 0, 0, length));
    for (let i = 1; i <= config.text.layers; i++) x = trunk.block(x, i);
    const places = Float32Array.from({ length }, (_, i) => i);
    const place = tokens.graph.constant(floatTensor([1, 1, length], places));
    const picked = matMul(toFloat(equal(reshape(cast(end), [prompts, 1, 1]), place)), x);
    const normed = reshape(norm(layers, 'ln_final', picked), [prompts, width]);
    return matMul(normed, layers.parameter('text_projection', [width, config.embed]));
  }
}

/** No token sees a later one. [L,L] */
function causalMask({ graph }: Value, length: number): Value {
  const data = Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? MASKED : 0,
  );
  return graph.constant(floatTensor([length, length], data));
}

/**
 * Cosines of images and texts, times the temperature's inverse that was learnt.
 * @param images [B,embed]
 * @param texts [P,embed]
 * @returns [B,P]
 */
export function clipLogits(layers: NetLayers, images: Value, texts: Value): Value {
  const cosines = matMul(l2Normalise(images), transposeLast(l2Normalise(texts)));
  return mul(cosines, exp(layers.parameter('logit_scale', [])));
}
