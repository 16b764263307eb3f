/** Support sets: made from labels, masks painted, words edited, and all of it there after a reload. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleSet } from '../../src/sample/set';
import { App } from './app';

const SIDE = 160;
let app: App;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'darkfield-support-'));
  for (const { path, width, height, pixels } of sampleSet(1)) {
    const file = join(folder, 'wafer', path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, encodePng({ width, height, data: pixels, channels: 1, depth: 8 }));
  }
  app = await App.open();
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const classes = () => app.page.getByRole('list', { name: 'Classes' }).locator(':scope > li');
const oneClass = (name: string) =>
  classes().filter({ has: app.page.getByRole('button', { name, exact: true }) });
const problem = () => app.page.getByTestId('support-problem');
const share = () => app.page.getByTestId('mask-share').innerText();
const canvas = () => app.page.getByRole('application');

it('without images: the seven classes, on text alone', async () => {
  await app.go('Teach');
  await app.page.getByText('A support set teaches classes of defects').waitFor();
  expect(await app.accessibilityProblems()).toEqual([]);
  await app.page.getByRole('button', { name: 'Seven classes' }).click();
  await expect.poll(() => classes().count()).toBe(7);
  await app.page.getByText('12 states × 24 templates × 3 objects = 864 prompts').waitFor();
  await app.page.getByText('6,048 prompts over 7 classes').waitFor();
  await app.page.getByText('No example images: SEM-CLIP judges by text alone; expect coarse maps.').waitFor();
  expect(await problem().innerText()).toMatch(/There is nothing to inspect yet/);
  expect(await app.accessibilityProblems()).toEqual([]);
});

it('labels of a set become classes with images and masks', async () => {
  await app.go('Images');
  await app.drop(join(folder, 'wafer'));
  await app.notice('34 images added').waitFor({ timeout: 60_000 });
  await app.go('Teach');
  await app.page.getByText('Rename, delete, make another').click();
  await app.page.getByLabel('Images of a class').fill('3');
  await app.page.getByRole('button', { name: 'From labels of wafer' }).click();
  await expect.poll(() => classes().count()).toBe(3);
  await oneClass('particle').getByRole('button', { name: 'particle', exact: true }).click();
  await expect.poll(() => app.page.getByRole('button', { name: /\.png, mask \d/ }).count()).toBe(6);
  expect(await problem().count()).toBe(0);
});

it('images of the set are taken into a class, but into one class only', async () => {
  await app.page.getByRole('link', { name: 'Take from the set' }).click();
  await app.page.getByRole('heading', { name: 'Images for particle' }).waitFor();
  expect(
    await app.page
      .getByRole('button', { name: /in bridge$/ })
      .first()
      .isDisabled(),
  ).toBe(true);
  await app.page.getByLabel('Filter images').fill('particle/');
  await app.page.locator('main li button:enabled').first().click();
  expect(await app.accessibilityProblems()).toEqual([]);
  await app.page.getByRole('button', { name: 'Add 1 image' }).click();
  await app.notice('1 image added to particle').waitFor();
  await canvas().waitFor();
});

it('a mask is painted, taken back, brought again and kept', async () => {
  await expect.poll(share).toMatch(/% painted$/);
  await app.page.getByRole('button', { name: 'Clear' }).click();
  await expect.poll(share).toBe('no mask');
  const box = (await canvas().boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await app.page.mouse.move(x - 40, y);
  await app.page.mouse.down();
  await app.page.mouse.move(x + 40, y + 20, { steps: 5 });
  await app.page.mouse.up();
  await expect.poll(share).toMatch(/^[0-9.]+ % painted$/);
  const painted = await share();
  await app.page.keyboard.press('Control+z');
  await expect.poll(share).toBe('no mask');
  await app.page.keyboard.press('Control+Shift+Z');
  await expect.poll(share).toBe(painted);
  await app.page.keyboard.press(']');
  expect(Number(await app.page.getByLabel('Radius of the brush in pixels').inputValue())).toBeGreaterThan(6);
  await canvas().focus();
  await app.page.keyboard.press('ArrowDown');
  await app.page.keyboard.press('e');
  await app.page.keyboard.press('Enter');
  await expect.poll(share).not.toBe(painted);
  await app.page.keyboard.press('Control+z');
  await expect.poll(share).toBe(painted);
  expect(await app.accessibilityProblems()).toEqual([]);
});

it('masks from files that are none are refused with their reason, and the old one stays', async () => {
  const painted = await share();
  const mask = (name: string, side: number, value: number) => {
    const file = join(folder, name);
    const data = new Uint8Array(side * side).fill(value);
    writeFileSync(file, encodePng({ width: side, height: side, data, channels: 1, depth: 8 }));
    return file;
  };
  const take = (file: string) => app.page.getByTestId('mask-file').setInputFiles(file);
  await take(mask('small.png', 64, 255));
  await app.notice('the mask has 64×64 px, the image 160×160').waitFor();
  await take(mask('empty.png', SIDE, 0));
  await app.notice('the mask is empty').waitFor();
  await take(mask('full.png', SIDE, 255));
  await app.notice('the mask covers the whole image').waitFor();
  expect(await share()).toBe(painted);
});

it('words that can’t be used say so where they stand; words that are cut too', async () => {
  const states = app.page.getByLabel('States, one a line');
  const before = await states.inputValue();
  await states.fill(`${before}\na particle`);
  await app.page.getByText('The state "a particle" of class "particle" has no {o}.').first().waitFor();
  expect(await problem().innerText()).toMatch(/has no \{o\}/);
  await states.fill(`${before}\n\n{o} with jam`);
  await app.page.getByText('One state of class "particle" is empty.').first().waitFor();
  await states.fill(`${before}\n{o} with ${'dust and '.repeat(40)}dust`);
  await app.page.getByTestId('cut').filter({ hasText: 'room for 75' }).waitFor();
  await states.fill(`${before}\n{o} with jam`);
  await app.page.getByText('13 states × 24 templates × 3 objects = 936 prompts').waitFor();
  await app.page.getByTestId('cut').waitFor({ state: 'detached' });
  await app.page.getByTestId('unread').filter({ hasText: '72 of 936 prompts don’t count' }).waitFor();
  expect(await app.page.getByTestId('unread').innerText()).toMatch(/the encoder never learnt jam\./);
});

it('two classes of one name are refused; a class that was taken out comes back', async () => {
  await app.page.getByLabel('Name of a new class').fill('Bridge');
  await app.page.getByRole('button', { name: 'Add class' }).click();
  await app.page.getByText('There is a class bridge already. Take another name.').waitFor();
  await app.page.getByRole('button', { name: 'Delete the class' }).click();
  await expect.poll(() => classes().count()).toBe(2);
  await app.notice('The class particle was taken out').getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => classes().count()).toBe(3);
});

it('is all there after a reload', async () => {
  await app.load();
  await app.go('Teach');
  await oneClass('particle').getByRole('button', { name: 'particle', exact: true }).click();
  await app.page.getByText('13 states × 24 templates × 3 objects = 936 prompts').waitFor();
  expect(await app.page.getByRole('button', { name: /\.png, mask \d/ }).count()).toBe(7);
  await app.page
    .getByRole('button', { name: /\.png, mask \d/ })
    .last()
    .click();
  await expect.poll(share).toMatch(/% painted$/);
});

it('asked for nothing elsewhere, and nothing went wrong', () => {
  expect(app.foreign).toEqual([]);
  expect(app.errors).toEqual([]);
});
