/** A classifier whose training a closed tab breaks off, and one that meets an image that can't be read. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { App } from './app';

let app: App;
beforeAll(async () => {
  app = await App.open();
  // A step is measured and trained while others may want the two cores.
  app.page.setDefaultTimeout(120_000);
  await app.openSample();
  await app.idle();
  await app.go('Classes');
});
afterAll(() => app.close());

const aside = () => app.page.locator('aside');
const fits = () => aside().getByRole('button', { name: 'Delete this fit' });

async function start(method: string): Promise<void> {
  await aside().getByRole('radio', { name: method, exact: true }).check();
  await aside()
    .getByRole('button', { name: new RegExp(`^Train ${method} on `) })
    .click();
  await app.page.getByTestId('job').first().waitFor();
}

const stepsDone = () => app.stepsDone();

it('goes on after a closed tab where it was, and knows what was chosen', async () => {
  await aside().getByRole('radio', { name: 'After ReCAME-Net', exact: true }).check();
  await aside().locator('summary', { hasText: 'Options of After ReCAME-Net' }).click();
  const long = { Epochs: '400', 'Views of an image': '1', 'Width of an expert': '16', Batch: '4' };
  await app.setOptions(long, aside());
  await aside().getByLabel('Input side').selectOption('128');
  await start('After ReCAME-Net');
  // Beyond the first checkpoint, which is a quarter of a minute into the training.
  await expect.poll(stepsDone).toBeGreaterThan(0);
  await app.page.waitForTimeout(17_000);
  const before = await stepsDone();
  expect(before).toBeGreaterThan(20);
  await app.page.reload();
  await aside().getByText('Not finished: the tab was closed').waitFor();
  await aside().getByRole('button', { name: 'Resume' }).click();
  await expect.poll(stepsDone).toBeGreaterThan(1);
  // From a checkpoint, not from the start: one step more than it had, or a few.
  expect(await stepsDone()).toBeGreaterThan(before / 10);
  await app.page.getByRole('button', { name: 'End here and keep it' }).click();
  await app.notice(/After ReCAME-Net went on from its checkpoint: \d+ images? done already\./).waitFor();
  await app.idle();
  await aside()
    .getByText(/Ended by hand after \d+ of \d+ steps/)
    .waitFor();
  await aside().getByRole('table', { name: 'The most probable classes' }).waitFor();
});

/** Cuts an image's file off in the store, as a disk may. @returns its name */
const cutOff = (className: string) =>
  app.page.evaluate(async (wanted) => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open('darkfield');
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error!);
    });
    const transaction = database.transaction(['images', 'entries'], 'readwrite');
    const read = (store: string, key?: IDBValidKey) =>
      new Promise((resolve) => {
        const objects = transaction.objectStore(store);
        const request = key === undefined ? objects.getAll() : objects.get(key);
        request.onsuccess = () => resolve(request.result);
      });
    const entries = (await read('entries')) as { imageId: string; name: string; className?: string }[];
    const { imageId, name } = entries.find(({ className }) => className === wanted)!;
    const image = (await read('images', imageId)) as { blob: Blob };
    transaction.objectStore('images').put({ ...image, blob: image.blob.slice(0, image.blob.size / 2) });
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
    return name;
  }, className);

it('an image that can’t be read is named, the others are taught and told, nothing is lost', async () => {
  const row = (name: string) =>
    aside()
      .getByRole('row')
      .filter({ has: app.page.getByLabel(`Teach ${name}`, { exact: true }) });
  const counted = await row('bridge').locator('td').nth(1).innerText();
  const labelled = async () =>
    Number(
      /on (\d+) labelled/.exec(
        await aside()
          .getByRole('button', { name: /^Train .* on / })
          .innerText(),
      )?.[1],
    );
  const all = await labelled();
  const name = await cutOff('bridge');
  await app.page.reload();
  await start('Nearest mean');
  const untaught = app.notice('Nearest mean is taught without 1 image that can’t be read.');
  await untaught.waitFor();
  const reason = new RegExp(`${name.replace('.', '\\.')}:? .*(cut off|ends|corrupt|damaged)`);
  await expect.poll(() => untaught.locator('li').allInnerTexts()).toEqual([expect.stringMatching(reason)]);
  await app.idle();
  await app.notice('1 image can’t be read: no class is told.').waitFor();
  await aside()
    .getByText(`${all - 1} images,`)
    .first()
    .waitFor();
  expect(await row('bridge').locator('td').nth(1).innerText()).toBe(counted);
  expect(await labelled()).toBe(all);
  expect(await fits().count()).toBe(2);
  await app.page
    .getByRole('list', { name: 'Images' })
    .getByRole('button', { name: new RegExp(`^${name}, .*class bridge`) })
    .first()
    .click();
  await aside().getByRole('alert').filter({ hasText: name }).waitFor();
  if (process.env.SHOTS) await app.page.screenshot({ path: `${process.env.SHOTS}/unread.png` });
  expect(await app.accessibilityProblems()).toEqual([]);
  await aside().getByRole('link', { name: 'Review' }).first().click();
  await expect
    .poll(() => app.page.getByTestId('reviewed').innerText())
    .toMatch(/^\d+ labelled images that the fit had not seen: .*; 1 not classified yet/);
  if (process.env.SHOTS) await app.page.screenshot({ path: `${process.env.SHOTS}/unread-review.png` });
  expect([app.foreign, app.errors]).toEqual([[], []]);
});
