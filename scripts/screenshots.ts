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
  await page.waitForFunction(() => !document.querySelector('[data-testid=job]'));
  await page.getByRole('button', { name: 'Strange', exact: true }).click();
  await page.getByRole('list', { name: 'Images' }).getByRole('button').first().click();
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
  await page.context().close();
}
await browser.close();
await server.close();
console.log(`docs/screenshot.png and ${OUT}/`);
