/** The places of the one window, in the order of the work, questions beside it; the URL's hash says which is open. */
export const PLACES = ['images', 'teach', 'detectors', 'results', 'classes', 'ask'] as const;
export type Place = (typeof PLACES)[number];

export const PLACE_TITLES: Readonly<Record<Place, string>> = {
  images: 'Images',
  teach: 'Teach',
  detectors: 'Detectors',
  results: 'Results',
  classes: 'Classes',
  ask: 'Ask',
};

/** `#detectors/cfa`: the place, and what is looked at there. */
export function placeOf(hash: string): { place: Place; detail: string } {
  const [name, detail = ''] = hash.slice(1).split('/');
  return { place: PLACES.find((place) => place === name) ?? 'images', detail };
}
