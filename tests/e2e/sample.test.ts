import { createHash } from 'node:crypto';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleSet } from '../../src/sample/set';
import { App } from './app';

let app: App;
beforeAll(async () => {
  app = await App.open();
});
afterAll(() => app.close());

it('says which provider computes, and why', async () => {
  const provider = app.page.getByTestId('provider');
  expect(await provider.innerText()).toMatch(/^WASM, \d threads · 0 B sent$/);
  await provider.click();
  expect(await app.page.locator('header details').innerText()).toMatch(
    /software one, slower than WebAssembly/,
  );
  await provider.click();
});

it('one button: sample, fit, heatmaps', async () => {
  const start = Date.now();
  await app.openSample();
  console.log(`first verdict after ${((Date.now() - start) / 1000).toFixed(1)} s`);
  await app.idle();
  console.log(`everything inspected after ${((Date.now() - start) / 1000).toFixed(1)} s`);
  expect(await app.rows().count()).toBe(34);
  const verdicts = await app.rows().allInnerTexts();
  expect(verdicts.filter((row) => /good\n▲ strange/.test(row))).toEqual([]);
  // The subtle third may be missed.
  expect(verdicts.filter((row) => /(bridge|particle)\n▲ strange/.test(row)).length).toBeGreaterThanOrEqual(8);
  await app.go('Results');
  const figures = app.page.locator('aside table tr');
  await figures.first().waitFor();
  expect(await figures.count()).toBe(6);
  expect(await figures.first().innerText()).toMatch(/Image AUROC\s+(0\.9\d\d|1\.000)\s+N = 18 images/);
});

it('the same bytes as in Node', async () => {
  const expected = sampleSet(1)
    .filter(({ path }) => !path.startsWith('ground_truth'))
    .map(({ width, height, pixels }) => encodePng({ width, height, data: pixels, channels: 1, depth: 8 }))
    .map((bytes) => createHash('sha256').update(bytes).digest('hex'));
  const found = await app.page.evaluate(
    () =>
      new Promise<string[]>((resolve, reject) => {
        const opening = indexedDB.open('darkfield');
        opening.onerror = () => reject(new Error('no database'));
        opening.onsuccess = () => {
          const keys = opening.result.transaction('images').objectStore('images').getAllKeys();
          keys.onsuccess = () => resolve(keys.result as string[]);
        };
      }),
  );
  expect(found.sort()).toEqual(expected.sort());
});

it('the heatmap is drawn, and the threshold repaints without a run', async () => {
  await app.go('Images');
  await app.page
    .getByRole('button', { name: /particle/ })
    .first()
    .click();
  const pixels = () =>
    app.page.locator('canvas').evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      for (let i = 0; i < data.length; i += 4) coloured += Number(Math.abs(data[i] - data[i + 2]) > 24);
      return { coloured, sum: data.reduce((a, b) => a + b, 0) };
    });
  await expect.poll(async () => (await pixels()).coloured).toBeGreaterThan(500);
  const before = await pixels();
  const strange = () => app.page.getByText(/▲ strange/).count();
  const counted = await strange();
  await app.page.getByLabel('Threshold as a number').fill('0.01');
  await expect.poll(async () => (await pixels()).sum).not.toBe(before.sum);
  expect(await strange()).toBeGreaterThan(counted);
  expect(await app.page.locator('[data-testid=job]').count()).toBe(0);
  await app.page.getByLabel('Threshold as a number').fill('2');
  expect(await app.page.getByText('from 0 to 1').isVisible()).toBe(true);
  await app.page.getByLabel('Threshold as a number').fill('0.5');
  await app.page.keyboard.press('Escape');
  await app.page
    .getByRole('button', { name: /particle/ })
    .first()
    .focus();
  await app.page.keyboard.press('h');
  await expect.poll(async () => (await pixels()).coloured).toBeLessThan(50);
  await app.page.keyboard.press('h');
});

it('the list keeps the selected image in view when it shows others', async () => {
  const selected = app.page.locator('[aria-current=true]');
  await app.page.getByRole('button', { name: 'Strange', exact: true }).click();
  await app.rows().last().click();
  await app.page.getByRole('button', { name: 'All', exact: true }).click();
  await expect.poll(() => app.rows().count()).toBe(34);
  const [row, list] = await Promise.all(
    [selected, app.page.getByRole('list', { name: 'Images' })].map((one) => one.boundingBox()),
  );
  expect(row!.y).toBeGreaterThanOrEqual(list!.y);
  expect(row!.y + row!.height).toBeLessThanOrEqual(list!.y + list!.height);
});

it('a reload shows the same results', async () => {
  const verdicts = async () =>
    (await app.page.getByText(/(▲ strange|● good) \d\.\d\d/).allInnerTexts()).sort();
  const before = await verdicts();
  await app.load();
  await app.page
    .getByText(/▲ strange/)
    .first()
    .waitFor();
  expect((await verdicts()).filter((text) => before.includes(text)).length).toBeGreaterThanOrEqual(18);
});

it('nothing was asked for elsewhere, and nothing went wrong', () => {
  expect(app.foreign).toEqual([]);
  expect(app.errors).toEqual([]);
});
