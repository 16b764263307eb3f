import { beforeEach, describe, expect, it } from 'vitest';
import { labellingActions } from '../../../src/app/actions/labelling-actions';
import type { Action } from '../../../src/app/actions/actions';
import type { Entry } from '../../../src/app/state/library.svelte';
import type { Place } from '../../../src/app/views/place';

const entry = { name: 'a.png', imageId: 'a' } as Entry;

describe('keys of labelling', () => {
  let done: unknown[];
  let told: string | undefined;
  let selectedEntry: Entry | undefined;
  let place: Place;
  let detail: string;
  let actions: readonly Action[];

  beforeEach(() => {
    [done, told, selectedEntry, place, detail] = [[], undefined, entry, 'classes', ''];
    const step =
      (name: string) =>
      async (...rest: unknown[]) =>
        void done.push([name, ...rest.slice(1)]);
    const session = {
      get selectedEntry() {
        return selectedEntry;
      },
      notices: { fail: (error: unknown) => done.push(error) },
      classes: {
        labels: {
          classes: ['bridge', 'hole'],
          label: step('label'),
          labelByKey: async (entries: readonly Entry[], key: number) => {
            await step('key')(entries, key);
            return true;
          },
          undo: step('undo'),
          redo: step('redo'),
        },
        told: () => told,
      },
    };
    actions = labellingActions(session, { place: () => place, detail: () => detail }, () =>
      done.push('next'),
    );
  });

  const press = (key: string) => {
    const action = actions.find(({ keys, when }) => keys.includes(key) && when?.());
    action?.perform(key);
    return action !== undefined;
  };

  it('a number labels and goes on; one without a class does neither', () => {
    press('2');
    press('3');
    press('0');
    expect(done).toEqual([['key', 2], 'next', ['key', 0], 'next']);
  });

  it('Backspace takes the label away and stays', () => {
    press('Backspace');
    expect(done).toEqual([['label', undefined]]);
  });

  it('Enter takes what the classifier says, where it says something', () => {
    press('Enter');
    told = 'hole';
    press('Enter');
    expect(done).toEqual([['label', 'hole'], 'next']);
  });

  it('without an image nothing happens', () => {
    selectedEntry = undefined;
    told = 'hole';
    for (const key of ['1', '0', 'Backspace', 'Enter']) press(key);
    expect(done).toEqual([]);
  });

  it('in a review no image is labelled unseen, steps are taken back all the same', () => {
    detail = 'review';
    expect(['1', '0', 'Backspace', 'Enter'].map(press)).toEqual([false, false, false, false]);
    press('Ctrl+z');
    press('Ctrl+y');
    expect(done).toEqual([['undo'], ['redo']]);
    place = 'images';
    expect(press('Ctrl+z')).toBe(false);
  });
});
