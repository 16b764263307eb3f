import type { Session } from '../state/session.svelte';
import type { Brush } from '../viewer/brush.svelte';
import type { Place } from '../views/place';
import type { ViewerState } from '../viewer/viewer-state.svelte';
import { labellingActions } from './labelling-actions';
import { takeOut } from './take-out';

/** Something the user can do: keys, the help sheet and buttons all read it from here. */
export interface Action {
  readonly title: string;
  /** Combinations as `event.key` gives them, `Ctrl+` in front where it is held. */
  readonly keys: readonly string[];
  /** Where the keys mean this, for those that mean different things in different places. */
  readonly when?: () => boolean;
  /** What the help sheet shows for a row of keys. */
  readonly shown?: string;
  /** @param combination the one of `keys` that was pressed */
  readonly perform: (combination: string) => void;
}

export interface Window {
  readonly place: () => Place;
  /** What is looked at in the place; empty for the images. */
  readonly detail: () => string;
  readonly go: (place: Place) => void;
  readonly toggleLeft: () => void;
  readonly toggleRight: () => void;
  readonly toggleHelp: () => void;
}

export function createActions(
  session: Session,
  viewer: ViewerState,
  brush: Brush,
  window: Window,
): readonly Action[] {
  const { library, jobs } = session;
  const teaching = () => window.place() === 'teach';
  const elsewhere = () => !teaching();
  const eye = () => (teaching() ? brush.viewer : viewer);
  const step = (by: 1 | -1) => {
    if (teaching()) return session.support.step(by);
    const next = session.filter.beside(session.selected, by);
    if (next) session.selected = next.imageId;
  };
  const selected = () => (session.selectedEntry ? [session.selectedEntry] : []);
  const setRole = (role: 'good' | 'inspect') =>
    void library.setRole(selected(), role).catch((error: unknown) => session.notices.fail(error));
  return [
    { title: 'Next image', keys: ['ArrowRight', 'd'], perform: () => step(1) },
    { title: 'Previous image', keys: ['ArrowLeft', 'a'], perform: () => step(-1) },
    { title: 'Use the image as good', keys: ['g'], when: elsewhere, perform: () => setRole('good') },
    { title: 'Inspect the image', keys: ['i'], when: elsewhere, perform: () => setRole('inspect') },
    {
      title: 'Take the image out of the set',
      keys: ['Delete'],
      when: elsewhere,
      perform: () => void takeOut(session).catch((error: unknown) => session.notices.fail(error)),
    },
    { title: 'Heatmap on or off', keys: ['h'], perform: () => (viewer.showMap = !viewer.showMap) },
    { title: 'Heatmap fainter', keys: [','], perform: () => viewer.changeOpacity(-0.1) },
    { title: 'Heatmap stronger', keys: ['.'], perform: () => viewer.changeOpacity(0.1) },
    { title: 'Whole image', keys: ['f'], perform: () => eye().fit() },
    { title: 'One to one', keys: ['!', 'Shift+1'], perform: () => eye().oneToOne() },
    { title: 'Larger', keys: ['+', '='], perform: () => eye().zoom(1.25) },
    { title: 'Smaller', keys: ['-'], perform: () => eye().zoom(0.8) },
    { title: 'Images', keys: ['Alt+1'], perform: () => window.go('images') },
    { title: 'Teach', keys: ['Alt+2'], perform: () => window.go('teach') },
    { title: 'Detectors', keys: ['Alt+3'], perform: () => window.go('detectors') },
    { title: 'Results', keys: ['Alt+4'], perform: () => window.go('results') },
    { title: 'Classes', keys: ['Alt+5'], perform: () => window.go('classes') },
    { title: 'Ask in words', keys: ['Alt+6'], perform: () => window.go('ask') },
    { title: 'Fold the library', keys: ['['], when: elsewhere, perform: window.toggleLeft },
    { title: 'Fold the inspector', keys: [']'], when: elsewhere, perform: window.toggleRight },
    {
      title: 'Cancel the running job',
      keys: ['Escape'],
      perform: () => jobs.running.find(({ ending }) => !ending)?.cancel(),
    },
    { title: 'This list', keys: ['?'], perform: window.toggleHelp },
    ...paintingActions(session, brush, teaching),
    ...labellingActions(session, window, () => step(1)),
  ];
}

/** Keys while a mask is painted; some of them mean other things elsewhere. */
function paintingActions(session: Session, brush: Brush, teaching: () => boolean): readonly Action[] {
  const action = (title: string, keys: readonly string[], perform: () => void): Action => ({
    title: `${title} (Teach)`,
    keys,
    when: teaching,
    perform,
  });
  return [
    action('Paint', ['b'], () => (brush.tool = 'paint')),
    action('Erase', ['e'], () => (brush.tool = 'erase')),
    action('Smaller brush', ['['], () => brush.resize(-1)),
    action('Larger brush', [']'], () => brush.resize(1)),
    action('Undo a stroke', ['Ctrl+z'], () => brush.undo()),
    action('Redo a stroke', ['Ctrl+Shift+z', 'Ctrl+y'], () => brush.redo()),
    action('Take the image out of its class', ['Delete'], () => {
      const image = session.support.shownImage;
      if (image)
        session.support.removeImage(image.imageId).catch((error: unknown) => session.notices.fail(error));
    }),
  ];
}
