/** Questions in words with a small CLIP dropped in. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { tinyClipFile, tinyClipTensors } from '../support/tiny-clip';
import { App } from './app';

const IMAGES = 12;
const TITLE = 'CLIP ViT-64/8, 32 px';
let app: App;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'darkfield-ask-'));
  mkdirSync(join(folder, 'images'));
  const rng = new Rng(1, 'ask');
  for (let i = 0; i < IMAGES; i++) {
    const data = Uint8Array.from({ length: 64 * 64 }, (_, at) =>
      Math.min(255, 60 * Number(at % 16 < 4 + i) + 60 + 40 * rng.uniform()),
    );
    const png = encodePng({ width: 64, height: 64, data, channels: 1, depth: 8 });
    writeFileSync(join(folder, 'images', `${i}.png`), png);
  }
  const tensors = tinyClipTensors();
  writeFileSync(join(folder, 'tiny.safetensors'), tinyClipFile(tensors));
  const { 'ln_final.bias': _, ...near } = tensors;
  writeFileSync(join(folder, 'near.safetensors'), tinyClipFile(near));
  app = await App.open();
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

const field = () => app.page.getByLabel('What to look for');
const obstacle = () => app.page.getByTestId('ask-problem').innerText();
const shown = () => app.page.getByRole('list', { name: 'Images, most similar first' }).getByRole('button');
const cosines = async () =>
  (await shown().allInnerTexts()).map((text) => Number(/-?\d\.\d{3}/.exec(text)![0]));

async function ask(text: string): Promise<void> {
  await field().fill(text);
  await expect.poll(obstacle).toMatch(/^Each image is read once/);
  await field().press('Enter');
  await app.page.getByRole('heading', { name: `“${text}”` }).waitFor();
  await app.idle();
}

it('without images it says so, and beside the built-in encoder how to bring a CLIP', async () => {
  await app.go('Ask');
  await app.page.getByText('Drop SEM images here').waitFor();
  await expect.poll(obstacle).toBe('There are no images to ask about yet.');
  await app.drop(join(folder, 'images'));
  await app.notice(`${IMAGES} images added`).waitFor();
  await app.page.getByText('The built-in encoder knows the words of its own prompts alone.').waitFor();
  expect(await app.accessibilityProblems()).toEqual([]);
});

it('shows tokens and unusual words, and which the built-in encoder never learnt', async () => {
  await field().fill('A nanowire');
  const tokens = app.page.getByRole('list', { name: 'Tokens' }).getByRole('listitem');
  await expect.poll(() => tokens.count()).toBe(2);
  expect((await tokens.allInnerTexts()).map((text) => text.replace(/\s/g, ''))).toEqual(['a', 'nanowire']);
  await app.page.getByText('Unusual, so read in parts and known less well: nanowire.').waitFor();
  await expect
    .poll(obstacle)
    .toMatch(/^SEM encoder never learnt “[^.]+”\. Use other words, or a published CLIP\.$/);
});

it('a file that is nearly a CLIP is told what it lacks', async () => {
  await app.drop(join(folder, 'near.safetensors'));
  await app.notice(`near.safetensors: this is nearly ${TITLE}: it lacks ln_final.bias`).waitFor();
});

it('a CLIP is offered once its activation is said, and to questions alone', async () => {
  await app.drop(join(folder, 'tiny.safetensors'));
  const question = app.notice(`tiny.safetensors is ${TITLE}. Which activation was it trained with?`);
  await question.waitFor();
  expect(await obstacle()).toBe(`Choose the activation of ${TITLE} first.`);
  expect(await app.accessibilityProblems()).toEqual([]);
  await question.getByRole('button', { name: 'QuickGELU' }).click();
  await app.notice('Taken as QuickGELU').waitFor();
  await app.go('Detectors');
  await app.page.getByText(`${TITLE}: not offered here.`).waitFor();
  expect(await app.page.getByLabel('Backbone').locator('option').allInnerTexts()).toEqual([
    'EfficientNet-Lite0',
  ]);
  await app.go('Ask');
});

it('Enter asks; images come in the order of their cosines', async () => {
  await ask('a particle between two lines');
  await expect.poll(() => shown().count()).toBe(IMAGES);
  const found = await cosines();
  expect(found).toEqual([...found].sort((a, b) => b - a));
  expect(new Set(found).size).toBeGreaterThan(1);
  expect(await app.accessibilityProblems()).toEqual([]);
});

it('a text without room is cut, and says so', async () => {
  await field().fill('scratch '.repeat(80));
  await app.page
    .getByText('▲ Too long: 80 tokens, room for 75. What is struck through is not read.')
    .waitFor();
  expect(await app.page.getByRole('list', { name: 'Tokens' }).locator('s').count()).toBe(5);
  await field().fill('   ');
  await expect.poll(obstacle).toBe('Type what the images should show.');
});

it('the activation can be changed; the answer says that it is of before', async () => {
  await app.page.getByRole('button', { name: 'GELU', exact: true }).click();
  await app.page.getByText('the encoder was changed since, ask again').waitFor();
  await app.page.getByRole('button', { name: 'QuickGELU', exact: true }).click();
  await app.page.getByText('the encoder was changed since').waitFor({ state: 'detached' });
});

it('after a reload the encoder, its activation and what it saw are there', async () => {
  const before = await cosines();
  await app.load();
  await app.go('Ask');
  await app.page.getByText('Nothing asked yet').waitFor();
  expect(
    await app.page.getByRole('button', { name: 'QuickGELU', exact: true }).getAttribute('aria-pressed'),
  ).toBe('true');
  const kept = await app.page.evaluate(
    () =>
      new Promise<string[][]>((resolve, reject) => {
        const opening = indexedDB.open('darkfield');
        opening.onerror = () => reject(new Error('no database'));
        opening.onsuccess = () => {
          const keys = opening.result.transaction('embeddings').objectStore('embeddings').getAllKeys();
          keys.onsuccess = () => resolve(keys.result as string[][]);
        };
      }),
  );
  expect(kept).toHaveLength(IMAGES);
  expect(kept[0][0]).toMatch(/^[0-9a-f]{64}\.quickGelu$/);
  await ask('a particle between two lines');
  await expect.poll(cosines).toEqual(before);
});

it('an image of the answer opens, and Back leads to the answer', async () => {
  await shown().first().click();
  await app.page.getByRole('heading', { name: 'Result', exact: true }).waitFor();
  await app.page.goBack();
  await expect.poll(() => shown().count()).toBe(IMAGES);
});

it('asked for nothing elsewhere, and nothing went wrong', () => {
  expect(app.foreign).toEqual([]);
  expect(app.errors).toEqual([]);
});
