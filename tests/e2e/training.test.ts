import { afterAll, beforeAll, expect, it } from 'vitest';
import { App } from './app';

let app: App;
beforeAll(async () => {
  app = await App.open();
  // A step is measured and trained while others may want the two cores.
  app.page.setDefaultTimeout(120_000);
  await app.openSample();
  await app.idle();
});
afterAll(() => app.close());

const job = () => app.page.getByTestId('job');
const fits = () => app.page.locator('section').filter({ hasText: 'Fits of this set' });
const stepsDone = () => app.stepsDone();

it('says what a fit will take before it starts, from a step measured here', async () => {
  await app.go('Detectors');
  await app.choose('CFA');
  // Text as it is set, with its line breaks.
  const said = (text: string) => app.page.getByText(new RegExp(text.replaceAll(' ', '\\s+'))).waitFor();
  await said('Needs about [\\d.]+ [MG]B beside the backbone; the fit keeps [\\d.]+ [kM]B\\.');
  await said('At most 60 steps of \\d+ ms, measured here: about \\d+:\\d\\d\\.');
});

it('shows the loss as it falls; ended by hand, the fit is kept and says so', async () => {
  await app.fit('CFA', { Steps: '2000' });
  const curve = app.page.getByRole('img', { name: /^Loss [\d.e+]+ at step \d+ of 2000/ });
  await curve.waitFor();
  await expect.poll(stepsDone).toBeGreaterThan(5);
  await app.page.getByRole('button', { name: 'End here and keep it' }).click();
  await app.idle();
  await fits()
    .getByText(/Ended by hand after \d+ of 2000 steps; kept is step \d+\./)
    .waitFor();
  await app.go('Results');
  await app.page
    .getByRole('cell', { name: /▲ strange/ })
    .first()
    .waitFor();
});

it('goes on after a closed tab where it was', async () => {
  await app.fit('CFA', { Steps: '2000' });
  // Beyond the first checkpoint, which is a quarter of a minute into the training.
  await expect.poll(stepsDone).toBeGreaterThan(0);
  await app.page.waitForTimeout(17_000);
  const before = await stepsDone();
  await app.load();
  await app.go('Detectors');
  await app.page.getByRole('button', { name: 'Resume' }).click();
  await expect.poll(stepsDone).toBeGreaterThan(1);
  // From a checkpoint, not from the start: one step more than it had, or a few.
  expect(await stepsDone()).toBeGreaterThan(before / 10);
  await app.page.getByRole('button', { name: 'End here and keep it' }).click();
  await app.idle();
});

it('fits several methods in one go and sets them side by side', async () => {
  await app.go('Detectors');
  await app.choose('CFA', 'PaDiM');
  await app.page.getByRole('button', { name: /^Fit 2 methods on 16 good images/ }).click();
  await job().first().waitFor();
  await app.idle();
  await app.go('Results');
  await app.page.getByRole('link', { name: /^Compare \d fits/ }).click();
  const grid = app.page.getByRole('table', { name: /^Images by methods/ });
  await grid.waitFor();
  const columns = await grid.getByRole('columnheader').allInnerTexts();
  expect(columns.map((text) => text.split('\n')[0])).toEqual([
    'Image',
    'PatchCore',
    'CFA (fit\u00a01)',
    'CFA (fit\u00a02)',
    'CFA (fit\u00a03)',
    'PaDiM',
  ]);
  expect(await grid.getByRole('button').count()).toBe(5 * 18);
  const figures = app.page.locator('aside').getByRole('row', { name: /PatchCore.*0\.9\d\d/ });
  await figures.first().waitFor();
  await app.page.getByText('Agreement of the scores').waitFor();
});

it('a picture of the grid opens that image with that method', async () => {
  await app.page
    .getByRole('button', { name: /^Show .* with PaDiM$/ })
    .first()
    .click();
  await app.page.getByText(/Score .*, PaDiM,/).waitFor();
});

it('has a page for each method', async () => {
  await app.go('Detectors');
  const about = app.page.getByRole('link', { name: /^About / });
  await about.first().waitFor();
  const count = await about.count();
  expect(count).toBeGreaterThanOrEqual(5);
  for (let i = 0; i < count; i++) {
    const title = (await about.nth(i).getAttribute('aria-label'))!.replace('About ', '');
    await about.nth(i).click();
    await app.page.getByRole('heading', { level: 1, name: title, exact: true }).waitFor();
    expect(await app.page.getByRole('article').getByRole('heading', { level: 2 }).allInnerTexts()).toEqual([
      'What it does',
      'Assumes',
      'Fails',
      'Costs',
      'Needs',
      'Source',
      'Options',
    ]);
  }
});

it('asks nobody else, and fails nowhere', () => {
  expect(app.foreign).toEqual([]);
  expect(app.errors).toEqual([]);
});
