import type { FitRecord, SupportSetRecord } from '../../store/schema';

/** A method's title, with the support set that it was taught by. */
export function taughtName(
  { spec, supportSetId }: Pick<FitRecord, 'spec' | 'supportSetId'>,
  title: string,
  supportSets: readonly Pick<SupportSetRecord, 'id' | 'name'>[],
): string {
  if (spec.support && !supportSetId) return `${title}, text only`;
  if (!supportSetId) return title;
  return `${title}, ${supportSets.find(({ id }) => id === supportSetId)?.name ?? 'a deleted support set'}`;
}

/** A fit's name, and its number among those that are called the same. @param fits in the order they were begun */
export function numberedName<T extends { readonly id: string }>(
  fit: T,
  fits: readonly T[],
  nameOf: (fit: T) => string,
): string {
  const name = nameOf(fit);
  const alike = fits.filter((other) => nameOf(other) === name);
  return alike.length > 1 ? `${name} (fit\u00a0${alike.findIndex(({ id }) => id === fit.id) + 1})` : name;
}
