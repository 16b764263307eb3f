/** Defect classes on the sample: labelled by keys, trained, reviewed, corrected, trained again, compared. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { App } from './app';
import { FELT_MS, longestTaskMs } from './main-thread';

let app: App;
beforeAll(async () => {
  app = await App.open();
});
afterAll(() => app.close());

const aside = () => app.page.locator('aside');
const labelOfImage = () => aside().getByLabel('Label of the image');
const classRow = (name: string) =>
  aside()
    .getByRole('row')
    .filter({ has: app.page.getByLabel(`Teach ${name}`, { exact: true }) });
const count = async (name: string) => Number(await classRow(name).locator('td').nth(1).innerText());
const press = (key: string) => app.page.keyboard.press(key);
const selected = () => app.page.locator('ul[aria-label=Images] [aria-current=true]').innerText();

async function train(method: string): Promise<void> {
  await aside().getByRole('radio', { name: method, exact: true }).check();
  await aside()
    .getByRole('button', { name: new RegExp(`^Train ${method} on `) })
    .click();
  await app.page.getByTestId('job').first().waitFor();
  await app.idle();
}

it('one class only can’t be taught, and that is said', async () => {
  await app.openSample();
  await app.idle();
  await app.go('Classes');
  const boxes = aside().getByRole('checkbox', { name: /^Teach / });
  await boxes.first().waitFor();
  expect(await aside().getByRole('link', { name: 'Review' }).count()).toBe(0);
  for (const box of (await boxes.all()).slice(1)) await box.uncheck();
  await app.page.getByTestId('class-problem').filter({ hasText: 'There is one class only' }).waitFor();
  for (const box of await boxes.all()) await box.check();
  await app.page.getByTestId('class-problem').waitFor({ state: 'detached' });
});

it('keys label images one by one, each step taken back', async () => {
  const names = await aside()
    .getByRole('checkbox', { name: /^Teach / })
    .evaluateAll((boxes) => boxes.map((box) => box.getAttribute('aria-label')!.slice('Teach '.length)));
  await app.rows().first().click();
  const first = await selected();
  const [before, into] = [await labelOfImage().inputValue(), names[1]];
  const had = await count(into);
  await press('2');
  await expect.poll(() => count(into)).toBe(before === into ? had : had + 1);
  expect(await selected()).not.toBe(first);
  await press('0');
  await press('Control+z');
  await press('Control+z');
  await expect.poll(() => count(into)).toBe(had);
  await press('Control+Shift+z');
  await expect.poll(() => count(into)).toBe(before === into ? had : had + 1);
  await press('Control+z');
  await expect.poll(() => count(into)).toBe(had);
  await press('ArrowLeft');
  await expect.poll(() => labelOfImage().inputValue()).toBe(before);
});

it('a defect’s label on an image that detectors are fitted on is pointed out', async () => {
  const warning = aside().getByText('Detectors are fitted on this image as a good one');
  await app.rows().first().click();
  await labelOfImage().selectOption('bridge');
  await warning.waitFor();
  await press('Control+z');
  await warning.waitFor({ state: 'detached' });
});

it('a linear head learns the labels and says what it would say of images it had not seen', async () => {
  await train('Linear head');
  await aside()
    .getByText(/Temperature \d/)
    .first()
    .waitFor();
  await aside().getByRole('table', { name: 'The most probable classes' }).waitFor();
  expect(await app.accessibilityProblems()).toEqual([]);
  await aside().getByRole('link', { name: 'Review' }).first().click();
  await expect
    .poll(() => app.page.getByTestId('reviewed').innerText())
    .toMatch(/^\d+ labelled images that the fit had not seen: \d+ set aside/);
  await app.page.getByText(/^Accuracy \d/).waitFor();
  expect(await app.accessibilityProblems()).toEqual([]);
});

it('images behind a cell are shown, and a label corrected there changes the review', async () => {
  const cells = app.page.getByRole('grid').getByRole('gridcell');
  const wrongs = await cells.evaluateAll((all) =>
    all.flatMap((cell, i) => (cell.textContent && !cell.classList.contains('right') ? [i] : [])),
  );
  const right = await cells.evaluateAll((all) => all.findIndex((cell) => cell.textContent));
  await cells.nth(wrongs[0] ?? right).click();
  const gallery = app.page.locator('main').getByRole('region', { name: /called .*, \d+ image/ });
  const title = () => gallery.getByRole('heading').innerText();
  const before = await title();
  await gallery.getByRole('combobox').selectOption({ index: 0 });
  await expect.poll(title).not.toBe(before);
  await press('Control+z');
  await expect.poll(title).toBe(before);
  const is = gallery.getByRole('combobox');
  await is.selectOption((await is.inputValue()) === 'bridge' ? 'good' : 'bridge');
  await expect.poll(title).not.toBe(before);
  await aside().getByText('1 label changed since.').waitFor();
});

it('a second fit, from the corrected labels, is compared on the same images', async () => {
  await aside().getByRole('button', { name: 'Train again' }).click();
  await app.page.getByTestId('job').first().waitFor();
  await app.idle();
  await expect
    .poll(() => app.page.getByTestId('mcnemar').innerText())
    .toMatch(/is right on \d+ images? where .* p = [01]\.\d+: /);
  await app.page.getByRole('button', { name: 'By class' }).click();
  await app.page
    .getByRole('cell', { name: /\d of \d+ images?/ })
    .or(app.page.getByText(/^Macro, /))
    .first()
    .waitFor();
  expect(await app.accessibilityProblems()).toEqual([]);
});

it('a reload keeps labels, fits, what is open, the threshold and what is taught', async () => {
  await app.page.getByLabel('Least probability of a class').fill('0.5');
  await app.page.getByLabel('Least probability of a class').blur();
  const reviewed = await app.page.getByTestId('reviewed').innerText();
  await aside().getByRole('checkbox', { name: 'Teach particle', exact: true }).uncheck();
  await app.page.reload();
  await expect.poll(() => app.page.getByTestId('reviewed').innerText()).toBe(reviewed);
  expect(await app.page.getByLabel('Least probability of a class').inputValue()).toBe('0.5');
  await app.go('Classes');
  expect(await aside().getByRole('button', { name: 'Delete this fit' }).count()).toBe(2);
  expect(await aside().getByRole('radio', { name: 'Linear head', exact: true }).isChecked()).toBe(true);
  const teach = (name: string) => aside().getByRole('checkbox', { name: `Teach ${name}`, exact: true });
  expect(await teach('bridge').isChecked()).toBe(true);
  expect(await teach('particle').isChecked()).toBe(false);
  await teach('particle').check();
});

it('a class renamed stays known to the fits; the name of another joins the two, which can be taken back', async () => {
  const type = async (from: string, to: string) => {
    await aside().getByRole('button', { name: from, exact: true }).focus();
    await press('F2');
    await aside().getByLabel(`New name of ${from}`).fill(to);
  };
  const changed = () =>
    aside()
      .getByText(/labels? changed since/)
      .count();
  const before = await changed();
  await type('particle', 'dust');
  await press('Enter');
  await classRow('dust').waitFor();
  await expect.poll(changed).toBe(before);
  await type('dust', 'bridge');
  await aside().getByText('There is a class bridge: the two become one').waitFor();
  const both = (await count('dust')) + (await count('bridge'));
  await press('Enter');
  await expect.poll(() => count('bridge')).toBe(both);
  await press('Control+z');
  await press('Control+z');
  await classRow('particle').waitFor();
});

it('labels go out as a file and come back, and a fit goes out as a model', async () => {
  const saved = async (name: string) => {
    const waiting = app.page.waitForEvent('download');
    await aside().getByRole('button', { name }).click();
    const download = await waiting;
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const file = await saved('Save labels');
  expect(file.name).toBe('sample-labels.csv');
  await aside().getByRole('button', { name: 'Delete the class good' }).click();
  await classRow('good').waitFor({ state: 'detached' });
  await aside().getByRole('link', { name: 'Review' }).first().click();
  await app.page.getByText('No class of the set any more, but the fit still says it: good.').waitFor();
  await aside().getByRole('link', { name: 'Back to the image' }).click();
  const csv = { name: file.name, mimeType: 'text/csv', buffer: file.bytes };
  await app.page.getByTestId('labels').setInputFiles(csv);
  await app.notice('labels taken from sample-labels.csv; new: good.').waitFor();
  await classRow('good').waitFor();
  const model = await saved('Export .onnx');
  expect(model.name).toBe('sample-linear.onnx');
  expect(model.bytes.length).toBeGreaterThan(1e6);
});

it('ReCAME-Net is trained without holding the page up, tells its experts and where it looked', async () => {
  await aside().getByRole('radio', { name: 'After ReCAME-Net', exact: true }).check();
  await aside().locator('summary', { hasText: 'Options of After ReCAME-Net' }).click();
  const small = { Epochs: '1', 'Views of an image': '1', 'Width of an expert': '16', Batch: '4' };
  await app.setOptions(small, aside());
  await aside().getByLabel('Input side').selectOption('128');
  const button = await aside()
    .getByRole('button', { name: /^Train After ReCAME-Net on / })
    .elementHandle();
  const busy = await longestTaskMs(app.page, async () => {
    await button.evaluate((node) => (node as HTMLElement).click());
    await app.page.waitForFunction(() => document.querySelector('[data-testid=job]'));
    await app.idle();
  });
  console.log('Longest task of the page while ReCAME-Net is trained, ms:', busy);
  expect(busy).toBeLessThan(FELT_MS);
  await aside().getByText('where it looked').waitFor();
  await aside()
    .getByText(/Disagreement [01]\.\d\d/)
    .waitFor();
  expect(await app.accessibilityProblems()).toEqual([]);
});

it('of two fits that were compared one is kept', async () => {
  await aside().getByRole('link', { name: 'Review' }).first().click();
  await app.page.getByLabel('Other fit').selectOption({ label: 'Linear head (fit\u00a01)' });
  await app.page
    .getByRole('button', { name: 'Keep Linear head (fit 1), delete After ReCAME-Net', exact: true })
    .click();
  await app.notice('Delete After ReCAME-Net?').getByRole('button', { name: 'Delete' }).click();
  await app.page.getByRole('heading', { name: 'Review of Linear head (fit 1)' }).waitFor();
  await expect.poll(() => aside().getByRole('button', { name: 'Delete this fit' }).count()).toBe(2);
});

it('a head stands on the built-in encoder, too', async () => {
  await app.go('Images');
  await app.go('Classes');
  await aside().getByRole('radio', { name: 'Nearest mean', exact: true }).check();
  await aside().getByLabel('Backbone').selectOption({ label: 'SEM encoder' });
  await train('Nearest mean');
  await aside().getByText('SEM encoder, 240 px').waitFor();
  expect([app.foreign, app.errors]).toEqual([[], []]);
});
