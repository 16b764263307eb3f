import { describe, expect, it } from 'vitest';
import type { ImageId } from '../../../src/base/ids';
import type { Entry } from '../../../src/app/state/library.svelte';
import { LibraryFilter } from '../../../src/app/state/library-filter.svelte';

const entry = (imageId: string, role: Entry['role'], className?: string): Entry =>
  ({ imageId, name: `${imageId}.png`, role, className }) as unknown as Entry;

const ENTRIES = [
  entry('a', 'good', 'good'),
  entry('b', 'inspect', 'hole'),
  entry('c', 'inspect'),
  entry('d', 'inspect', 'Hole'),
];
const STRANGE = ['b', 'd'];
const filtered = (): LibraryFilter =>
  new LibraryFilter(
    { entries: ENTRIES },
    { verdict: (imageId) => (STRANGE.includes(imageId) ? 'strange' : 'good') },
  );
const ids = ({ shown }: LibraryFilter) => shown.map(({ imageId }) => imageId).join('');

describe('the images of the list', () => {
  it('are told by part, by verdict, and by name or class in any case', () => {
    const filter = filtered();
    expect(ids(filter)).toBe('abcd');
    filter.which = 'good';
    expect(ids(filter)).toBe('a');
    filter.which = 'inspect';
    expect(ids(filter)).toBe('bcd');
    filter.text = 'HOLE/';
    expect(ids(filter)).toBe('bd');
    filter.which = 'strange';
    filter.text = 'd.png';
    expect(ids(filter)).toBe('d');
  });

  it('are stepped through without those that are hidden', () => {
    const filter = filtered();
    filter.which = 'strange';
    const beside = (id: string | undefined, direction: 1 | -1) =>
      filter.beside(id as ImageId | undefined, direction)?.imageId;
    expect([beside('b', 1), beside('d', -1)]).toEqual(['d', 'b']);
    expect([beside('b', -1), beside('d', 1)]).toEqual([undefined, undefined]);
    // From a hidden one, in the order of the set; from none, to the first.
    expect([beside('c', 1), beside('c', -1), beside(undefined, 1)]).toEqual(['d', 'b', 'b']);
  });
});
