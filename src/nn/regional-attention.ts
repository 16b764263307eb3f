import { floatTensor } from '../base/tensor';
import type { TensorData } from '../base/tensor';
import {
  add,
  concat,
  linear,
  matMul,
  mul,
  reduceMax,
  reduceMean,
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

/** The regions that a position gets its attention from, one of each grid, each with its share. @returns [h·w,Σg²] */
function enlargingMatrix(height: number, width: number): TensorData {
  const regions = GRIDS.reduce((sum, grid) => sum + grid * grid, 0);
  const data = new Float32Array(regions * height * width);
  let first = 0;
  for (const grid of GRIDS) {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const region = Math.floor((y * grid) / height) * grid + Math.floor((x * grid) / width);
        data[(y * width + x) * regions + first + region] = 1 / GRIDS.length;
      }
    first += grid * grid;
  }
  return floatTensor([height * width, regions], data);
}

/**
 * Chooses the positions of each of 4×4 regions, as many for every region: smaller ones have some twice. That changes
 * their largest value never, and its gradient only where several positions have it: one that is chosen twice then gets
 * two shares.
 * @returns [16·n,h·w]
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
  const data = new Float32Array(chosen.length * height * width);
  chosen.forEach((position, i) => (data[i * height * width + position] = 1));
  return floatTensor([chosen.length, height * width], data);
}

/** @param pixels [B,h·w,C] @param matrix [R,h·w] @returns [B,R,C] */
const ofRegions = (pixels: Value, matrix: TensorData): Value => matMul(pixels.graph.constant(matrix), pixels);

/** Largest values of the regions of all grids: a coarse region is what its fine ones cover. @returns [B,Σg²,C] */
function regionMaxima(pixels: Value, height: number, width: number): Value {
  const [batch, , channels] = pixels.shape;
  const chosen = ofRegions(pixels, choosingMatrix(height, width));
  const maxima = [reduceMax(reshape(chosen, [batch, FINEST * FINEST, -1, channels]), [2])];
  for (const grid of GRIDS.slice(0, -1).reverse())
    maxima.unshift(reduceMax(reshape(maxima[0], [batch, grid, 2, grid, 2, channels]), [2, 4]));
  return concat(
    maxima.map((of) => reshape(of, [batch, -1, channels])),
    1,
  );
}

/** Channels' attention in all regions: [B,h·w,C] to [B,Σg²,C]. */
function attentionOf(net: Net, pixels: Value, height: number, width: number, name: string): Value {
  const [batch, , channels] = pixels.shape;
  const means = ofRegions(pixels, meanMatrix(GRIDS, height, width));
  const [, regions] = means.shape;
  const inner = Math.max(1, Math.floor(channels / SQUEEZE));
  const layer = (value: Value, part: string, to: number): Value => {
    const from = value.shape[1];
    const weight = net.parameter(`${name}.${part}.weight`, [to, from], uniformFanIn);
    return linear(value, weight, net.parameter(`${name}.${part}.bias`, [to], uniformBy(from)));
  };
  // Means and maxima go through one perceptron, a region a row.
  const rows = reshape(concat([means, regionMaxima(pixels, height, width)], 1), [-1, channels]);
  const found = layer(relu(layer(rows, 'mlp1', inner)), 'mlp2', channels);
  return sigmoid(reduceSum(reshape(found, [batch, 2, regions, channels]), [1]));
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
  // Channels last: a region is a row, and what runs along channels runs along memory.
  const pixels = transposeLast(reshape(x, [batch, channels, height * width]));
  const attention = attentionOf(net, pixels, height, width, name);
  const raised = matMul(x.graph.constant(enlargingMatrix(height, width)), attention);
  const map = mul(pixels, add(raised, 1));
  const means = ofRegions(map, meanMatrix([FINEST], height, width));
  const u = net.parameter(`${name}.U.weight`, [poolWidth, channels], uniformFanIn);
  const v = net.parameter(`${name}.v.weight`, [1, poolWidth], uniformFanIn);
  const shares = softmax(linear(tanh(linear(means, u)), v), 1);
  return {
    map: reshape(transposeLast(map), x.shape),
    attention: transposeLast(attention),
    regions: reshape(shares, [batch, 1, FINEST, FINEST]),
    pooled: mul(add(reduceSum(mul(means, shares), [1]), reduceMean(map, [1])), 0.5),
  };
}
