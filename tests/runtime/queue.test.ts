import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { RunQueue } from '../../src/runtime/queue';
import type { Priority } from '../../src/runtime/queue';

/** A task that ends when it is told to. */
function gate(): { promise: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

describe('RunQueue', () => {
  it('runs an inspection before fits that wait, and each kind in its order', async () => {
    const queue = new RunQueue();
    const started: string[] = [];
    const first = gate();
    const add = (name: string, priority: Priority, task = async () => undefined as void) =>
      queue.run(priority, async () => {
        started.push(name);
        await task();
      });
    const all = [
      add('fit 1', 'fit', () => first.promise),
      add('fit 2', 'fit'),
      add('fit 3', 'fit'),
      add('inspect 1', 'inspect'),
      add('inspect 2', 'inspect'),
    ];
    expect(queue.length).toBe(4);
    // What has begun is not interrupted.
    await Promise.resolve();
    expect(started).toEqual(['fit 1']);
    first.open();
    await Promise.all(all);
    expect(started).toEqual(['fit 1', 'inspect 1', 'inspect 2', 'fit 2', 'fit 3']);
    expect(queue.length).toBe(0);
  });

  it('never runs two tasks at once, whatever comes when', async () => {
    const queue = new RunQueue();
    const rng = new Rng(1, 'queue');
    let active = 0;
    let most = 0;
    let done = 0;
    const task = async (deep: number): Promise<void> => {
      most = Math.max(most, ++active);
      for (let i = rng.integer(4); i > 0; i--) await Promise.resolve();
      if (rng.uniform() < 0.2) await new Promise((resume) => setTimeout(resume, 1));
      active--;
      done++;
      // Tasks make tasks: one that is waited for here would wait for itself.
      if (deep) later.push(queue.run(rng.pick(['fit', 'inspect']), () => task(deep - 1)));
    };
    const later: Promise<void>[] = [];
    for (let i = 0; i < 200; i++) later.push(queue.run(rng.pick(['fit', 'inspect']), () => task(i % 3)));
    for (let i = 0; i < later.length; i++) await later[i];
    expect([most, done, queue.length]).toEqual([1, later.length, 0]);
    expect(later.length).toBeGreaterThan(300);
  });

  it('gives each caller the result of its own task', async () => {
    const queue = new RunQueue();
    const results = await Promise.all([1, 2, 3].map((n) => queue.run('fit', async () => n * n)));
    expect(results).toEqual([1, 4, 9]);
  });

  it('goes on after a task that fails, and only its caller hears of it', async () => {
    const queue = new RunQueue();
    const failing = queue.run('fit', async () => {
      throw new Error('no memory');
    });
    const thrown = queue.run('inspect', () => {
      throw new Error('before its first step');
    });
    const sound = queue.run('fit', async () => 'done');
    await expect(failing).rejects.toThrow('no memory');
    await expect(thrown).rejects.toThrow('before its first step');
    await expect(sound).resolves.toBe('done');
    await expect(queue.run('inspect', async () => 'later')).resolves.toBe('later');
  });
});
