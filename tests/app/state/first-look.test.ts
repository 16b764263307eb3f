import { expect, it } from 'vitest';
import type { BackboneId } from '../../../src/base/ids';
import { firstLookPlan } from '../../../src/app/state/first-look';
import { describeMethods } from '../../../src/engine/describe';

const encoder = {
  id: 'builtin:sem-encoder' as BackboneId,
  title: 'SEM encoder',
  architecture: 'clip',
  sides: { multipleOf: 16, least: 16, usual: 240 },
  clip: { activation: 'gelu' },
} as const;

it('the first look is by SEM-CLIP, whatever else a support set teaches', () => {
  expect(describeMethods().filter(({ needs }) => needs.support).length).toBeGreaterThan(1);
  expect(firstLookPlan(describeMethods(), encoder)).toMatchObject({ method: 'semclip', side: 240 });
});

it('there is none without an encoder whose file tells everything', () => {
  expect(firstLookPlan(describeMethods(), undefined)).toBeUndefined();
  const asking = { ...encoder, clip: { activation: 'ask' } } as const;
  expect(firstLookPlan(describeMethods(), asking)).toBeUndefined();
  expect(firstLookPlan([], encoder)).toBeUndefined();
});
