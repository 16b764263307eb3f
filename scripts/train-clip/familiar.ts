import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import type { LoadedBackbone } from '../../src/engine/backbones';
import { FeatureExtractor, disposeTaps, stackImages } from '../../src/engine/features';
import { whiten } from '../../src/methods/kit/whitening';
import { quantile } from '../../src/metrics/statistics';
import type { Runtime } from '../../src/runtime/runtime';
import { RANGES } from '../../src/sample/ranges';
import { FAMILIAR } from '../../src/nn/clip/clip-backbone';
import { pictureOf } from './pictures';
import { CLOSE_RANGES, WIDE_RANGES } from './ranges';

const TOGETHER = 8;
/** Images that mean and covariance are taken of, and others that the limit is. */
const KNOWN = 2000;
const HELD_OUT = 512;
/** Shrinks the correlations towards none: the covariance of so few images is uncertain. */
const SHRINKAGE = 0.3;
/** Share of held-out images, of the usual ranges, below the limit. */
const BELOW = 0.95;

/**
 * What an encoder tells strange images by: the Mahalanobis length of the mean of its first level's patches, over the
 * length that hardly any synthetic image exceeds.
 * @returns tensors that go into its file
 */
export async function familiarity(
  runtime: Runtime,
  encoder: LoadedBackbone,
  seed: number,
): Promise<Record<string, TensorData>> {
  const side = encoder.backbone.sides.usual;
  const extractor = await FeatureExtractor.open(runtime, encoder, ['tokens1'], side, TOGETHER, 'fit');
  const known = {
    name: 'familiar',
    side,
    seed,
    sources: [RANGES, WIDE_RANGES, CLOSE_RANGES].map((ranges) => ({ ranges })),
  };
  const usual = { ...known, name: 'familiar held out', sources: [{ ranges: RANGES }] };
  const rows: Float64Array[] = [];
  while (rows.length < KNOWN + HELD_OUT) {
    const planes = Array.from({ length: TOGETHER }, (_, i) =>
      Float32Array.from(
        pictureOf(rows.length < KNOWN ? known : usual, rows.length + i).pixels,
        (value) => value / 255,
      ),
    );
    const taps = await extractor.run(stackImages(planes, TOGETHER, side), 'fit');
    const [, tokens, width] = taps.tokens1!.shape;
    const values = floats(await runtime.read(taps.tokens1!));
    disposeTaps(taps);
    for (let b = 0; b < TOGETHER; b++) {
      const mean = new Float64Array(width);
      // Token 0 is the class token.
      for (let at = (b * tokens + 1) * width; at < (b + 1) * tokens * width; at++)
        mean[at % width] += values[at] / (tokens - 1);
      rows.push(mean);
    }
  }
  const learnt = rows.slice(0, KNOWN);
  const width = rows[0].length;
  const average = (of: (row: Float64Array) => number) =>
    learnt.reduce((sum, row) => sum + of(row), 0) / learnt.length;
  const mean = Array.from({ length: width }, (_, c) => average((row) => row[c]));
  const deviation = mean.map((own, c) => Math.sqrt(average((row) => (row[c] - own) ** 2)));
  const correlation = new Float32Array(width * width);
  for (const row of learnt)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++)
        correlation[i * width + j] +=
          (((row[i] - mean[i]) / deviation[i]) * ((row[j] - mean[j]) / deviation[j])) / learnt.length;
  const whitening = whiten(correlation, width, 1, SHRINKAGE).map(
    (value, at) => value / deviation[Math.floor(at / width)],
  );
  const lengthOf = (row: Float64Array): number => {
    let squares = 0;
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let i = 0; i <= j; i++) sum += (row[i] - mean[i]) * whitening[i * width + j];
      squares += sum * sum;
    }
    return Math.sqrt(squares);
  };
  const limit = quantile(rows.slice(KNOWN).map(lengthOf), BELOW)!;
  return {
    [FAMILIAR.mean]: floatTensor([width], mean),
    [FAMILIAR.whitening]: floatTensor(
      [width, width],
      whitening.map((value) => value / limit),
    ),
  };
}
