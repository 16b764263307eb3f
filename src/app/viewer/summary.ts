import { findRegions } from '../../review/regions';
import type { ResultRecord } from '../../store/schema';
import { plural } from '../actions/format';
import type { Inspections } from '../state/inspections.svelte';
import type { Entry } from '../state/library.svelte';

/** What the canvas shows, in words: for screen readers, and for whoever wants it short. */
export function textSummary(
  entry: Entry,
  result: ResultRecord | undefined,
  values: Float32Array | undefined,
  inspections: Inspections,
): string {
  const { width, height } = entry.image;
  const head = `${entry.name}, ${width} by ${height} pixels.`;
  if (!result || !values) return `${head} Not inspected.`;
  const value = inspections.value(entry.imageId);
  const { threshold } = inspections;
  const side =
    value === undefined ? 'not calibrated' : value >= threshold ? 'above threshold' : 'below threshold';
  const regions = findRegions(values, result.side, result.side, threshold);
  const largest = regions.reduce((most, { area }) => Math.max(most, area), 0);
  const where = regions.length
    ? `${plural(regions.length, 'strange region')}, the largest of ${((100 * largest) / values.length).toFixed(1)} percent of the image.`
    : 'No strange region.';
  return `${head} Score ${result.score.toPrecision(3)}${value === undefined ? '' : `, value ${value.toFixed(2)}`}, ${side}. ${where}`;
}
