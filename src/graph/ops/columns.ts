import type { Shape } from '../../base/tensor';
import type { Value } from '../value';
import type { ConvGeometry } from './conv';
import { gather } from './gather';
import { pad, reshape, transpose } from './layout';

/** Where each tap of each output position looks: the number of a pixel, row by row, or `h·w` beyond the border. */
function places([h, w]: Shape, [p, q]: Shape, [kh, kw]: Shape, g: ConvGeometry): Int32Array {
  const found = new Int32Array(p * q * kh * kw);
  let at = 0;
  for (let y = 0; y < p; y++)
    for (let x = 0; x < q; x++)
      for (let i = 0; i < kh; i++)
        for (let j = 0; j < kw; j++) {
          const row = y * g.strides[0] + i * g.dilations[0] - g.pads[0];
          const column = x * g.strides[1] + j * g.dilations[1] - g.pads[1];
          const inside = row >= 0 && row < h && column >= 0 && column < w;
          found[at++] = inside ? row * w + column : h * w;
        }
  return found;
}

/**
 * What a convolution's kernel sees, an output position a row: its product with the kernel is the convolution, turned
 * round with the upstream gradient it is the gradient by the weight.
 * @param x [N,C,H,W]
 * @param output the convolution's [P,Q]
 * @param kernel [kh,kw]
 * @returns [N·P·Q, kh·kw·C]
 */
export function columnsOf(x: Value, output: Shape, kernel: Shape, g: ConvGeometry): Value {
  const [n, c, h, w] = x.shape;
  const pixels = reshape(transpose(x, [0, 2, 3, 1]), [n, h * w, c]);
  const index = places([h, w], output, kernel, g);
  const inOrder = index.length === h * w && index.every((place, i) => place === i);
  // One pixel more, of zeros, stands for all that is beyond the border.
  const bordered = index.includes(h * w) ? pad(pixels, [0, 0, 0, 0, 1, 0]) : pixels;
  return reshape(inOrder ? pixels : gather(bordered, index, 1), [n * output[0] * output[1], -1]);
}
