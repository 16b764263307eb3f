import { describe, expect, it } from 'vitest';
import { imagesCalled, labelLines } from '../../../src/app/state/label-lines';
import type { ImageId } from '../../../src/base/ids';
import { parseLabels, writeLabels } from '../../../src/exchange/labels-csv';

const image = (id: string, name: string, className?: string) => ({
  imageId: id as ImageId,
  name,
  ...(className && { className }),
});
/** As folders in the MVTec layout have it: the same names in each. */
const SET = [
  image('sha-0', '000.png', 'good'),
  image('sha-1', '000.png', 'bridge'),
  image('sha-2', 'scan.tif', 'particle, large'),
  image('sha-3', 'new.png'),
];

describe('label files', () => {
  it('call images by name where one has it, else by SHA-256', () => {
    expect(labelLines(SET)).toEqual([
      { name: 'sha-0', className: 'good' },
      { name: 'sha-1', className: 'bridge' },
      { name: 'scan.tif', className: 'particle, large' },
    ]);
  });

  it('what was written is found again, each image once', () => {
    const called = imagesCalled(SET);
    const lines = parseLabels(writeLabels(labelLines(SET)), 'labels.csv');
    expect(
      lines.map(({ name, className }) => [called(name).map(({ imageId }) => imageId), className]),
    ).toEqual([
      [['sha-0'], 'good'],
      [['sha-1'], 'bridge'],
      [['sha-2'], 'particle, large'],
    ]);
  });

  it('a name may stand in a folder, and may be that of several images or of none', () => {
    const called = imagesCalled(SET);
    expect(
      ['test\\bridge\\scan.tif', 'a/new.png', 'test/bridge/000.png', 'x'].map((name) => called(name).length),
    ).toEqual([1, 1, 2, 0]);
  });
});
