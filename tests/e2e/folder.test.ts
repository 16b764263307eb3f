import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DATA_DIR, describeWith } from '../support/golden';
import { App } from './app';

describeWith([join(DATA_DIR, 'sem-ic')], 'a real folder in the MVTec layout', () => {
  let app: App;
  beforeAll(async () => {
    app = await App.open();
  });
  afterAll(() => app.close());

  it('gives roles, classes and masks, and lists what was not understood', async () => {
    await app.drop(join(DATA_DIR, 'sem-ic'));
    const notice = app.notice(/^146 images added; 10 files left out/);
    await notice.waitFor({ timeout: 60_000 });
    await notice.locator('summary').click();
    const left = await notice.locator('li').allInnerTexts();
    expect(left).toContain('sem-ic/README.md: not an image file (PNG, JPEG, WebP, BMP or TIFF)');
    expect(
      left.filter((line) => /whole\/.*outside train\/, test\/ and ground_truth\//.test(line)),
    ).toHaveLength(8);
    await notice.getByRole('button', { name: 'Close this notice' }).click();
    expect(await app.page.locator('aside').innerText()).toMatch(
      /84 good images to fit on, 62 images to inspect/,
    );
    await app.page
      .getByRole('button', { name: /c1d1_.*class particle/ })
      .first()
      .click();
    expect(await app.page.locator('aside').innerText()).toMatch(/particle, with a mask/);
  });

  it('fits, inspects and gives the figures of the labels', async () => {
    await app.fit('PatchCore', { 'Coreset share': '1' });
    const job = app.page.getByTestId('job').first();
    await expect
      .poll(() => job.innerText())
      .toMatch(/Fitting PatchCore\s+features\s+\d+ of 84 images\s+0:\d\d, about 0:\d\d left/);
    await app.page.getByRole('button', { name: /Inspect all 62 again/ }).waitFor({ timeout: 240_000 });
    await app.idle();
    await app.go('Results');
    const table = app.page.locator('aside table');
    await table.waitFor();
    const figures = Object.fromEntries(
      (await table.locator('tr').allInnerTexts())
        .map((line) => line.split('\t'))
        .map(([name, ...rest]) => [name, rest]),
    );
    expect(Number(figures['Image AUROC'][0])).toBeGreaterThan(0.8);
    expect(Number(figures['Pixel AUROC'][0])).toBeGreaterThan(0.95);
    expect(figures['Image AUROC'][1]).toBe('N = 62 images');
    expect(figures['AUPRO (0.3)'][1]).toMatch(/^N = \d+ regions$/);
  });

  it('is all there after a reload', async () => {
    await app.load();
    await app.go('Results');
    await app.page.locator('aside table').waitFor();
    expect(await app.page.locator('main tbody tr').count()).toBe(62);
    expect(await app.page.locator('aside').innerText()).toMatch(
      /▲ \d+ strange, ● \d+ good\s+of 62 inspected images/,
    );
  });

  it('one class only: not defined instead of a number', async () => {
    await app.go('Images');
    for (const name of ['particle', 'hole', 'scratch', 'edge_break']) {
      await app.page.getByLabel('Filter images').fill(`${name}/`);
      for (let left = await app.rows().count(); left > 0; left--) {
        await app.rows().first().click();
        await app.page.getByRole('button', { name: 'Take out of the set' }).click();
        await expect.poll(() => app.rows().count()).toBe(left - 1);
      }
    }
    await app.page.getByLabel('Filter images').fill('');
    await app.load();
    await app.go('Results');
    await app.page.locator('aside table').waitFor();
    const first = await app.page.locator('aside table tr').first().innerText();
    expect(first).toMatch(/Image AUROC\s+not defined\s+N = 26 images/);
  });

  it('asked for nothing elsewhere', () => {
    expect(app.foreign).toEqual([]);
    expect(app.errors).toEqual([]);
  });
});
