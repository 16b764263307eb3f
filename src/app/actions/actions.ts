import type { Session } from '../state/session.svelte';
import type { Place } from '../views/place';
import type { ViewerState } from '../viewer/viewer-state.svelte';

/** Something the user can do: keys, the help sheet and buttons all read it from here. */
export interface Action {
  readonly title: string;
  /** Combinations as `event.key` gives them, `Ctrl+` in front where it is held. */
  readonly keys: readonly string[];
  readonly perform: () => void;
}

export interface Window {
  readonly go: (place: Place) => void;
  readonly toggleLeft: () => void;
  readonly toggleRight: () => void;
  readonly toggleHelp: () => void;
}

export function createActions(session: Session, viewer: ViewerState, window: Window): readonly Action[] {
  const { library, jobs } = session;
  const step = (by: number) => {
    const at = library.entries.findIndex(({ imageId }) => imageId === session.selected);
    const next = library.entries[Math.min(Math.max(at + by, 0), library.entries.length - 1)];
    if (next) session.selected = next.imageId;
  };
  const selected = () => (session.selectedEntry ? [session.selectedEntry] : []);
  const setRole = (role: 'good' | 'inspect') =>
    void library.setRole(selected(), role).catch((error: unknown) => session.notices.fail(error));
  return [
    { title: 'Next image', keys: ['ArrowRight', 'd'], perform: () => step(1) },
    { title: 'Previous image', keys: ['ArrowLeft', 'a'], perform: () => step(-1) },
    { title: 'Use the image as good', keys: ['g'], perform: () => setRole('good') },
    { title: 'Inspect the image', keys: ['i'], perform: () => setRole('inspect') },
    {
      title: 'Take the image out of the set',
      keys: ['Delete'],
      perform: () => {
        const gone = selected();
        step(1);
        void library.remove(gone).catch((error: unknown) => session.notices.fail(error));
      },
    },
    { title: 'Heatmap on or off', keys: ['h'], perform: () => (viewer.showMap = !viewer.showMap) },
    { title: 'Heatmap fainter', keys: [','], perform: () => viewer.changeOpacity(-0.1) },
    { title: 'Heatmap stronger', keys: ['.'], perform: () => viewer.changeOpacity(0.1) },
    { title: 'Whole image', keys: ['f'], perform: () => viewer.fit() },
    { title: 'One to one', keys: ['!', 'Shift+1'], perform: () => viewer.oneToOne() },
    { title: 'Larger', keys: ['+', '='], perform: () => viewer.zoom(1.25) },
    { title: 'Smaller', keys: ['-'], perform: () => viewer.zoom(0.8) },
    { title: 'Images', keys: ['Alt+1'], perform: () => window.go('images') },
    { title: 'Detectors', keys: ['Alt+2'], perform: () => window.go('detectors') },
    { title: 'Results', keys: ['Alt+3'], perform: () => window.go('results') },
    { title: 'Ask in words', keys: ['Alt+4'], perform: () => window.go('ask') },
    { title: 'Fold the library', keys: ['['], perform: window.toggleLeft },
    { title: 'Fold the inspector', keys: [']'], perform: window.toggleRight },
    { title: 'Cancel the running job', keys: ['Escape'], perform: () => jobs.running.at(-1)?.cancel() },
    { title: 'This list', keys: ['?'], perform: window.toggleHelp },
  ];
}
