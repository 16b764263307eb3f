/** The six kinds of defect. */
import type { Rng } from '../base/rng';
import type { DefectName } from './classes';
import { bridge } from './defects/bridge';
import { copperResidue } from './defects/copper-residue';
import type { Inflict } from './defects/defect';
import { hole } from './defects/hole';
import { infilm } from './defects/infilm';
import { particle } from './defects/particle';
import { scratch } from './defects/scratch';
import { copyScene } from './scene';
import type { Scene } from './scene';

const INFLICT: Readonly<Record<DefectName, Inflict>> = {
  bridge,
  'copper residue': copperResidue,
  hole,
  infilm,
  particle,
  scratch,
};

export interface Defective {
  readonly scene: Scene;
  /** 1 on the defect's footprint, 0 elsewhere. @shape [height·width] */
  readonly mask: Uint8Array;
  /** Which kind within the class, such as `fish scales` of scratch. */
  readonly variety: string;
}

/** A copy of a scene with one defect; `undefined` where the layout offers no place for it. */
export function withDefect(
  rng: Rng,
  clean: Scene,
  className: DefectName,
  size: number,
): Defective | undefined {
  const scene = copyScene(clean);
  const mask = new Uint8Array(scene.width * scene.height);
  const variety = INFLICT[className](rng, scene, mask, size);
  return variety === undefined ? undefined : { scene, mask, variety };
}
