import { formatBytes } from '../base/bytes';
import { AppError } from '../base/errors';
import type { Detector, FitSize, MemoryEstimate } from '../methods/contract';
import type { Options } from '../methods/options';
import type { ProviderReport } from '../runtime/ort';

/** An option is worth naming when half of it saves at least this share. */
const WORTH_NAMING = 0.05;

/**
 * What a fit needs, by the method's own account.
 * @throws fit/memory when the device is known not to have it
 */
export function estimateFit(
  detector: Detector,
  size: FitSize,
  options: Options,
  { memoryBytes = Infinity }: ProviderReport,
): MemoryEstimate {
  const estimate = detector.memory(size, options);
  if (estimate.fitBytes <= memoryBytes) return estimate;
  throw new AppError(
    'fit/memory',
    `${detector.title} would need about ${formatBytes(estimate.fitBytes)} to fit on ${size.goodImages} good images; there are ${formatBytes(memoryBytes)} here`,
    { hint: `Lower ${whatToLower(detector, size, options).join(', ')}.` },
  );
}

/** Labels of the number options that the memory of a fit depends on, then the sizes that every fit depends on. */
function whatToLower(detector: Detector, size: FitSize, options: Options): string[] {
  const now = detector.memory(size, options).fitBytes;
  const saves = (fitBytes: number) => fitBytes < now * (1 - WORTH_NAMING);
  const labels = Object.entries(detector.options).flatMap(([name, spec]) => {
    if (spec.kind !== 'number') return [];
    const half = Math.max(spec.min, Number(options[name]) / 2);
    const value = spec.integer ? Math.floor(half) : half;
    return saves(detector.memory(size, { ...options, [name]: value }).fitBytes) ? [spec.label] : [];
  });
  const fewer = detector.memory({ ...size, goodImages: Math.ceil(size.goodImages / 2) }, options).fitBytes;
  return [...labels, ...(saves(fewer) ? ['the number of good images'] : []), 'the image size'];
}
