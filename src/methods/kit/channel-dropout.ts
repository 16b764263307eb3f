import type { Rng } from '../../base/rng';
import type { TensorData } from '../../base/tensor';
import { floats } from '../../base/tensor';

/**
 * Leaves out whole channels of features, drawn for each image; what stays is raised so that means stay as they are.
 * @param features [B,C·h·w], channels first; changed in place
 * @param channels C
 * @param share of the channels that is left out, below 1
 * @source Tompson et al. 2015 (spatial dropout)
 */
export function dropChannels(features: TensorData, channels: number, share: number, rng: Rng): void {
  const values = floats(features);
  const plane = values.length / (features.shape[0] * channels);
  for (let start = 0; start < values.length; start += plane) {
    const scale = rng.uniform() < share ? 0 : 1 / (1 - share);
    for (let i = start; i < start + plane; i++) values[i] *= scale;
  }
}
