import type { Region } from './regions';

const ROWS = ['upper', 'middle', 'lower'] as const;
const COLUMNS = ['left', 'middle', 'right'] as const;

/** Which of three thirds a position from 0 to `length` lies in. */
const third = (position: number, length: number): number =>
  Math.min(Math.max(Math.floor((3 * position) / length), 0), 2);

/** `upper left` … `middle` … `lower right`: the ninth of a map that the middle of a region lies in. */
function placeOf({ centroid }: Region, width: number, height: number): string {
  const [row, column] = [ROWS[third(centroid.y, height)], COLUMNS[third(centroid.x, width)]];
  return row === column ? row : `${row} ${column}`;
}

/** `2.3 %`, `below 0.1 %` */
const shareOf = (area: number, whole: number): string => {
  const percent = (100 * area) / whole;
  return percent < 0.1 ? 'below 0.1 %' : `${percent.toFixed(1)} %`;
};

/**
 * Whether an image has an anomaly, where and how large: what AnomalyGPT's language model would be asked, told by rules.
 * @param strange the verdict on the image
 * @param regions of its map, the strangest first
 * @param width of the map
 * @source methods.md 15.2
 */
export function ruleMadeSentence(
  strange: boolean,
  regions: readonly Region[],
  width: number,
  height: number,
): string {
  return `${answer(strange, regions, width, height)} Rule-made sentence; no language model runs.`;
}

function answer(strange: boolean, regions: readonly Region[], width: number, height: number): string {
  if (!strange) return 'No, there is no anomaly in this image.';
  if (!regions.length) return 'Yes, there is an anomaly in this image, but no place is above the threshold.';
  const [strongest] = regions;
  const area = regions.reduce((sum, region) => sum + region.area, 0);
  const share = shareOf(area, width * height);
  const place = placeOf(strongest, width, height);
  return regions.length === 1
    ? `Yes, there is an anomaly at the ${place}; it takes ${share} of the image.`
    : `Yes, there are anomalies at ${regions.length} places, the strongest at the ${place}; together they take ${share} of the image.`;
}
