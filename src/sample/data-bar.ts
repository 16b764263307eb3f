/** The line of text and the scale bar that instruments burn into their pictures. */
import type { Rng } from '../base/rng';

/** Three by five dots a letter: five octal digits, the top row first, the left dot in the highest bit. */
const GLYPHS: Readonly<Record<string, number>> = {
  '0': 0o75557,
  '1': 0o26227,
  '2': 0o71747,
  '3': 0o71717,
  '4': 0o55711,
  '5': 0o74717,
  '6': 0o74757,
  '7': 0o71122,
  '8': 0o75757,
  '9': 0o75717,
  '.': 0o00002,
  A: 0o25755,
  D: 0o65556,
  E: 0o74647,
  H: 0o55755,
  I: 0o72227,
  K: 0o55655,
  L: 0o44447,
  M: 0o57755,
  N: 0o65555,
  S: 0o34216,
  T: 0o72222,
  U: 0o55557,
  V: 0o55552,
  W: 0o55775,
  X: 0o55255,
};

const GLYPH_WIDTH = 4;
const GLYPH_HEIGHT = 5;

/** What an instrument says about one picture. */
export interface Bar {
  /** Height in the picture, px. */
  readonly heightPx: number;
  readonly text: string;
  readonly scaleBarPx: number;
  readonly atTop: boolean;
  readonly ink: number;
  readonly paper: number;
  /** Picture dots per dot of a letter. */
  readonly dot: number;
}

const BAR_NM = [50, 100, 200, 500, 1000, 2000, 5000] as const;

/** A bar for a picture of this size: voltage, magnification, detector and a round length. */
export function drawBar(rng: Rng, width: number, height: number): Bar {
  const dot = Math.max(Math.floor(Math.min(width, height) / 150), 1);
  const pixelNm = rng.between(1.2, 12);
  const lengthNm = BAR_NM.findLast((nm) => nm / pixelNm < 0.3 * width) ?? BAR_NM[0];
  const length = lengthNm < 1000 ? `${lengthNm}NM` : `${lengthNm / 1000}UM`;
  const dark = rng.uniform() < 0.6;
  // By custom a magnification refers to a print 127 mm wide.
  const thousandfold = Math.floor(127_000 / (width * pixelNm));
  return {
    heightPx: dot * (GLYPH_HEIGHT + 4 + rng.integer(4)),
    text: `${1 + rng.integer(20)}.0KV ${thousandfold}KX ${rng.pick(['SE', 'TLD', 'IN', 'SE2'])} ${length}`,
    scaleBarPx: Math.floor(lengthNm / pixelNm),
    atTop: rng.uniform() < 0.15,
    ink: dark ? 255 : 0,
    paper: dark ? 0 : 255,
    dot,
  };
}

/** Writes the bar into the rows it was given: the first or the last `heightPx` of the picture. */
export function burnBar(pixels: Uint8Array, width: number, bar: Bar): void {
  const height = pixels.length / width;
  const firstRow = bar.atTop ? 0 : height - bar.heightPx;
  pixels.fill(bar.paper, firstRow * width, (firstRow + bar.heightPx) * width);
  const textRow = firstRow + Math.floor((bar.heightPx - GLYPH_HEIGHT * bar.dot) / 2);
  const ink = (x: number, y: number, wide: number, high: number): void => {
    for (let row = y; row < y + high; row++)
      pixels.fill(bar.ink, row * width + Math.min(x, width), row * width + Math.min(x + wide, width));
  };
  const margin = 3 * bar.dot;
  [...bar.text].forEach((letter, k) => {
    const glyph = GLYPHS[letter] ?? 0;
    for (let bit = 0; bit < 15; bit++)
      if ((glyph >>> (14 - bit)) & 1)
        ink(
          margin + (k * GLYPH_WIDTH + (bit % 3)) * bar.dot,
          textRow + Math.floor(bit / 3) * bar.dot,
          bar.dot,
          bar.dot,
        );
  });
  const right = width - margin;
  const left = Math.max(right - bar.scaleBarPx, margin + (bar.text.length * GLYPH_WIDTH + 1) * bar.dot);
  if (left >= right) return;
  ink(left, textRow + 2 * bar.dot, right - left, bar.dot);
  ink(left, textRow, bar.dot, GLYPH_HEIGHT * bar.dot);
  ink(right - bar.dot, textRow, bar.dot, GLYPH_HEIGHT * bar.dot);
}
