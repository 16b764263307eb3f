import { expect, it } from 'vitest';
import { sortMasks } from '../../src/exchange/masks';

const entry = (path: string) => ({ path, file: path });

it('masks go to the image of their name: beside them, or there already', () => {
  const there = [{ name: 'old.tif' }];
  const sorted = sortMasks(
    ['set/test/hole/a.png', 'set/masks/a_mask.png', 'b.jpg', 'old_mask.png', 'c_mask.png', 'notes.txt'].map(
      entry,
    ),
    there,
  );
  expect(sorted.images).toEqual([
    { name: 'a.png', file: 'set/test/hole/a.png', mask: 'set/masks/a_mask.png' },
    { name: 'b.jpg', file: 'b.jpg', mask: undefined },
  ]);
  expect(sorted.masks).toEqual([{ of: there[0], file: 'old_mask.png' }]);
  expect(sorted.leftOut).toEqual([
    { path: 'notes.txt', reason: 'not an image file (PNG, JPEG, WebP, BMP or TIFF)' },
    { path: 'c_mask.png', reason: 'a mask that no image of this class has the name of' },
  ]);
});
