/** What the page's main thread is busy with, by Chromium's own account. */
import type { Page } from 'playwright-core';

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  /** Processor time, µs. */
  readonly tdur?: number;
}

const CATEGORIES = ['disabled-by-default-devtools.timeline', 'blink.user_timing'];
const BEGIN = 'longest-task-begin';
/**
 * A task is felt beyond 50 ms; half as much again, since machines differ. Of processor time, so that a busy one changes
 * little.
 */
export const FELT_MS = 75;
/** Timers, intervals and frames that an act leads to. */
const AFTERWARDS_MS = 1500;

/**
 * The longest task of the main thread while something is done and for a while after it, as processor time in ms: what
 * others do on the same cores doesn't count. What is done must not search the page by role, which takes long itself.
 */
export async function longestTaskMs(page: Page, act: () => Promise<unknown>): Promise<number> {
  const session = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on('Tracing.dataCollected', ({ value }) => void events.push(...(value as unknown as TraceEvent[])));
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: CATEGORIES },
  });
  await page.evaluate((name) => performance.mark(name), BEGIN);
  await act();
  await page.waitForTimeout(AFTERWARDS_MS);
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  const begin = events.find(({ name }) => name === BEGIN);
  if (!begin) throw new Error('the trace has no beginning');
  const tasks = events.filter(
    ({ name, ph, pid, tid, ts }) =>
      name === 'RunTask' && ph === 'X' && pid === begin.pid && tid === begin.tid && ts > begin.ts,
  );
  if (!tasks.length) throw new Error('the trace has no task of the page');
  return Math.max(...tasks.map(({ tdur }) => tdur ?? 0)) / 1000;
}
