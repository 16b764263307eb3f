import { expect, it } from 'vitest';
import { filesOfInput } from '../../src/exchange/drop';

const file = (name: string, webkitRelativePath = ''): File => ({ name, webkitRelativePath }) as File;

it('files stand in the order of their paths, numbers in them read as numbers', () => {
  const loose = ['site_10.png', 'site_2.png', 'Site_1.png'].map((name) => file(name));
  expect(filesOfInput(loose).map(({ path }) => path)).toEqual(['Site_1.png', 'site_2.png', 'site_10.png']);
  const folder = ['lot/b/1.png', 'lot/a/10.png', 'lot/a/9.png'].map((path) => file(path.split('/')[2], path));
  expect(filesOfInput(folder).map(({ path }) => path)).toEqual([
    'lot/a/9.png',
    'lot/a/10.png',
    'lot/b/1.png',
  ]);
});
