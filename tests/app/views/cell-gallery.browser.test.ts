import { flushSync } from 'svelte';
import { describe, expect, it, vi } from 'vitest';
import { userEvent } from 'vitest/browser';
import type { ImageId } from '../../../src/base/ids';
import CellGallery from '../../../src/app/views/CellGallery.svelte';
import type { GalleryItem } from '../../../src/app/views/gallery-item';
import { accessibilityProblems, keysOfTheApp, mounted } from '../../support/mounted.svelte';

/** In the order of their keys; the fit behind the images knows no pit. */
const keys = ['particle', 'pit', 'scratch', 'void'];
const thumbnail = new Blob(['<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'], {
  type: 'image/svg+xml',
});
const items = (count: number): GalleryItem[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `id${i}` as ImageId,
    name: `scan_${i}.tif`,
    thumbnail,
    predicted: i === 1 ? undefined : 'particle',
    actual: 'scratch',
    probability: 0.9,
  }));

function gallery(count: number) {
  const onopen = vi.fn<(id: ImageId) => void>();
  const onrelabel = vi.fn<(id: ImageId, className: string | undefined) => void>();
  const { box, props } = mounted(CellGallery, {
    title: 'scratch called particle',
    keys,
    items: items(count),
    onopen,
    onrelabel,
  });
  return { box, props, onopen, onrelabel, buttons: () => [...box.querySelectorAll('button')] };
}

describe('CellGallery', () => {
  it('shows what was said, how surely, and what it is', async () => {
    const { box, buttons } = gallery(2);
    expect(box.querySelector('h2')!.textContent).toBe('scratch called particle, 2 images');
    await expect
      .poll(() => buttons().map(({ innerText }) => innerText.split(/\s+/).join(' ')))
      .toEqual(['scan_0.tif said 1 particle 90 % is 3 scratch', 'scan_1.tif said Unknown 90 % is 3 scratch']);
  });

  it('arrows move along and across rows, Enter opens', async () => {
    const { buttons, onopen } = gallery(40);
    const pressed = keysOfTheApp();
    const top = (button: Element) => Math.round(button.parentElement!.getBoundingClientRect().top);
    const perRow = buttons().filter((button) => top(button) === top(buttons()[0])).length;
    expect(perRow).toBeGreaterThan(2);
    expect(perRow).toBeLessThan(20);
    buttons()[0].focus();
    await userEvent.keyboard('{ArrowRight}{ArrowDown}');
    expect(document.activeElement).toBe(buttons()[1 + perRow]);
    await userEvent.keyboard('{ArrowLeft}{ArrowUp}');
    expect(document.activeElement).toBe(buttons()[0]);
    await userEvent.keyboard('{ArrowUp}{End}');
    expect(document.activeElement).toBe(buttons()[39]);
    expect(pressed).toEqual([]);
    await userEvent.keyboard('{Enter}');
    expect(onopen.mock.calls).toEqual([['id39']]);
    expect(buttons().filter(({ tabIndex }) => tabIndex === 0)).toEqual([buttons()[39]]);
  });

  it('digits correct the class, and the focus goes on to the next image', async () => {
    const { props, buttons, onrelabel } = gallery(3);
    onrelabel.mockImplementation((id) => {
      props.items = props.items.filter((item) => item.id !== id);
      flushSync();
    });
    const pressed = keysOfTheApp();
    buttons()[1].focus();
    await userEvent.keyboard('2');
    expect(onrelabel.mock.lastCall).toEqual(['id1', 'pit']);
    expect(document.activeElement).toBe(buttons()[1]);
    await userEvent.keyboard('0');
    expect(onrelabel.mock.lastCall).toEqual(['id2', undefined]);
    expect(document.activeElement).toBe(buttons()[0]);
    // There is no ninth class.
    await userEvent.keyboard('9');
    expect(onrelabel).toHaveBeenCalledTimes(2);
    expect(pressed).toEqual(['9']);
  });

  it('the field corrects the image that had the focus', async () => {
    const { box, buttons, onrelabel } = gallery(3);
    buttons()[2].focus();
    flushSync();
    expect(box.querySelector('label')!.textContent).toContain('scan_2.tif is');
    const field = box.querySelector('select')!;
    expect(field.value).toBe('scratch');
    await userEvent.selectOptions(field, '4 void');
    await userEvent.selectOptions(field, 'no label');
    expect(onrelabel.mock.calls).toEqual([
      ['id2', 'void'],
      ['id2', undefined],
    ]);
  });

  it('the field shows the class of the image that follows one without a label', async () => {
    const { box, props, onrelabel } = gallery(2);
    onrelabel.mockImplementation((id) => {
      props.items = props.items.filter((item) => item.id !== id);
      flushSync();
    });
    const field = box.querySelector('select')!;
    await userEvent.selectOptions(field, 'no label');
    expect(onrelabel.mock.calls).toEqual([['id0', undefined]]);
    expect(field.value).toBe('scratch');
  });

  it('without a way to correct has no field and leaves digits alone', async () => {
    const { box } = mounted(CellGallery, {
      title: 'void',
      keys,
      items: items(1),
      onopen: () => undefined,
    });
    const pressed = keysOfTheApp();
    expect(box.querySelector('select')).toBeNull();
    box.querySelector('button')!.focus();
    await userEvent.keyboard('1');
    expect(pressed).toEqual(['1']);
  });

  it('lays out what is in view of 500 images, and scrolls in its box', async () => {
    const { box, buttons } = gallery(500);
    const list = box.querySelector('ol')!;
    expect(box.scrollHeight).toBeLessThanOrEqual(600);
    expect(list.scrollHeight).toBeGreaterThan(10 * list.clientHeight);
    const laidOut = () =>
      buttons().filter((button) => button.checkVisibility({ contentVisibilityAuto: true })).length;
    await expect.poll(laidOut).toBeGreaterThan(5);
    expect(laidOut()).toBeLessThan(200);
  });

  it('says that a cell is empty', () => {
    expect(gallery(0).box.textContent).toContain('No image is in this cell.');
  });

  it('has nothing that axe objects to', async () => {
    expect(await accessibilityProblems(gallery(12).box)).toEqual([]);
  });
});
