/** The app in a real Chromium, and what tests do with it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type axeCore from 'axe-core';
import { chromium } from 'playwright-core';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { inject } from 'vitest';
import { CHROMIUM_FLAGS } from '../support/chromium';

export class App {
  /** Requests to any place but the app's own. */
  readonly foreign: string[] = [];
  readonly errors: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  /** A fresh browser profile with the page open and the engine running. */
  static async open(): Promise<App> {
    const profile = mkdtempSync(join(tmpdir(), 'darkfield-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: CHROMIUM_FLAGS,
      viewport: { width: 1440, height: 900 },
      colorScheme: 'dark',
    });
    const page = context.pages()[0] ?? (await context.newPage());
    const app = new App(page, context, profile);
    const own = new URL(inject('address')).origin;
    context.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (/^(https?|wss?):$/.test(protocol) && origin !== own) app.foreign.push(request.url());
    });
    page.on('pageerror', (error) => app.errors.push(error.message));
    await app.load();
    return app;
  }

  /** Opens or reloads the page and waits for the engine. */
  async load(): Promise<void> {
    await this.page.goto(inject('address'));
    await this.page
      .getByTestId('provider')
      .filter({ hasText: /WASM|WebGPU/ })
      .waitFor({ timeout: 60_000 });
  }

  async close(): Promise<void> {
    await this.context.close();
    rmSync(this.profile, { recursive: true, force: true });
  }

  /** Opens the built-in sample and waits for its first verdict. */
  async openSample(): Promise<void> {
    await this.page.getByRole('button', { name: 'Open the sample' }).click();
    await this.page
      .getByText(/▲ strange 0\.\d\d/)
      .first()
      .waitFor();
  }

  /** A real drop of files or folders, by their paths. */
  async drop(...paths: string[]): Promise<void> {
    const session = await this.context.newCDPSession(this.page);
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
      await session.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
    await session.detach();
  }

  go(place: 'Images' | 'Teach' | 'Detectors' | 'Results' | 'Classes' | 'Ask'): Promise<void> {
    return this.page.getByRole('navigation').getByRole('link', { name: place }).click();
  }

  /** What axe finds against WCAG 2.1 AA on the page as it stands: rule and place. */
  async accessibilityProblems(): Promise<string[]> {
    // Run by the debugger: the page's own policy lets no script in.
    await this.page.evaluate(readFileSync('node_modules/axe-core/axe.min.js', 'utf8'));
    return this.page.evaluate(async () => {
      const { axe } = window as unknown as { axe: typeof axeCore };
      const { violations } = await axe.run({
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
        // Rows of the library are named in a phrase, "11.png, to inspect", where they show a table's short words.
        rules: { 'label-content-name-mismatch': { enabled: false } },
      });
      return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
    });
  }

  /** The notice whose text matches. */
  notice(text: string | RegExp) {
    return this.page.locator('[role=status], [role=alert]').filter({ hasText: text }).first();
  }

  /** Waits until jobs have come and gone. */
  async idle(timeoutMs = 240_000): Promise<void> {
    await this.page.waitForFunction(() => !document.querySelector('[data-testid=job]'), null, {
      timeout: timeoutMs,
    });
  }

  /** Steps that the first job has done, as the bar says it; -1 before it does. */
  async stepsDone(): Promise<number> {
    const said = await this.page.getByTestId('job').first().innerText();
    return Number(/([\d,]+) of [\d,]+ steps/.exec(said)?.[1].replace(',', '') ?? -1);
  }

  /** Sets options by their labels. */
  async setOptions(
    options: Readonly<Record<string, string>>,
    within: Page | Locator = this.page,
  ): Promise<void> {
    for (const [label, value] of Object.entries(options)) {
      const field = within.getByLabel(label, { exact: true });
      if ((await field.evaluate((node) => node.tagName)) === 'SELECT') await field.selectOption(value);
      else await field.fill(value);
    }
  }

  /** Rows of the library. */
  rows() {
    return this.page.getByRole('list', { name: 'Images' }).getByRole('button');
  }

  /** Ticks one method alone, or several. */
  async choose(...methods: readonly string[]): Promise<void> {
    const boxes = this.page.getByRole('group', { name: 'Methods' }).getByRole('checkbox');
    await boxes.first().waitFor();
    for (const box of await boxes.all())
      await box.setChecked(methods.includes((await box.getAttribute('aria-label'))!));
  }

  /** Starts a fit under Detectors, with some options set by their labels. */
  async fit(method: string, options: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.go('Detectors');
    await this.choose(method);
    await this.setOptions(options);
    await this.page.getByRole('button', { name: /^Fit .* on / }).click();
  }
}
