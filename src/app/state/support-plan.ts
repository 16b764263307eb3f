import type { MethodDescription, Options, SupportSpec } from '../../protocol/engine-api';
import type { Asking } from './asking.svelte';
import { BUILT_IN } from './backbones.svelte';
import type { Backbones } from './backbones.svelte';
import type { FitPlan } from './fits.svelte';

/** A method that a support set is to teach, with its options. */
export interface TaughtMethod {
  readonly method: MethodDescription;
  readonly options: Options;
}

/**
 * A fit on a support set: methods that read tokens stand on the chosen encoder, others on the built-in backbone.
 * @returns undefined while there is no such encoder
 */
export function supportPlan(
  { method, options }: TaughtMethod,
  {
    asking,
    backbones,
  }: { readonly asking: Pick<Asking, 'encoder'>; readonly backbones: Pick<Backbones, 'all'> },
  support: SupportSpec,
  seed: number,
): FitPlan | undefined {
  const common = { method: method.id, options, seed, support };
  if (method.standsOn !== 'clip') {
    const backbone = backbones.all.find(({ id }) => id === BUILT_IN);
    return backbone && { ...common, backboneId: BUILT_IN, side: backbone.sides.usual };
  }
  const { activation, description } = asking.encoder ?? {};
  if (!activation || !description) return undefined;
  return { ...common, backboneId: description.id, activation, side: description.sides.usual };
}
