import { describe, expect, it } from 'vitest';
import type { FitId, ImageId } from '../../../src/base/ids';
import { Inspections } from '../../../src/app/state/inspections.svelte';
import { Jobs } from '../../../src/app/state/jobs.svelte';
import type { Entry } from '../../../src/app/state/library.svelte';
import { Notices } from '../../../src/app/state/notices.svelte';
import type { EngineClient } from '../../../src/app/engine-client';
import type { EvaluationItem, SetFigures } from '../../../src/protocol/pixels-api';
import type { FitStore } from '../../../src/store/fit-store';
import type { FitRecord, ResultRecord } from '../../../src/store/schema';

const FIT = { id: 'fit' as FitId, goodIds: [], spec: { side: 8 } } as unknown as FitRecord;
const entry = (imageId: string, className?: string) =>
  ({ imageId, name: imageId, className }) as unknown as Entry;

/** Figures that count images and defective ones; each evaluation waits to be answered. */
async function opened() {
  const answers: (() => void)[] = [];
  const evaluate = ({ items }: { items: readonly EvaluationItem[] }) =>
    new Promise<SetFigures>((resolve) =>
      answers.push(() =>
        resolve({
          image: { count: items.length, defective: items.filter(({ defective }) => defective).length },
        } as SetFigures),
      ),
    );
  const client = { pixels: (ask: (pixels: { evaluate: typeof evaluate }) => unknown) => ask({ evaluate }) };
  const results = ['a', 'b'].map((imageId) => ({ imageId: imageId as ImageId, score: 1 }) as ResultRecord);
  const inspections = new Inspections(
    { results: async () => results } as unknown as FitStore,
    client as unknown as Pick<EngineClient, 'inspect' | 'pixels'>,
    new Jobs(),
    new Notices(),
  );
  await inspections.open(FIT);
  return { inspections, answers };
}

describe('the figures of the open fit', () => {
  const before = [entry('a', 'good'), entry('b', 'good')];
  const after = [entry('a', 'good'), entry('b', 'hole')];

  it('follow labels and images, and are not computed twice of the same', async () => {
    const { inspections, answers } = await opened();
    const first = inspections.evaluate(before);
    answers[0]();
    await first;
    expect(inspections.figures?.image).toEqual({ count: 2, defective: 0 });
    await inspections.follow(before);
    expect(answers).toHaveLength(1);
    const second = inspections.follow(after);
    answers[1]();
    await second;
    expect(inspections.figures?.image).toEqual({ count: 2, defective: 1 });
    await inspections.follow([entry('a'), entry('b')]);
    expect(inspections.figures).toBeUndefined();
  });

  it('are of the latest labels, whichever answer comes last', async () => {
    const { inspections, answers } = await opened();
    const [first, second] = [inspections.evaluate(before), inspections.evaluate(after)];
    answers[1]();
    await second;
    expect(inspections.evaluating).toBe(false);
    answers[0]();
    await first;
    expect(inspections.figures?.image).toEqual({ count: 2, defective: 1 });
  });
});
