/**
 * Pictures of the app in a real Chromium: docs/screenshot.png for the README, all screens (empty, full and failing, dark and
 * light) in .cache/screens to be looked at. `npm run screenshots` after a build.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Page } from 'playwright-core';
import { preview } from 'vite';
import { CHROMIUM_FLAGS } from '../tests/support/chromium';

const OUT = '.cache/screens';
mkdirSync(OUT, { recursive: true });
const server = await preview({ logLevel: 'error', preview: { host: '127.0.0.1', port: 4195 } });
const address = server.resolvedUrls!.local[0];
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });

async function open(colorScheme: 'dark' | 'light'): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme });
  const page = await context.newPage();
  await page.goto(address);
  await page
    .getByTestId('provider')
    .filter({ hasText: /WASM|WebGPU/ })
    .waitFor();
  return page;
}

const shoot = (page: Page, name: string) => page.screenshot({ path: join(OUT, `${name}.png`) });
const go = async (page: Page, place: string) => {
  await page.getByRole('navigation').getByRole('link', { name: place }).click();
  await page.waitForTimeout(400);
};

const idle = (page: Page) =>
  page.waitForFunction(() => !document.querySelector('[data-testid=job]'), null, { timeout: 600_000 });

/** Fits a few methods, one that redraws images among them, and shows what they are compared in. */
async function shootComparison(page: Page, scheme: string): Promise<void> {
  const fit = async (...methods: readonly string[]) => {
    await go(page, 'Detectors');
    for (const box of await page.getByRole('group', { name: 'Methods' }).getByRole('checkbox').all())
      await box.setChecked(methods.includes((await box.getAttribute('aria-label'))!));
    const steps = page.getByLabel('Steps at most', { exact: true });
    if (await steps.count()) await steps.first().fill('60');
    await page.waitForTimeout(9_000);
    await shoot(page, `${scheme}-chosen-${methods.length}`);
    await page.getByRole('button', { name: /^Fit .* on / }).click();
    await page.waitForTimeout(5_000);
    await shoot(page, `${scheme}-training-${methods.length}`);
    await idle(page);
  };
  await fit('GANomaly');
  await go(page, 'Images');
  await page.getByRole('list', { name: 'Images' }).getByRole('button').last().click();
  await page.getByText('Reconstruction').first().waitFor();
  await page.waitForTimeout(3_000);
  await shoot(page, `${scheme}-reconstruction`);
  await fit('CFA', 'PaDiM');
  await page.getByRole('link', { name: 'About CFA' }).click();
  await page.waitForTimeout(400);
  await shoot(page, `${scheme}-method`);
  await go(page, 'Results');
  await page.getByRole('link', { name: /^Compare/ }).click();
  await page.waitForTimeout(2_500);
  await shoot(page, `${scheme}-comparison`);
}

/** Trains a classifier on the sample's labels and shows what its review counts. */
async function shootClasses(page: Page, scheme: string): Promise<void> {
  await go(page, 'Classes');
  await page.waitForTimeout(3_000);
  await shoot(page, `${scheme}-classes`);
  await page.getByRole('link', { name: 'About After ReCAME-Net' }).click();
  await page.waitForTimeout(400);
  await shoot(page, `${scheme}-classifier`);
  await page.getByRole('radio', { name: /^Linear head/ }).check();
  await page.getByRole('button', { name: /^Train Linear head on / }).click();
  await page.getByTestId('job').first().waitFor();
  await idle(page);
  await page.getByRole('link', { name: 'Review' }).first().click();
  await page.getByRole('gridcell').first().click();
  await page.waitForTimeout(1_000);
  await shoot(page, `${scheme}-review`);
  await page.getByRole('button', { name: 'By class' }).click();
  await page.waitForTimeout(400);
  await shoot(page, `${scheme}-review-table`);
}

for (const scheme of ['dark', 'light'] as const) {
  const page = await open(scheme);
  await shoot(page, `${scheme}-empty`);
  await go(page, 'Detectors');
  await shoot(page, `${scheme}-empty-detectors`);
  await go(page, 'Results');
  await shoot(page, `${scheme}-empty-results`);
  await page
    .getByTestId('files')
    .first()
    .setInputFiles({
      name: 'notes.png',
      mimeType: 'image/png',
      buffer: Buffer.from('this is no picture'),
    });
  await page.getByText('left out').first().waitFor();
  await shoot(page, `${scheme}-left-out`);
  await page.getByRole('button', { name: 'Close this notice' }).click();
  await go(page, 'Images');
  await page.getByRole('button', { name: 'Open the sample' }).click();
  await page.getByTestId('job').waitFor();
  await shoot(page, `${scheme}-fitting`);
  await page
    .getByText(/▲ strange/)
    .first()
    .waitFor();
  await idle(page);
  await page.getByRole('button', { name: 'Strange', exact: true }).click();
  const strange = page.getByRole('list', { name: 'Images' }).getByRole('button', { name: /particle/ });
  await strange.first().click();
  await page.getByRole('button', { name: 'All', exact: true }).click();
  // Plain notices go by themselves.
  await page.waitForTimeout(9000);
  await shoot(page, `${scheme}-images`);
  if (scheme === 'dark') await page.screenshot({ path: 'docs/screenshot.png' });
  await go(page, 'Detectors');
  await shoot(page, `${scheme}-detectors`);
  await go(page, 'Results');
  await page.locator('aside table').waitFor();
  await shoot(page, `${scheme}-results`);
  await page.keyboard.press('?');
  await shoot(page, `${scheme}-keys`);
  await page.keyboard.press('Escape');
  await shootClasses(page, scheme);
  if (scheme === 'dark') await shootComparison(page, scheme);
  await page.context().close();
}
await browser.close();
await server.close();
console.log(`docs/screenshot.png and ${OUT}/`);
