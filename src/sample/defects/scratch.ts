import type { Rng } from '../../base/rng';
import { direction, dome, ramp } from '../fields';
import { cast } from '../scene';
import type { Scene } from '../scene';
import { place, skewed } from './defect';
import type { Inflict } from './defect';

/** A parabola through a point: so flat that it is an arc for the eye. */
interface Track {
  readonly x: number;
  readonly y: number;
  readonly along: { readonly x: number; readonly y: number };
  readonly lengthPx: number;
  /** Sideways bend per squared length, 1/px. */
  readonly bend: number;
}

/** Visits the pixels near the track: position along it, sideways distance (both px), and the pixel's index. */
function follow(
  { width, height }: Scene,
  track: Track,
  reach: number,
  visit: (i: number, along: number, aside: number) => void,
): void {
  const half = track.lengthPx / 2 + reach;
  const { x: cos, y: sin } = track.along;
  // The ends of a bent track lie up to bend · half² beside the chord.
  const sag = Math.abs(track.bend) * half * half + reach;
  const halfX = Math.abs(cos) * half + Math.abs(sin) * sag;
  const halfY = Math.abs(sin) * half + Math.abs(cos) * sag;
  const x0 = Math.max(Math.floor(track.x - halfX), 0);
  const x1 = Math.min(Math.ceil(track.x + halfX), width - 1);
  const y1 = Math.min(Math.ceil(track.y + halfY), height - 1);
  for (let y = Math.max(Math.floor(track.y - halfY), 0); y <= y1; y++)
    for (let x = x0; x <= x1; x++) {
      const along = (x - track.x) * cos + (y - track.y) * sin;
      if (along > half || along < -half) continue;
      const lean = 2 * track.bend * along;
      const offset = (y - track.y) * cos - (x - track.x) * sin - track.bend * along * along;
      const aside = offset / Math.sqrt(1 + lean * lean);
      if (aside <= reach && aside >= -reach) visit(y * width + x, along, aside);
    }
}

interface Groove {
  readonly halfWidthPx: number;
  readonly depthPx: number;
  /** Height of what the tip pushed to both sides, px. */
  readonly lipPx: number;
  readonly tone: number;
  /** Whether the lines under it are parted. */
  readonly cuts: boolean;
}

/** A continuous groove that tapers to both ends. */
function plough(scene: Scene, mask: Uint8Array, track: Track, groove: Groove): void {
  const reach = groove.halfWidthPx + 2;
  const half = track.lengthPx / 2;
  const depthAt = (along: number, aside: number): number => {
    const taper = Math.min((half - Math.abs(along)) / 6, 1);
    return groove.halfWidthPx * taper - Math.abs(aside);
  };
  if (groove.cuts) {
    follow(scene, track, reach, (i, along, aside) => {
      scene.print[i] = Math.min(scene.print[i], -depthAt(along, aside));
    });
    cast(scene, 0, 0, scene.width, scene.height);
  }
  follow(scene, track, reach, (i, along, aside) => {
    const depth = depthAt(along, aside);
    const cover = ramp(1.4 * depth);
    const lip = dome((depth + 0.9) * (depth + 0.9));
    scene.relief[i] += groove.lipPx * lip - groove.depthPx * cover;
    scene.tone[i] = Math.max(scene.tone[i] + groove.tone * cover, 0);
    if (depth > (groove.lipPx > 0 ? -1 : 0)) mask[i] = 1;
  });
}

interface Dents {
  readonly spacingPx: number;
  readonly halfLengthPx: number;
  readonly halfWidthPx: number;
  readonly depthPx: number;
  readonly tone: number;
  /** 0 for ovals; towards 1 each is eaten into by the next: crescents, scales. */
  readonly crescent: number;
}

/** A row of shallow dents, as a bouncing grain leaves. */
function skip(scene: Scene, mask: Uint8Array, track: Track, dents: Dents): void {
  const oval = (along: number, aside: number): number => {
    const u = along / dents.halfLengthPx;
    const v = aside / dents.halfWidthPx;
    return (1 - Math.sqrt(u * u + v * v)) * Math.min(dents.halfLengthPx, dents.halfWidthPx);
  };
  follow(scene, track, dents.halfWidthPx + 2, (i, along, aside) => {
    const nearest = Math.floor(along / dents.spacingPx + 0.5) * dents.spacingPx;
    if (Math.abs(nearest) > track.lengthPx / 2) return;
    let depth = oval(along - nearest, aside);
    if (dents.crescent > 0)
      depth = Math.min(
        depth,
        -oval(along - nearest - 2 * (1 - dents.crescent) * dents.halfLengthPx, aside) + 0.5,
      );
    const cover = ramp(1.2 * depth);
    scene.relief[i] -= dents.depthPx * cover;
    scene.tone[i] = Math.max(scene.tone[i] + dents.tone * cover, 0);
    if (depth > 0) mask[i] = 1;
  });
}

function drawTrack(rng: Rng, scene: Scene, low: number, high: number, bent: boolean): Track {
  const lengthPx = Math.min(scene.width, scene.height) * rng.between(low, high);
  const bend = (rng.between(0.35, 1) * (rng.uniform() < 0.5 ? -1 : 1)) / lengthPx;
  return { ...place(rng, scene), along: direction(rng), lengthPx, bend: bent ? bend : 0.12 * bend };
}

/** A mark of something that was dragged over the wafer: line, arc, bundle, cut, fish scales or a trail of dents. */
export const scratch: Inflict = (rng, scene, mask, size) => {
  const variety = rng.pick(['line', 'line', 'arc', 'arc', 'bundle', 'cut', 'fish scales', 'dents'] as const);
  const dark = rng.uniform() < 0.6;
  const tone = rng.between(0.14, 0.36) * (dark ? -1 : 1);
  const halfWidthPx = Math.max(skewed(rng, 0.6, 2) * Math.min(size, 2), 0.6);
  const groove = {
    halfWidthPx,
    depthPx: rng.between(0.5, 3),
    lipPx: rng.uniform() < 0.4 ? rng.between(0.4, 1.5) : 0,
    tone,
    cuts: variety === 'cut',
  };
  switch (variety) {
    case 'line':
    case 'arc':
    case 'cut': {
      plough(scene, mask, drawTrack(rng, scene, 0.25, 0.95, variety === 'arc'), groove);
      break;
    }
    case 'bundle': {
      const track = drawTrack(rng, scene, 0.3, 0.9, rng.uniform() < 0.4);
      const count = 2 + rng.integer(3);
      for (let k = 0; k < count; k++) {
        const aside = 9 * Math.min(size, 1.5) * (k + 0.4 * rng.bell());
        const start = 6 * rng.bell();
        plough(
          scene,
          mask,
          {
            ...track,
            x: track.x - aside * track.along.y + start * track.along.x,
            y: track.y + aside * track.along.x + start * track.along.y,
          },
          groove,
        );
      }
      break;
    }
    case 'fish scales':
    case 'dents': {
      const spacingPx = rng.between(6, 12) * Math.min(size, 1.8);
      const scales = variety === 'fish scales';
      skip(scene, mask, drawTrack(rng, scene, 0.3, 0.9, rng.uniform() < 0.5), {
        spacingPx,
        halfLengthPx: spacingPx * rng.between(0.3, 0.45),
        halfWidthPx: Math.max(spacingPx * rng.between(0.35, scales ? 0.9 : 0.55), 2.4),
        depthPx: rng.between(0.8, 3),
        tone,
        crescent: scales ? rng.between(0.55, 0.75) : 0,
      });
    }
  }
  return variety;
};
