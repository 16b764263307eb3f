/** Fits that can't start: each says the fact and what to do. */
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { Engine } from '../../src/engine/engine';
import { isTokenRole } from '../../src/nn/backbones/backbone';
import { TestEngine } from '../support/engine';

const SIDE = 64;
const rng = new Rng(1, 'noise');
const plane = (): Float32Array => Float32Array.from({ length: SIDE * SIDE }, () => rng.uniform());
const good = (engine: TestEngine, count: number) =>
  Array.from({ length: count }, (_, i) => engine.add(`good ${i}`, plane()));

const [ordinary, onClips] = [false, true].map((tokens) =>
  Object.entries(Engine.methods).filter(([, { needs }]) => needs.taps.some(isTokenRole) === tokens),
);

/** They need no good image; what they need is a CLIP. */
describe.each(onClips)('%s', (method) => {
  it('refuses a backbone that knows no texts', async () => {
    const engine = new TestEngine(SIDE);
    await expect(engine.fit(engine.spec(method), good(engine, 1))).rejects.toMatchObject({
      code: 'fit/backbone',
      message: expect.stringMatching(/ gives no tokens beside texts$/) as string,
      hint: 'Choose the built-in SEM encoder or a CLIP.',
    });
  });
});

describe.each(ordinary)('%s', (method, { title, needs: { leastGoodImages, defects } }) => {
  const defective = (engine: TestEngine) => (defects === 'required' ? [engine.add('defect', plane())] : []);

  it('refuses fewer good images than it needs', async () => {
    const engine = new TestEngine(SIDE);
    await expect(engine.fit(engine.spec(method), good(engine, leastGoodImages - 1))).rejects.toMatchObject({
      code: 'fit/too-few-images',
      message: expect.stringMatching(
        new RegExp(
          `^${title.replace('+', '\\+')} needs at least ${leastGoodImages} good images?; there (is|are) `,
        ),
      ) as string,
    });
  });

  it('refuses what memory can not hold, before any work, and names what to lower', async () => {
    const engine = new TestEngine(SIDE, 20_000);
    const failure = {
      code: 'fit/memory',
      message: expect.stringMatching(
        /^.* would need about \d[\d.]* [kM]B to fit on 8 good images; there are 20 kB here$/,
      ) as string,
      hint: expect.stringMatching(/^Lower .*the image size\.$/) as string,
    };
    const spec = engine.spec(method);
    const fit = engine.fit(spec, good(engine, 8), undefined, defective(engine));
    await expect(fit).rejects.toMatchObject(failure);
    const { options, backboneId, side } = spec;
    const request = { method, options, backboneId, side, goodImages: 8, defectImages: 0 };
    await expect(engine.engine.estimate(request)).rejects.toMatchObject(failure);
  });
});

it('DRA refuses to learn from good images alone', async () => {
  const engine = new TestEngine(SIDE);
  await expect(engine.fit(engine.spec('dra'), good(engine, 2))).rejects.toMatchObject({
    code: 'fit/too-few-images',
    message: 'DRA learns from defects; there is none',
    hint: 'Give at least one class of defects an image.',
  });
});

it('names the options that the memory depends on, and no others', async () => {
  const engine = new TestEngine(SIDE, 20_000);
  await expect(engine.fit(engine.spec('patchcore'), good(engine, 8))).rejects.toMatchObject({
    hint: 'Lower the number of good images, the image size.',
  });
  const few = engine.spec('patchcore', { maxPatches: 1000 });
  await expect(engine.fit({ ...few, side: 512 }, good(engine, 8))).rejects.toMatchObject({
    hint: expect.not.stringContaining('the number of good images') as string,
  });
  await expect(engine.fit(engine.spec('stfpm'), good(engine, 8))).rejects.toMatchObject({
    hint: expect.stringContaining('Lower Batch, ') as string,
  });
});
