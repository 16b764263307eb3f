/** The places of the one window, in the order of the work; the URL's hash says which is open. */
export const PLACES = ['images', 'detectors', 'results'] as const;
export type Place = (typeof PLACES)[number];

export const PLACE_TITLES: Readonly<Record<Place, string>> = {
  images: 'Images',
  detectors: 'Detectors',
  results: 'Results',
};

export const placeOf = (hash: string): Place => PLACES.find((place) => hash === `#${place}`) ?? 'images';
