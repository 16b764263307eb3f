/** A fit on the built-in SEM encoder as the app makes it: a support set of procedural images, and what it finds. */
import type { BackboneId, JobId } from '../../src/base/ids';
import { Rng } from '../../src/base/rng';
import type { FitSpec, FitSummary } from '../../src/protocol/engine-api';
import { CLASS_NAMES } from '../../src/sample/classes';
import type { ClassName } from '../../src/sample/classes';
import { generateImage } from '../../src/sample/generate';
import { DETAILED_PROMPTS } from '../../src/text/prompt-presets';
import { TestEngine } from './engine';
import type { Found } from './engine';

const SIDE = 240;
/** Good images that tell the threshold: the fewest that do. */
const OTHERS = 4;

export interface TaughtFit {
  readonly engine: TestEngine;
  readonly spec: FitSpec;
  readonly summary: FitSummary;
  /** The first image that was taught. */
  readonly good: Found;
  /** The same place with a defect of each class, and where it is: [side·side], 0 or 1. */
  readonly defects: readonly (Found & { readonly mask: Uint8Array })[];
}

/** @param good images that the method is taught @param classes of defects that are inspected */
export async function fitOnSemEncoder(
  method: string,
  options: Readonly<Record<string, unknown>>,
  good: number,
  classes: readonly ClassName[],
): Promise<TaughtFit> {
  const engine = new TestEngine(SIDE);
  const draw = (place: string, className: ClassName) => {
    const made = generateImage(new Rng(1, place), { width: SIDE, height: SIDE, className });
    const plane = Float32Array.from(made.pixels, (value) => value / 255);
    return { source: engine.add(`${place} ${className}`, plane), mask: made.mask };
  };
  const normals = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => draw(`${name}.${i}`, 'good').source);
  const taught = normals('good', good);
  const spec: FitSpec = {
    ...engine.spec(method, options),
    backboneId: 'builtin:sem-encoder' as BackboneId,
    activation: 'gelu',
    support: { prompts: DETAILED_PROMPTS, normal: CLASS_NAMES.indexOf('good') },
  };
  const summary = await engine.engine.fit(
    {
      jobId: 'fit' as JobId,
      spec,
      good: taught,
      defects: [],
      others: normals('others', OTHERS),
    },
    () => undefined,
  );
  const drawn = classes.map((className) => draw('good.0', className));
  const [first, ...rest] = await engine.inspect(spec, [taught[0], ...drawn.map(({ source }) => source)]);
  return {
    engine,
    spec,
    summary,
    good: first,
    defects: rest.map((found, i) => ({ ...found, mask: drawn[i].mask })),
  };
}
