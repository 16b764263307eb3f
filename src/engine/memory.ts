import { formatBytes } from '../base/bytes';
import { AppError } from '../base/errors';
import type { Detector, FitSize, MemoryEstimate } from '../methods/contract';
import type { OptionSpec, Options } from '../methods/options';
import type { ProviderReport } from '../runtime/ort';

/** An option is worth naming when half of it saves at least this share. */
const WORTH_NAMING = 0.05;

/** A fit whose memory is asked for. */
interface Sized {
  readonly title: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Its own account of what it needs. */
  readonly memory: (options: Options, images: number) => MemoryEstimate;
  readonly images: number;
  /** What the images are called. */
  readonly of: string;
}

/**
 * What a fit needs, by the method's own account.
 * @throws fit/memory when the device is known not to have it
 */
export function requireMemory(
  sized: Sized,
  options: Options,
  { memoryBytes = Infinity }: ProviderReport,
): MemoryEstimate {
  const estimate = sized.memory(options, sized.images);
  if (estimate.fitBytes <= memoryBytes) return estimate;
  throw new AppError(
    'fit/memory',
    `${sized.title} would need about ${formatBytes(estimate.fitBytes)} to fit on ${sized.images} ${sized.of}; there are ${formatBytes(memoryBytes)} here`,
    { hint: `Lower ${whatToLower(sized, options).join(', ')}.` },
  );
}

/** As `requireMemory`, of a detector. @throws fit/memory */
export const estimateFit = (
  detector: Detector,
  size: FitSize,
  options: Options,
  report: ProviderReport,
): MemoryEstimate =>
  requireMemory(
    {
      title: detector.title,
      options: detector.options,
      memory: (tried, goodImages) => detector.memory({ ...size, goodImages }, tried),
      images: size.goodImages,
      of: 'good images',
    },
    options,
    report,
  );

/** Labels of the number options that the memory of a fit depends on, then the sizes that every fit depends on. */
function whatToLower({ options: specs, memory, images, of }: Sized, options: Options): string[] {
  const now = memory(options, images).fitBytes;
  const saves = (fitBytes: number) => fitBytes < now * (1 - WORTH_NAMING);
  const labels = Object.entries(specs).flatMap(([name, spec]) => {
    if (spec.kind !== 'number') return [];
    const half = Math.max(spec.min, Number(options[name]) / 2);
    const value = spec.integer ? Math.floor(half) : half;
    return saves(memory({ ...options, [name]: value }, images).fitBytes) ? [spec.label] : [];
  });
  const fewer = memory(options, Math.ceil(images / 2)).fitBytes;
  return [...labels, ...(saves(fewer) ? [`the number of ${of}`] : []), 'the image size'];
}
