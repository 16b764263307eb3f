import { expect, it } from 'vitest';
import type { Action } from '../../../src/app/actions/actions';
import { keysOf, runShortcut } from '../../../src/app/actions/shortcuts';

const press = (key: string, more: Partial<KeyboardEvent> = {}, field = false): KeyboardEvent =>
  ({
    key,
    altKey: false,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    target: { closest: () => (field ? {} : null) },
    preventDefault: () => undefined,
    ...more,
  }) as unknown as KeyboardEvent;

it('a key means what the place says, and nothing in a field', () => {
  const done: string[] = [];
  let painting = true;
  const action = (title: string, keys: readonly string[], when?: () => boolean): Action => ({
    title,
    keys,
    ...(when && { when }),
    perform: () => done.push(title),
  });
  const actions = [
    action('smaller', ['['], () => painting),
    action('undo', ['Ctrl+z'], () => painting),
    action('redo', ['Ctrl+Shift+z'], () => painting),
    action('fold', ['[']),
    action('list', ['?']),
  ];
  runShortcut(actions, press('['));
  runShortcut(actions, press('z', { ctrlKey: true }));
  runShortcut(actions, press('Z', { ctrlKey: true, shiftKey: true }));
  runShortcut(actions, press('?', { shiftKey: true }));
  painting = false;
  runShortcut(actions, press('['));
  runShortcut(actions, press('z', { ctrlKey: true }));
  runShortcut(actions, press('[', {}, true));
  expect(done).toEqual(['smaller', 'undo', 'redo', 'list', 'fold']);
  expect(keysOf(actions[2])).toEqual(['Ctrl+Shift+Z']);
});

it('a row of keys is one action, told which of them was pressed', () => {
  const pressed: string[] = [];
  const digits: Action = {
    title: 'label',
    keys: [...'123'],
    shown: '1 to 3',
    perform: (key) => pressed.push(key),
  };
  for (const key of '1324') runShortcut([digits], press(key));
  expect([pressed, keysOf(digits)]).toEqual([['1', '3', '2'], ['1 to 3']]);
});

it('Enter presses the button that has the focus, unless it is a row that is chosen', () => {
  let accepted = 0;
  const accept: Action = { title: 'accept', keys: ['Enter'], perform: () => accepted++ };
  const on = (selectors: string) => ({
    ...press('Enter'),
    target: { closest: (asked: string) => (asked.includes(selectors) ? {} : null) },
  });
  runShortcut([accept], on('button:not([aria-current=true])') as unknown as KeyboardEvent);
  expect(accepted).toBe(0);
  runShortcut([accept], press('Enter'));
  expect(accepted).toBe(1);
});
