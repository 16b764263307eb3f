/** A set with many classes and a classifier's fit on it, put into the app's store as if it had been trained there. */
import type { Page } from 'playwright-core';
import type { FitId, ImageId } from '../../src/base/ids';
import { Rng } from '../../src/base/rng';
import type { ClassFitRecord, EntryRecord, ImageRecord, SetRecord } from '../../src/store/schema';

const SET = 'many';
const FIT = 'fit-of-many' as FitId;
const SIDE = 32;

/** Images are flat squares; three of four or so are told right. */
export async function keepReview(page: Page, classCount: number, imagesEach: number): Promise<void> {
  const classes = Array.from({ length: classCount }, (_, c) => `defect ${String(c + 1).padStart(2, '0')}`);
  const rng = new Rng(1, 'kept review');
  const told = Array.from({ length: classCount * imagesEach }, (_, i) => {
    const [classIndex, imageId] = [i % classCount, i.toString(16).padStart(64, '0') as ImageId];
    const likely = classes.map((_name, c) => Math.exp((c === classIndex ? 3 : 0) + 4 * rng.uniform()));
    const total = likely.reduce((sum, one) => sum + one, 0);
    return { imageId, classIndex, probabilities: likely.map((one) => one / total) };
  });
  // One more than the fit knows, before them.
  const set: SetRecord = { id: SET, name: SET, createdAt: 1, classes: ['good', ...classes] };
  const entries = told.map(({ imageId, classIndex }, position): EntryRecord => ({
    setId: SET,
    imageId,
    position,
    name: `${position}.png`,
    role: 'inspect',
    className: classes[classIndex],
  }));
  const fit: Omit<ClassFitRecord, 'summary'> = {
    id: FIT,
    setId: SET,
    createdAt: 1,
    spec: {
      fitId: FIT,
      method: 'nearest-mean',
      options: {},
      backboneId: 'sem-encoder' as ClassFitRecord['spec']['backboneId'],
      side: 64,
      seed: 0,
      view: 'frame',
      classes,
      white: 255,
    },
    taught: told.map(({ imageId, classIndex }) => ({ imageId, classIndex })),
  };
  await page.evaluate(store, { set, entries, fit, told, side: SIDE });
}

interface Kept {
  readonly set: SetRecord;
  readonly entries: readonly EntryRecord[];
  readonly fit: Omit<ClassFitRecord, 'summary'>;
  readonly told: readonly { readonly imageId: ImageId; readonly probabilities: readonly number[] }[];
  readonly side: number;
}

/** In the page. */
async function store({ set, entries, fit, told, side }: Kept): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('darkfield');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error!);
  });
  const canvas = new OffscreenCanvas(side, side);
  const brush = canvas.getContext('2d')!;
  const images: ImageRecord[] = [];
  for (const { imageId, position } of entries) {
    brush.fillStyle = `hsl(${(position * 47) % 360} 50% 50%)`;
    brush.fillRect(0, 0, side, side);
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    const size = { width: side, height: side, bits: 8, maxValue: 255 } as const;
    images.push({ id: imageId, blob, ...size, format: 'png', metadata: { notes: [] }, thumbnail: blob });
  }
  const heldOut = told.map(({ imageId, probabilities }) => ({
    imageId,
    probabilities: Float32Array.from(probabilities),
  }));
  const record: ClassFitRecord = {
    ...fit,
    summary: {
      durationMs: 1000,
      stateBytes: 1000,
      provider: 'wasm',
      resumedImages: 0,
      steps: undefined,
      remarks: [],
      sureness: null,
      heldOut,
    },
  };
  const transaction = database.transaction(
    ['images', 'sets', 'entries', 'classFits', 'settings'],
    'readwrite',
  );
  for (const image of images) transaction.objectStore('images').put(image);
  for (const entry of entries) transaction.objectStore('entries').put(entry);
  transaction.objectStore('sets').put(set);
  transaction.objectStore('classFits').put(record);
  transaction.objectStore('settings').put(set.id, 'set');
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onerror = () => reject(transaction.error!);
  });
  database.close();
}
