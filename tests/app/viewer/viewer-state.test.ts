import { expect, it } from 'vitest';
import { ViewerState } from '../../../src/app/viewer/viewer-state.svelte';

const IMAGE = { width: 200, height: 100 };

it('a fitted picture follows the window, but stays where it is when a row of jobs comes and goes', () => {
  const viewer = new ViewerState();
  viewer.resize(IMAGE, { width: 472, height: 400 });
  const before = viewer.camera;
  expect(before).toEqual({ zoom: 2, x: 36, y: 100 });
  viewer.resize(IMAGE, { width: 472, height: 368 });
  viewer.resize(IMAGE, { width: 472, height: 400 });
  expect(viewer.camera).toBe(before);
  viewer.resize(IMAGE, { width: 472, height: 300 });
  expect(viewer.camera).toEqual({ zoom: 2, x: 36, y: 50 });
  viewer.resize(IMAGE, { width: 272, height: 300 });
  expect(viewer.camera).toEqual({ zoom: 1, x: 36, y: 100 });
});

it('an upright picture lies wholly above the row that came after it was fitted', () => {
  const viewer = new ViewerState();
  const upright = { width: 100, height: 200 };
  viewer.resize(upright, { width: 472, height: 472 });
  viewer.resize(upright, { width: 472, height: 439 });
  const { zoom, y } = viewer.camera;
  expect(y + zoom * upright.height).toBeLessThanOrEqual(439);
});

it('a view of the user stays for pictures of one size, and ends with another', () => {
  const viewer = new ViewerState();
  const screen = { width: 472, height: 400 };
  viewer.resize(IMAGE, screen);
  viewer.pan(5, 7);
  const moved = viewer.camera;
  viewer.resize({ ...IMAGE }, { width: 900, height: 900 });
  expect(viewer.camera).toBe(moved);
  viewer.resize({ width: 400, height: 200 }, screen);
  expect(viewer.camera).toEqual({ zoom: 1, x: 36, y: 100 });
});
