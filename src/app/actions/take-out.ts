import type { Session } from '../state/session.svelte';

/** Takes the image that is looked at out of the set; the next one of the list is looked at then, or the last. */
export async function takeOut(
  session: Pick<Session, 'selected' | 'selectedEntry' | 'filter' | 'library'>,
): Promise<void> {
  const { selected, selectedEntry: gone, filter, library } = session;
  session.selected = (filter.beside(selected, 1) ?? filter.beside(selected, -1))?.imageId;
  await library.remove(gone ? [gone] : []);
}
