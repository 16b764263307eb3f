/** Fits that are cancelled, and fits whose worker dies. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { App } from './app';

const GOOD = 60;
let app: App;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'darkfield-good-'));
  const rng = new Rng(1, 'interrupted');
  for (let i = 0; i < GOOD; i++) {
    const data = Uint8Array.from(
      { length: 128 * 128 },
      (_, at) => 120 + 60 * Number(at % 16 < 8) + 10 * rng.bell(),
    );
    writeFileSync(
      join(folder, `good-${i}.png`),
      encodePng({ width: 128, height: 128, data, channels: 1, depth: 8 }),
    );
  }
  app = await App.open();
  await app.drop(folder);
  await app.notice(`${GOOD} images added`).waitFor({ timeout: 60_000 });
  await app.page.evaluate(() => undefined);
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Loose images are to be inspected; the whole list becomes good by key. */
it('images are marked good by key', async () => {
  await app.rows().first().click();
  for (let i = 0; i < GOOD; i++) {
    await app.page.keyboard.press('g');
    await app.page.keyboard.press('ArrowRight');
  }
  await expect
    .poll(() => app.page.locator('aside').innerText())
    .toMatch(new RegExp(`${GOOD} good images to fit on`));
});

const features = () => app.page.getByTestId('job').filter({ hasText: 'features' });

it('cancel answers within one batch and leaves nothing half done', async () => {
  await app.fit('PatchCore');
  await features().waitFor();
  const cancel = app.page.getByRole('button', { name: 'Cancel' });
  await cancel.click();
  await app.idle(10_000);
  await app.go('Detectors');
  expect(await app.page.getByRole('button', { name: /^PatchCore .* px$/ }).count()).toBe(0);
});

it('a fit whose worker ends goes on with another, from its checkpoint', async () => {
  await app.fit('PatchCore', { 'Coreset share': '1' });
  await expect
    .poll(async () => /(\d+) of 60 images/.exec(await features().innerText())?.[1])
    .toMatch(/^(1[2-9]|[2-4]\d)$/);
  const engine = app.page.workers().find((worker) => worker.url().includes('engine.worker'))!;
  await engine.evaluate(() => self.close()).catch(() => undefined);
  await app.notice('The engine was started again after it ended').waitFor({ timeout: 60_000 });
  const resumed = app.notice(/went on from its checkpoint: \d+ images were done already/);
  await resumed.waitFor({ timeout: 120_000 });
  await app.idle();
  expect(await app.page.getByText(`${GOOD} good images, 0:`).count()).toBe(1);
});

it('a fit that a closed tab left unfinished can be resumed', async () => {
  await app.fit('PaDiM');
  await expect
    .poll(async () => /(\d+) of 60 images/.exec(await features().innerText())?.[1])
    .toMatch(/^(1[2-9]|[2-4]\d)$/);
  await app.load();
  await app.go('Detectors');
  await app.page.getByText('Not finished').first().waitFor();
  await app.page.getByRole('button', { name: 'Resume' }).click();
  await app
    .notice(/PaDiM went on from its checkpoint: \d+ images were done already/)
    .waitFor({ timeout: 120_000 });
  expect(app.foreign).toEqual([]);
});
