import { add, addPerChannel, div, mul, reduceMean, reshape, sqrt, sub } from '../graph/ops/index';
import type { Value } from '../graph/value';
import { filledWith } from './initialisers';
import type { Net } from './net';

/**
 * Layer norm of a feature map: over all channels and positions of an image, so that no image depends on the others of
 * its batch. One scale `${name}.weight` and shift `${name}.bias` a channel. Written out, since its derivative is
 * differentiated again where a gradient is penalised.
 * @param x [B,C,H,W]
 */
export function imageNorm(net: Net, x: Value, name: string, epsilon = 1e-5): Value {
  const scale = net.parameter(`${name}.weight`, [x.shape[1]], filledWith(1));
  const shift = net.parameter(`${name}.bias`, [x.shape[1]], filledWith(0));
  const centred = sub(x, reduceMean(x, [1, 2, 3], true));
  const variance = reduceMean(mul(centred, centred), [1, 2, 3], true);
  const factor = div(reshape(scale, [1, -1, 1, 1]), sqrt(add(variance, epsilon)));
  return addPerChannel(mul(centred, factor), shift);
}
