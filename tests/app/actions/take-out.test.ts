import { expect, it } from 'vitest';
import type { ImageId } from '../../../src/base/ids';
import { takeOut } from '../../../src/app/actions/take-out';
import type { Entry } from '../../../src/app/state/library.svelte';
import { LibraryFilter } from '../../../src/app/state/library-filter.svelte';

/** A session of three images, the middle one hidden, that looks at one of them. */
function looking(at: string) {
  const entries = ['a.png', 'b.tif', 'c.png'].map((name) => ({ imageId: name[0], name }) as unknown as Entry);
  const library = {
    entries,
    remove: async (gone: readonly Entry[]) =>
      void (library.entries = library.entries.filter((own) => !gone.includes(own))),
  };
  const filter = new LibraryFilter(library, { verdict: () => 'unscored' });
  filter.text = 'png';
  return {
    selected: at as ImageId | undefined,
    library,
    filter,
    get selectedEntry() {
      return library.entries.find(({ imageId }) => imageId === this.selected);
    },
  };
}

it('the next image of the list is looked at after one is taken out, the one before after the last', async () => {
  for (const [at, then, left] of [
    ['a', 'c', 'bc'],
    ['c', 'a', 'ab'],
  ]) {
    const session = looking(at);
    await takeOut(session as unknown as Parameters<typeof takeOut>[0]);
    const { library, selected } = session;
    expect([selected, library.entries.map(({ imageId }) => imageId).join('')]).toEqual([then, left]);
  }
});
