import { floatTensor } from '../base/tensor';
import type { TensorData } from '../base/tensor';
import {
  add,
  concat,
  globalAveragePool,
  linear,
  matMul,
  mul,
  reduceMax,
  reduceSum,
  relu,
  reshape,
  sigmoid,
  softmax,
  tanh,
  transposeLast,
} from '../graph/ops/index';
import type { Value } from '../graph/value';
import { uniformBy, uniformFanIn } from './initialisers';
import type { Net } from './net';

/** Regions along a side, coarse to fine, each twice the one before; the finest are pooled. @source methods.md 18.4 */
const GRIDS = [1, 2, 4] as const;
const FINEST = GRIDS[GRIDS.length - 1];
/** Channels for one in the middle of the attention's perceptron. */
const SQUEEZE = 8;
const POOL_WIDTH = 64;

/** First row of a region and the first behind it; neighbours overlap where the side doesn't divide. */
const binOf = (i: number, grid: number, side: number): readonly [number, number] => [
  Math.floor((i * side) / grid),
  Math.ceil(((i + 1) * side) / grid),
];

/** Row by row, which positions a region of some grids has: each counts for its share. @returns [Σg²,h·w] */
function meanMatrix(grids: readonly number[], height: number, width: number): TensorData {
  const rows: number[] = [];
  for (const grid of grids)
    for (let r = 0; r < grid * grid; r++) {
      const [top, bottom] = binOf(Math.floor(r / grid), grid, height);
      const [left, right] = binOf(r % grid, grid, width);
      const share = 1 / ((bottom - top) * (right - left));
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          rows.push(y >= top && y < bottom && x >= left && x < right ? share : 0);
    }
  return floatTensor([rows.length / (height * width), height * width], rows);
}

/** The region that a position gets its attention from, over all grids, each with its share. @returns [Σg²,h·w] */
function enlargingMatrix(height: number, width: number): TensorData {
  const regions = GRIDS.reduce((sum, grid) => sum + grid * grid, 0);
  const data = new Float32Array(regions * height * width);
  let first = 0;
  for (const grid of GRIDS) {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const region = Math.floor((y * grid) / height) * grid + Math.floor((x * grid) / width);
        data[((first + region) * height + y) * width + x] = 1 / GRIDS.length;
      }
    first += grid * grid;
  }
  return floatTensor([regions, height * width], data);
}

/**
 * Chooses the positions of each of 4×4 regions, as many for every region: smaller ones have some twice. That changes
 * their largest value never, and its gradient only where several positions have it: one that is chosen twice then gets
 * two shares.
 * @returns [h·w,16·n]
 */
function choosingMatrix(height: number, width: number): TensorData {
  const places = (side: number) => {
    const bins = Array.from({ length: FINEST }, (_, i) => binOf(i, FINEST, side));
    const most = Math.max(...bins.map(([first, end]) => end - first));
    return bins.map(([first, end]) => Array.from({ length: most }, (_, k) => Math.min(first + k, end - 1)));
  };
  const chosen = places(height).flatMap((rows) =>
    places(width).flatMap((columns) => rows.flatMap((y) => columns.map((x) => y * width + x))),
  );
  const data = new Float32Array(height * width * chosen.length);
  chosen.forEach((position, i) => (data[position * chosen.length + i] = 1));
  return floatTensor([height * width, chosen.length], data);
}

/** Largest values of the regions of all grids: a coarse region is what its fine ones cover. @returns [B,C,Σg²] */
function regionMaxima(flat: Value, height: number, width: number): Value {
  const [batch, channels] = flat.shape;
  const chosen = matMul(flat, flat.graph.constant(choosingMatrix(height, width)));
  const maxima = [reduceMax(reshape(chosen, [batch, channels, FINEST, FINEST, -1]), [4])];
  for (const grid of GRIDS.slice(0, -1).reverse())
    maxima.unshift(reduceMax(reshape(maxima[0], [batch, channels, grid, 2, grid, 2]), [3, 5]));
  return concat(
    maxima.map((of) => reshape(of, [batch, channels, -1])),
    2,
  );
}

/** @param matrix [R,h·w] @returns [B,C,R] */
const regionMeans = (flat: Value, matrix: TensorData): Value =>
  matMul(flat, transposeLast(flat.graph.constant(matrix)));

/** Channels' attention in all regions: [B,C,h,w] to [B,C,Σg²]. */
function attentionOf(net: Net, x: Value, name: string): Value {
  const [batch, channels, height, width] = x.shape;
  const flat = reshape(x, [batch, channels, height * width]);
  const means = regionMeans(flat, meanMatrix(GRIDS, height, width));
  const [, , regions] = means.shape;
  const inner = Math.max(1, Math.floor(channels / SQUEEZE));
  const layer = (value: Value, part: string, to: number): Value => {
    const from = value.shape[1];
    const weight = net.parameter(`${name}.${part}.weight`, [to, from], uniformFanIn);
    return linear(value, weight, net.parameter(`${name}.${part}.bias`, [to], uniformBy(from)));
  };
  // Means and maxima go through one perceptron, a region a row.
  const maxima = regionMaxima(flat, height, width);
  const rows = reshape(transposeLast(concat([means, maxima], 2)), [batch * 2 * regions, channels]);
  const found = reshape(layer(relu(layer(rows, 'mlp1', inner)), 'mlp2', channels), [
    batch,
    2,
    regions,
    channels,
  ]);
  return transposeLast(sigmoid(reduceSum(found, [1])));
}

/** What regional channel attention makes of a feature map. */
export interface Attended {
  /** The map with its channels raised where they matter. [B,C,h,w] */
  readonly map: Value;
  /** How much each channel is raised in each region of all grids, coarse to fine, 0 … 1. [B,C,1+4+16] */
  readonly attention: Value;
  /** How much each of 4×4 regions counts; their sum is 1. [B,1,4,4] */
  readonly regions: Value;
  /** The image's vector: half by regions, half the plain mean. [B,C] */
  readonly pooled: Value;
}

/**
 * Channel attention with a descriptor for each region, where a small defect does not vanish in the mean of the image,
 * and pooling by regions. Parameters `${name}.mlp1.*`, `.mlp2.*`, `.U.weight`, `.v.weight`.
 * @param x [B,C,h,w]
 * @param poolWidth rows of U
 * @source methods.md 18.4
 */
export function regionalAttention(net: Net, x: Value, name: string, poolWidth = POOL_WIDTH): Attended {
  const [batch, channels, height, width] = x.shape;
  const attention = attentionOf(net, x, name);
  const raised = matMul(attention, x.graph.constant(enlargingMatrix(height, width)));
  const map = mul(x, add(reshape(raised, x.shape), 1));
  const flat = reshape(map, [batch, channels, height * width]);
  const means = regionMeans(flat, meanMatrix([FINEST], height, width));
  const rows = transposeLast(means);
  const u = net.parameter(`${name}.U.weight`, [poolWidth, channels], uniformFanIn);
  const v = net.parameter(`${name}.v.weight`, [1, poolWidth], uniformFanIn);
  const shares = softmax(transposeLast(linear(tanh(linear(rows, u)), v)));
  const byRegion = reduceSum(mul(means, shares), [2]);
  return {
    map,
    attention,
    regions: reshape(shares, [batch, 1, FINEST, FINEST]),
    pooled: mul(add(byRegion, globalAveragePool(map)), 0.5),
  };
}
