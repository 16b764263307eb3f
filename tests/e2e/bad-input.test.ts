/** Files and sets that can't be used: each its clear message, and the rest goes on. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { encodeSafetensors, Safetensors } from '../../src/weights/safetensors';
import { bytesAsSource } from '../../src/weights/byte-source';
import { App } from './app';

let app: App;
let folder: string;
beforeAll(async () => {
  app = await App.open();
});
afterAll(() => app.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'darkfield-bad-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const grey = (width: number, height: number, seed = 0) =>
  encodePng({
    width,
    height,
    data: Uint8Array.from({ length: width * height }, (_, i) => (i * 7 + seed * 13) % 256),
    channels: 1,
    depth: 8,
  });

const write = (name: string, bytes: Uint8Array | string) => writeFileSync(join(folder, name), bytes);

it('corrupt, cut-off and misnamed files are listed by name and reason; the others are added', async () => {
  const good = grey(64, 48);
  const corrupt = grey(64, 48, 1);
  corrupt.fill(7, 60, 90);
  const tiff = await sharp(Buffer.from(grey(400, 400, 2)))
    .tiff({ compression: 'none' })
    .toBuffer();
  write('good.png', good);
  write('corrupt.png', corrupt);
  write('cut.tif', tiff.subarray(0, tiff.length / 2));
  write('text.png', 'this is a text file');
  write('dot.png', grey(1, 1));
  write('notes.txt', 'hello');
  await app.drop(folder);
  const notice = app.notice(/^1 image added; 5 files left out/);
  await notice.waitFor({ timeout: 30_000 });
  if (!(await notice.locator('details').getAttribute('open'))) await notice.locator('summary').click();
  const lines = (await notice.locator('li').allInnerTexts())
    .map((line) => line.replace(/^[^/]*\//, ''))
    .sort();
  expect(lines[0]).toMatch(/^corrupt\.png: .+\. .+/);
  expect(lines[1]).toMatch(/^cut\.tif: is cut off/);
  expect(lines[2]).toMatch(/^dot\.png: is 1×1 px; an image needs at least 16×16/);
  expect(lines[3]).toMatch(/^notes\.txt: not an image file/);
  expect(lines[4]).toMatch(/^text\.png: .*(not|no) .*image/i);
  await notice.getByRole('button', { name: 'Close this notice' }).click();
});

it('a folder with nothing in it says so', async () => {
  mkdirSync(join(folder, 'empty'));
  await app.drop(join(folder, 'empty'));
  await app.notice('There was nothing in what was dropped').waitFor();
});

it('no good image and one good image: the fit says what is missing', async () => {
  await app.go('Detectors');
  await app.choose('PaDiM');
  await app.page.getByText('PaDiM needs at least 2 good images; there is none.').waitFor();
  expect(await app.page.getByRole('button', { name: /^Fit .* on 0 good images/ }).isDisabled()).toBe(true);
  await app.go('Images');
  await app.rows().first().click();
  await app.page.getByRole('button', { name: 'Good, fit on it' }).click();
  await app.go('Detectors');
  await app.choose('PaDiM');
  await app.page.getByText('PaDiM needs at least 2 good images; there is 1.').waitFor();
  await app.choose('PatchCore');
  expect(await app.page.getByRole('button', { name: /^Fit .* on 1 good image/ }).isEnabled()).toBe(true);
});

it('an option out of range can’t be submitted and says the range', async () => {
  await app.page.getByLabel('Coreset share', { exact: true }).fill('0');
  await app.page.getByText('Coreset share has to be from 0.1 to 100 %.').waitFor();
  expect(await app.page.getByRole('button', { name: /^Fit .* on / }).isDisabled()).toBe(true);
  await app.page.getByLabel('Coreset share', { exact: true }).fill('10');
});

it('images of mixed sizes and 16 bits are fitted on and inspected together; one good image is not calibrated', async () => {
  const deep = Uint16Array.from({ length: 50 * 70 }, (_, i) => (i * 911) % 4096);
  write('wide.png', grey(120, 40, 3));
  write('tall.png', grey(30, 90, 4));
  write('deep.png', encodePng({ width: 50, height: 70, data: deep, channels: 1, depth: 16 }));
  await app.drop(folder);
  await app.notice('3 images added').waitFor();
  await app.page.getByRole('button', { name: /^Fit .* on 1 good image/ }).click();
  await app.page.getByText('one good image leaves none to hold out').waitFor({ timeout: 60_000 });
  await app.idle();
  await app.go('Results');
  // Inspection follows the fit; its rows come one by one.
  await expect
    .poll(() => app.page.locator('main tbody tr').filter({ hasText: 'not calibrated' }).count())
    .toBe(3);
});

it('weights: known by their tensors whatever the name; a near miss is told what is missing', async () => {
  const bytes = readFileSync('public/models/efficientnet-lite0.safetensors');
  write('renamed.safetensors', bytes);
  await app.drop(join(folder, 'renamed.safetensors'));
  await app.notice(/renamed\.safetensors is EfficientNet-Lite0/).waitFor();
  const file = await Safetensors.open(bytesAsSource(bytes));
  const tensors = Object.fromEntries(
    await Promise.all(
      [...file.tensors.keys()].slice(1).map(async (name) => [name, await file.read(name)] as const),
    ),
  );
  write('nearly.safetensors', encodeSafetensors(tensors));
  await app.drop(join(folder, 'nearly.safetensors'));
  await app.notice(`this is nearly EfficientNet-Lite0: it lacks ${[...file.tensors.keys()][0]}`).waitFor();
  write('cut.safetensors', bytes.subarray(0, 100_000));
  await app.drop(join(folder, 'cut.safetensors'));
  await app.notice(/ends at byte \d+, the file at 100000/).waitFor();
  expect(app.errors).toEqual([]);
});
