import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { shapesInFile } from '../../../src/nn/clip/names';
import { clipTensors, readClip, recogniseClip } from '../../../src/nn/clip/recognise';
import { describeGolden, goldenJson } from '../../support/golden';
import { weight } from '../../support/procedural';
import { configOf } from './procedural-clip';
import type { GoldenClip, HuggingFaceRow } from './procedural-clip';

/** A tensor of a Hugging Face file out of open_clip's, as the golden file says. */
function converted([, , , shape, how]: HuggingFaceRow, tensor: TensorData): TensorData {
  const data = floats(tensor);
  if (how === 'transposed') {
    const [rows, columns] = shape;
    return floatTensor(
      shape,
      data.map((_, i) => data[(i % columns) * rows + Math.floor(i / columns)]),
    );
  }
  const third = /^third (\d) of rows$/.exec(how)?.[1];
  if (third === undefined) return floatTensor(shape, data);
  const length = data.length / 3;
  return floatTensor(shape, data.slice(Number(third) * length, (Number(third) + 1) * length));
}

describeGolden(['clip.json'], "Hugging Face's names", () => {
  const golden = goldenJson<GoldenClip>('clip.json');
  const { rows } = golden.hugging_face_names;
  const { activation: _, ...shape } = configOf(golden.towers['tiny-gelu']);

  it('are those of every tensor', () => {
    const expected = rows.map(([, , name, own]) => [name, own]);
    const found = [...shapesInFile('hugging-face', clipTensors(shape))];
    expect(found.sort()).toEqual(expected.sort());
  });

  it('give back the tensors of open_clip', async () => {
    const original = new Map([...clipTensors(shape)].map(([name, own]) => [name, weight(name, own)]));
    const file = new Map(rows.map((row) => [row[2], converted(row, original.get(row[0])!)]));
    const recognised = recogniseClip(new Map([...file].map(([name, tensor]) => [name, tensor.shape])), 32)!;
    expect([recognised.shape, recognised.naming]).toEqual([shape, 'hugging-face']);
    const read = await readClip(recognised, async (name) => file.get(name)!);
    expect([...read.keys()].sort()).toEqual([...original.keys()].sort());
    for (const [name, tensor] of original) {
      expect(read.get(name)!.shape, name).toEqual(tensor.shape);
      expect(Buffer.compare(bytes(read.get(name)!), bytes(tensor)), name).toBe(0);
    }
  });
});

const bytes = ({ data }: TensorData): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
