import type { ImageId } from '../../base/ids';
import type { DefectClasses } from '../state/defect-classes.svelte';
import type { Entry } from '../state/library.svelte';
import type { Notices } from '../state/notices.svelte';
import type { Action, Window } from './actions';

/** What of the session labels are given by. */
interface Labelling {
  readonly selectedEntry: Entry | undefined;
  readonly notices: Pick<Notices, 'fail'>;
  readonly classes: {
    readonly labels: Pick<DefectClasses['labels'], 'classes' | 'label' | 'labelByKey' | 'undo' | 'redo'>;
    readonly told: (imageId: ImageId) => string | undefined;
  };
}

/** Keys while images are labelled by class; in a review no image is on the stage to be labelled. */
export function labellingActions(
  session: Labelling,
  { place, detail }: Pick<Window, 'place' | 'detail'>,
  next: () => void,
): readonly Action[] {
  const { labels } = session.classes;
  const here = () => place() === 'classes';
  const labelling = () => here() && !detail();
  const act = (work: Promise<unknown>) => void work.catch((error: unknown) => session.notices.fail(error));
  const byKey = (key: number) => {
    const entry = session.selectedEntry;
    if (!entry || key > labels.classes.length) return;
    act(labels.labelByKey([entry], key));
    next();
  };
  const action = (
    title: string,
    keys: readonly string[],
    perform: Action['perform'],
    when = labelling,
  ): Action => ({
    title: `${title} (Classes)`,
    keys,
    when,
    perform,
  });
  return [
    {
      ...action('Label as the class of the number, next image', [...'123456789'], (key) =>
        byKey(Number(key)),
      ),
      shown: '1 to 9',
    },
    action('No class, next image', ['0'], () => byKey(0)),
    action('Take the label away', ['Backspace'], () => {
      const entry = session.selectedEntry;
      if (entry) act(labels.label([entry], undefined));
    }),
    action('Label as the classifier says, next image', ['Enter'], () => {
      const entry = session.selectedEntry;
      const told = entry && session.classes.told(entry.imageId);
      if (!entry || told === undefined) return;
      act(labels.label([entry], told));
      next();
    }),
    action('Undo a label', ['Ctrl+z'], () => act(labels.undo()), here),
    action('Redo a label', ['Ctrl+Shift+z', 'Ctrl+y'], () => act(labels.redo()), here),
  ];
}
