import { interpolateViridis } from 'd3-scale-chromatic';

const hex = Array.from({ length: 256 }, (_, level) => interpolateViridis(level / 255));

/** 256 colours, [r,g,b] each. */
export const VIRIDIS: Uint8Array = Uint8Array.from(
  hex.flatMap((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))),
);

/** The colour scale as a CSS gradient, left to right. */
export const VIRIDIS_GRADIENT = `linear-gradient(to right, ${hex.filter((_, level) => level % 15 === 0).join(', ')})`;
