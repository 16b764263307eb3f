/** Five methods on one support set of the sample: fitted in one go, beside each other, measured by shots. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { App } from './app';

const METHODS = ['SEM-CLIP', 'WinCLIP+', 'PromptAD', 'DRA', 'AnomalyGPT localisation branch'];

let app: App;
beforeAll(async () => {
  app = await App.open();
});
afterAll(() => app.close());

const box = (name: string) => app.page.getByRole('checkbox', { name, exact: true });
const tick = async (...names: readonly string[]) => {
  for (const name of METHODS) await box(name).setChecked(names.includes(name));
};

/** Sets options of a method that is ticked. */
async function options(name: string, values: Readonly<Record<string, string>>): Promise<void> {
  await box(name).setChecked(false);
  await box(name).setChecked(true);
  const form = app.page.locator('details').filter({ hasText: `Options of ${name}` });
  await form.locator('summary').click();
  await app.setOptions(values, form);
  await form.locator('summary').click();
}

it('what a set can’t teach is said for the methods that need it', async () => {
  await app.openSample();
  await app.idle();
  await app.go('Teach');
  await app.page.getByRole('button', { name: 'Seven classes' }).click();
  await tick('WinCLIP+', 'PromptAD', 'DRA');
  const problem = app.page.getByTestId('support-problem');
  await problem
    .filter({ hasText: 'PromptAD needs at least 1 good image; the class good has none.' })
    .waitFor();
  expect(await problem.innerText()).toMatch(/DRA needs at least 1 good image/);
  await tick('WinCLIP+');
  await problem.waitFor({ state: 'detached' });
});

it('a method’s page opens where it is taught, and leads back there', async () => {
  await app.page.getByRole('link', { name: 'About PromptAD' }).click();
  await app.page.getByRole('heading', { name: 'PromptAD', level: 1 }).waitFor();
  await app.page.getByRole('checkbox', { name: 'PromptAD' }).waitFor();
  await app.page.getByRole('link', { name: 'Back to the support set' }).click();
  await app.page.getByRole('heading', { name: 'PromptAD', level: 1 }).waitFor({ state: 'detached' });
});

it('five methods are fitted in one go on the same support set', async () => {
  const count = app.page.getByLabel('Images of a class');
  await app.page.locator('details').filter({ has: count }).locator('summary').click();
  await count.fill('1');
  await app.page.getByRole('button', { name: 'From labels of sample' }).click();
  await tick(...METHODS);
  await options('SEM-CLIP', { Steps: '10', 'Steps of the class head': '20' });
  await options('PromptAD', { Steps: '2' });
  await options('DRA', { Steps: '3', 'Pseudo anomalies': '2', 'Views of an image': '1' });
  await options('WinCLIP+', { Windows: 'patches' });
  expect(await app.accessibilityProblems()).toEqual([]);
  await app.page.getByRole('button', { name: /^Fit 5 methods on \d+ images(, about [\d:]+)?$/ }).click();
  await app.page.getByTestId('job').first().waitFor();
  await app.idle(280_000);
  for (const name of METHODS)
    await app.page
      .getByRole('button', { name: new RegExp(`^${name.replace('+', '\\+')}, `) })
      .first()
      .waitFor();
});

it('they stand beside each other, with figures that leave the support set out', async () => {
  await app.go('Results');
  await app.page.getByRole('link', { name: /^Compare/ }).click();
  const head = app.page.locator('main thead, table thead').first();
  for (const name of METHODS) await expect.poll(() => head.innerText()).toContain(name);
  const row = (name: string) =>
    app.page
      .locator('aside')
      .getByRole('row', { name: new RegExp(`^${name.replace('+', '\\+')}`) })
      .first();
  for (const name of METHODS) await expect.poll(() => row(name).innerText()).toMatch(/0\.\d|1\.0/);
});

it('AnomalyGPT’s branch says by rules what its map shows', async () => {
  await app.go('Detectors');
  await app.page.getByRole('button', { name: /^AnomalyGPT localisation branch, / }).click();
  await app.go('Images');
  await app.page
    .getByRole('button', { name: /particle/ })
    .first()
    .click();
  await app.page.getByText('Rule-made sentence; no language model runs.').waitFor();
});

it('figures by shots are measured on the labelled images', async () => {
  await app.go('Teach');
  await tick('AnomalyGPT localisation branch');
  await app.page.getByRole('button', { name: 'Measure at 1 a class' }).click();
  const group = app.page.getByRole('rowgroup', { name: 'AnomalyGPT localisation branch' });
  const row = group.getByRole('row', { name: /^1 / });
  await row.waitFor({ timeout: 120_000 });
  expect(await app.accessibilityProblems()).toEqual([]);
  const said = await row.innerText();
  expect(said).toMatch(/(0|1)\.\d+\s+(0|1)\.\d+\s+(0|1)\.\d+/);
  await app.idle();
  await app.load();
  await app.go('Teach');
  await app.page.getByText('Measured on sample, seed 0.').waitFor();
  expect(await row.innerText()).toBe(said);
  await group.getByText(/^SEM encoder, \d+ px$/).waitFor();
  expect([app.foreign, app.errors]).toEqual([[], []]);
});
