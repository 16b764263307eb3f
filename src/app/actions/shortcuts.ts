import type { Action } from './actions';

/** The combination an event stands for: `g`, `Alt+2`, `Ctrl+Shift+z`. Without Ctrl, Shift is part of the character. */
function combinationOf({ key, altKey, ctrlKey, metaKey, shiftKey }: KeyboardEvent): string {
  const control = ctrlKey || metaKey ? `Ctrl+${shiftKey ? 'Shift+' : ''}` : '';
  return `${control}${altKey ? 'Alt+' : ''}${key.length === 1 ? key.toLowerCase() : key}`;
}

const NOT_TYPED_INTO = ':not([type=range], [type=checkbox], [type=radio])';

/** Runs the action of a key; keys typed into fields are the fields', and a dialog's Escape is the dialog's. */
export function runShortcut(actions: readonly Action[], event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (target.closest(`input${NOT_TYPED_INTO}, textarea, select, dialog, [contenteditable]`)) return;
  // Enter presses the button that has the focus; a row that is chosen already has nothing to press.
  if (event.key === 'Enter' && target.closest('button:not([aria-current=true]), a, summary')) return;
  // Arrows move sliders and rows that have the focus.
  if (event.key.startsWith('Arrow') && target.closest('input, [role=separator]')) return;
  const combination = combinationOf(event);
  const action = actions.find(({ keys, when }) => keys.includes(combination) && (when?.() ?? true));
  if (!action) return;
  event.preventDefault();
  action.perform(combination);
}

const NAMES: Readonly<Record<string, string>> = {
  ArrowRight: '→',
  ArrowLeft: '←',
  Delete: 'Del',
  Escape: 'Esc',
  Backspace: '⌫',
  '!': 'Shift+1',
  'Ctrl+z': 'Ctrl+Z',
  'Ctrl+Shift+z': 'Ctrl+Shift+Z',
  'Ctrl+y': 'Ctrl+Y',
};

/** Keys of an action as the help sheet shows them. */
export const keysOf = ({ keys, shown }: Pick<Action, 'keys' | 'shown'>): readonly string[] =>
  shown
    ? [shown]
    : [...new Set(keys.map((key) => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key)))];
