import type { BackboneDescription, MethodDescription } from '../../protocol/engine-api';
import type { FitRecord } from '../../store/schema';
import type { FitPlan } from './fits.svelte';
import type { JobKind } from './jobs.svelte';
import { presetDraft, specOf } from './support-rules';

/** The job that inspects by text alone. */
export const FIRST_LOOK: JobKind = { title: 'First look, by text alone', background: true };

/**
 * A look by text alone, with nothing taught: the preset's classes and an encoder whose file tells everything; by a
 * method that learns from good images and defects alike, and needs neither.
 * @returns undefined while there is none
 */
export function firstLookPlan(
  methods: readonly MethodDescription[],
  encoder: BackboneDescription | undefined,
): FitPlan | undefined {
  const method = methods.find(
    ({ needs }) => needs.support && needs.defects === 'optional' && !needs.leastGoodImages,
  );
  const activation = encoder?.clip?.activation;
  if (!method || !encoder || !activation || activation === 'ask') return undefined;
  return {
    method: method.id,
    options: {},
    backboneId: encoder.id,
    activation,
    side: encoder.sides.usual,
    seed: 0,
    support: specOf(presetDraft()),
  };
}

/** Whether a fit was taught by no image. */
export const byTextAlone = ({
  spec,
  goodIds,
  defectIds = [],
}: Pick<FitRecord, 'spec' | 'goodIds' | 'defectIds'>): boolean =>
  !!spec.support && !goodIds.length && !defectIds.length;
