/** Svelte components in the browser's own page, with the app's styles. */
import axe from 'axe-core';
import { flushSync, mount, unmount } from 'svelte';
import type { Component } from 'svelte';
import { afterEach } from 'vitest';
import { cdp } from 'vitest/browser';
import '../../src/app/app.css';

const leave: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const done of leave.splice(0)) await done();
});

export interface Mounted<Props> {
  /** The box that the component stands in, 1000 × 600 px. */
  box: HTMLElement;
  /** Changes of these are shown; see `flushSync`. */
  props: Props;
}

/** A component alone on the page, gone after the test. */
export function mounted<Props extends Record<string, unknown>>(
  component: Component<NoInfer<Props>>,
  props: Props,
): Mounted<Props> {
  const live = $state(props);
  const box = document.createElement('main');
  box.style.cssText = 'width: 1000px; height: 600px; display: flex; flex-direction: column';
  document.body.append(box);
  const made = mount(component, { target: box, props: live });
  flushSync();
  leave.push(async () => {
    await unmount(made);
    box.remove();
  });
  return { box, props: live };
}

/** What axe finds against WCAG 2.1 AA in either theme: theme, rule and place. */
export async function accessibilityProblems(box: HTMLElement): Promise<string[]> {
  const problems: string[] = [];
  for (const value of ['light', 'dark']) {
    await cdp().send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
    const { violations } = await axe.run(box, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    for (const { id, nodes } of violations)
      problems.push(...nodes.map(({ target }) => `${value}: ${id}: ${target.join(' ')}`));
  }
  return problems;
}

/** Keys that reach the window, where the app's own shortcuts listen. */
export function keysOfTheApp(): string[] {
  const keys: string[] = [];
  const listen = ({ key }: KeyboardEvent) => keys.push(key);
  window.addEventListener('keydown', listen);
  leave.push(async () => window.removeEventListener('keydown', listen));
  return keys;
}
