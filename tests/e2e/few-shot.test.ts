/** Real images judged by text alone, then by a support set made of their labels; all of it there after a reload. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DATA_DIR, describeWith } from '../support/golden';
import { App } from './app';

const SET = join(DATA_DIR, 'sem-ic');

describeWith([SET], 'few shots on real images', () => {
  let app: App;
  beforeAll(async () => {
    app = await App.open();
  });
  afterAll(() => app.close());

  const aside = () => app.page.locator('aside').innerText();
  const fitRow = (name: RegExp) => app.page.getByRole('button', { name });

  it('loose images are looked at by text alone, and the page says on what ground', async () => {
    const particles = join(SET, 'test/particle');
    const some = readdirSync(particles)
      .slice(0, 3)
      .map((name) => join(particles, name));
    await app.drop(...some);
    await app.page.getByTestId('ground').waitFor({ timeout: 120_000 });
    expect(await aside()).toMatch(/text only, built-in encoder, trained on synthetic images/);
    await app.page.getByText('Classes, most probable first').waitFor();
    await app.idle();
    expect(await app.rows().filter({ hasText: /●|▲/ }).count()).toBe(3);
    expect(await app.accessibilityProblems()).toEqual([]);
    await app.go('Detectors');
    await fitRow(/^SEM-CLIP, text only/).waitFor();
    await app.page.getByText('Threshold from synthetic good images: set it by eye on your own.').waitFor();
  });

  it('a support set made of labels teaches classes, and every image to inspect gets one', async () => {
    await app.drop(SET);
    await app.notice(/^146 images added/).waitFor({ timeout: 60_000 });
    await app.go('Teach');
    await app.page.getByLabel('Images of a class').fill('2');
    await app.page.getByRole('button', { name: 'From labels of sem-ic' }).click();
    const classes = app.page.getByRole('list', { name: 'Classes' }).locator(':scope > li');
    await expect.poll(() => classes.count()).toBe(5);
    await app.page.getByText('Options of SEM-CLIP').click();
    await app.page.getByLabel('Steps', { exact: true }).fill('30');
    await app.page.getByLabel('Mirrored images').uncheck();
    await app.page.getByText(/At most 30 steps of \d+ ms, measured here: about/).waitFor();
    await app.page.getByRole('button', { name: 'Fit SEM-CLIP on 10 images' }).click();
    await app.go('Detectors');
    await app.page.getByText(/2 good images and 8 defect images/).waitFor({ timeout: 240_000 });
    await app.page.getByRole('button', { name: /Inspect all 62 again/ }).waitFor({ timeout: 240_000 });
    await app.idle();
    await app.page
      .getByText('Threshold from good images of this set that it wasn’t taught.')
      .first()
      .waitFor();
  });

  it('figures leave the taught images out, and results are there after a reload', async () => {
    await app.go('Results');
    const auroc = () =>
      app.page
        .locator('aside')
        .getByRole('row', { name: /^Image AUROC/ })
        .innerText();
    await expect.poll(auroc).toMatch(/N = 5\d images/);
    const before = await auroc();
    expect(Number(/[01]\.\d+/.exec(before)![0])).toBeGreaterThan(0.8);
    await app.load();
    await app.go('Results');
    await expect.poll(auroc).toBe(before);
    await app.go('Images');
    await app.page
      .getByRole('button', { name: /c1d1_.*class particle/ })
      .first()
      .click();
    await app.page.getByText('Classes, most probable first').waitFor();
    expect(await aside()).toMatch(/SEM-CLIP, /);
    expect([app.foreign, app.errors]).toEqual([[], []]);
  });
});
