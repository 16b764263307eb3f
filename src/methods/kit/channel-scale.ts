import { floatTensor, sizeOf } from '../../base/tensor';
import type { Shape, TensorData } from '../../base/tensor';
import { div, reshape } from '../../graph/ops/index';
import type { Value } from '../../graph/value';
import type { Backbone } from '../../nn/backbones/backbone';
import type { ChoiceSpec } from '../options';
import type { FeatureCache } from './feature-cache';

/** Keeps channels that never change from being blown up. */
const FLOOR = 1e-3;

export const SCALE_OPTION: ChoiceSpec = {
  kind: 'choice',
  default: 'auto',
  choices: [
    { value: 'auto', label: 'by the backbone' },
    { value: 'on', label: 'to unit spread' },
    { value: 'off', label: 'as they are' },
  ],
  label: 'Feature scale',
  help: 'Divides each feature channel by its spread over the good images. Linear bottlenecks need it.',
};

/** Constants of published methods were tuned on rectified features of a spread below 1. @source methods.md 1.10 */
export const wantsScale = (option: string, backbone: Backbone): boolean =>
  option === 'on' || (option === 'auto' && backbone.linearTaps);

/**
 * Standard deviation of every channel over some images and all positions; ones where features stay as they are.
 * @param shapes of the maps that the cached vectors begin with, [C,h,w] each
 * @returns one tensor [C] a map
 */
export async function channelScales(
  cache: FeatureCache,
  shapes: readonly Shape[],
  images: ArrayLike<number>,
  wanted: boolean,
): Promise<TensorData[]> {
  const sums = shapes.map(([c]) => ({ sum: new Float64Array(c), squares: new Float64Array(c) }));
  for (const image of wanted ? Array.from(images) : []) {
    const vector = await cache.of(image);
    let at = 0;
    for (const [map, [channels, ...grid]] of shapes.entries())
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        let squares = 0;
        for (const end = at + sizeOf(grid); at < end; at++) {
          sum += vector[at];
          squares += vector[at] * vector[at];
        }
        sums[map].sum[c] += sum;
        sums[map].squares[c] += squares;
      }
  }
  return shapes.map(([channels, ...grid], map) => {
    const n = images.length * sizeOf(grid);
    const scales = Float32Array.from({ length: channels }, (_, c) => {
      if (!wanted) return 1;
      const mean = sums[map].sum[c] / n;
      return Math.max(Math.sqrt(Math.max(sums[map].squares[c] / n - mean * mean, 0)), FLOOR);
    });
    return floatTensor([channels], scales);
  });
}

/** A feature map [B,C,h,w] over the spread of its channels [C]. */
export const scaled = (map: Value, scale: Value): Value => div(map, reshape(scale, [1, -1, 1, 1]));
