import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/base/errors';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats, intTensor, sizeOf } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { bytesAsSource } from '../../src/weights/byte-source';
import type { ByteSource } from '../../src/weights/byte-source';
import { Safetensors, encodeSafetensors } from '../../src/weights/safetensors';

/** A file put together by hand: header as text or JSON, then data. */
function fileOf(header: unknown, data: Uint8Array = new Uint8Array(0), announced?: bigint): Uint8Array {
  const text = header instanceof Uint8Array ? header : new TextEncoder().encode(asText(header));
  const out = new Uint8Array(8 + text.length + data.length);
  new DataView(out.buffer).setBigUint64(0, announced ?? BigInt(text.length), true);
  out.set(text, 8);
  out.set(data, 8 + text.length);
  return out;
}

const asText = (header: unknown): string => (typeof header === 'string' ? header : JSON.stringify(header));
const open = (bytes: Uint8Array) => Safetensors.open(bytesAsSource(bytes));
const failure = (code: string, message: string) => expect.objectContaining({ code, message }) as Error;

async function readAll(file: Safetensors): Promise<Record<string, TensorData>> {
  const tensors: Record<string, TensorData> = {};
  for (const name of file.tensors.keys()) tensors[name] = await file.read(name);
  return tensors;
}

const TENSORS: Readonly<Record<string, TensorData>> = {
  'layer1.0.conv1.weight': floatTensor([2, 1, 1, 3], [0, -1, 2.5, 3e38, 1e-40, Infinity]),
  flags: { dtype: 'uint8', shape: [3], data: Uint8Array.of(0, 128, 255) },
  'größe/μ "quoted"\n': floatTensor([2], [1, 2]),
  scalar: floatTensor([], [0.1]),
  empty: floatTensor([0, 7], []),
  index: intTensor([2, 2], [1, -2, 2147483647, -2147483648]),
};

describe('a file that was written', () => {
  it('is read as it was', async () => {
    const file = await open(encodeSafetensors(TENSORS, { metadata: { format: 'pt', note: 'ß' } }));
    expect(await readAll(file)).toEqual(TENSORS);
    expect([...file.tensors.keys()]).toEqual(Object.keys(TENSORS));
    expect(file.metadata).toEqual({ format: 'pt', note: 'ß' });
  });

  it.each([false, true])('gives rows in any order, half precision %s', async (half) => {
    const table = floatTensor([4, 2], [0, 1, 2, 3, 4, 5, 6, 7]);
    const file = await open(encodeSafetensors({ before: TENSORS.scalar, table }, { half }));
    expect(await file.readRows('table', [2, 0, 2])).toEqual(floatTensor([3, 2], [4, 5, 0, 1, 4, 5]));
    await expect(file.readRows('table', [4])).rejects.toThrow('"table" has 4 rows and no row 4');
    await expect(file.readRows('tables', [0])).rejects.toMatchObject({ code: 'model/keys' });
  });

  it('of no tensors is one too', async () => {
    const file = await open(encodeSafetensors({}));
    expect([file.tensors.size, file.metadata]).toEqual([0, {}]);
  });

  it('in half precision keeps eleven bits, and integers whole', async () => {
    const rng = new Rng(1, 'safetensors.half');
    const w = floatTensor(
      [50],
      Float32Array.from({ length: 50 }, () => rng.between(-4, 4)),
    );
    const bytes = encodeSafetensors({ w, n: intTensor([1], [70000]) }, { half: true });
    const file = await open(bytes);
    expect([file.tensors.get('w')!.dtype, file.tensors.get('n')!.dtype]).toEqual(['F16', 'I32']);
    floats(await file.read('w')).forEach((value, i) =>
      expect(Math.abs(value / floats(w)[i] - 1)).toBeLessThanOrEqual(2 ** -11),
    );
    expect((await file.read('n')).data).toEqual(Int32Array.of(70000));
  });

  it('has its data at a multiple of eight', () => {
    for (const name of ['a', 'ab', 'abc', 'abcd', 'äöü'])
      expect(
        Number(new DataView(encodeSafetensors({ [name]: TENSORS.scalar }).buffer).getBigUint64(0, true)) % 8,
      ).toBe(0);
  });

  it.each(['int64', 'bool'] as const)('can hold no %s', (dtype) => {
    const data = dtype === 'int64' ? BigInt64Array.of(1n) : Uint8Array.of(1);
    expect(() => encodeSafetensors({ mask: { dtype, shape: [1], data } })).toThrow(
      failure('internal', `tensor "mask" of type ${dtype} can't be stored as safetensors`),
    );
  });
});

describe('element types', () => {
  const bytesOfHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

  // Little-endian patterns written out by hand.
  it.each<[string, string, number[]]>([
    ['F32', '0000803f000000c0', [1, -2]],
    ['F16', '003c00c0ff7b0100', [1, -2, 65504, 2 ** -24]],
    ['BF16', '803f00c0807f', [1, -2, Infinity]],
    ['F64', '000000000000f03f9a9999999999b93f', [1, Math.fround(0.1)]],
    ['I32', '01000000feffffff', [1, -2]],
    ['I64', '0100000000000000ffffffffffffffff', [1, -1]],
    ['U8', '01ff', [1, 255]],
  ])('%s', async (dtype, hex, values) => {
    const data = bytesOfHex(hex);
    const shape = [values.length];
    // One byte in front: nothing in a file has to be aligned.
    const header = {
      pad: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
      x: { dtype, shape, data_offsets: [1, 1 + data.length] },
    };
    const read = await (await open(fileOf(header, Uint8Array.of(9, ...data)))).read('x');
    expect([read.shape, Array.from(read.data, Number)]).toEqual([shape, values]);
  });

  it('I64 beyond 32 bits is refused with its value', async () => {
    for (const value of [2n ** 31n, -(2n ** 31n) - 1n, 2n ** 62n + 1n]) {
      const header = { n: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } };
      const file = await open(fileOf(header, new Uint8Array(BigInt64Array.of(value).buffer)));
      await expect(file.read('n')).rejects.toThrow(
        failure('model/format', `tensor "n" holds ${value}, beyond 32 bits`),
      );
    }
  });
});

describe('reading by ranges', () => {
  /** Remembers what was asked for. */
  function counting(bytes: Uint8Array): { source: ByteSource; ranges: [number, number][] } {
    const ranges: [number, number][] = [];
    const inner = bytesAsSource(bytes);
    const slice = (start: number, end: number) => {
      ranges.push([start, end]);
      return inner.slice(start, end);
    };
    return { source: { size: inner.size, slice }, ranges };
  }

  it('opening reads the header alone, reading one tensor its bytes alone', async () => {
    const bytes = encodeSafetensors(TENSORS);
    const dataStart = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const { source, ranges } = counting(bytes);
    const file = await Safetensors.open(source);
    expect(ranges).toEqual([
      [0, 8],
      [8, dataStart],
    ]);
    await file.read('flags');
    expect(ranges.slice(2)).toEqual([[dataStart + 24, dataStart + 27]]);
  });

  it('a Blob will do', async () => {
    const file = await Safetensors.open(new Blob([new Uint8Array(encodeSafetensors(TENSORS))]));
    expect(await file.read('index')).toEqual(TENSORS.index);
  });

  it('a name that is not there is an error', async () => {
    const file = await open(encodeSafetensors(TENSORS));
    await expect(file.read('fc.weight')).rejects.toThrow(
      failure('model/keys', 'there is no tensor "fc.weight" in this file'),
    );
    await expect(file.read('toString')).rejects.toMatchObject({ code: 'model/keys' });
  });

  it('tensors may bear the names of what every object has', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const entries = names.map(
      (name, i) => `"${name}":{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`,
    );
    const file = await open(fileOf(`{${entries.join()}}`, Uint8Array.of(5, 6, 7, 8)));
    expect([...file.tensors.keys()].sort()).toEqual([...names].sort());
    for (const [i, name] of names.entries())
      expect((await file.read(name)).data).toEqual(Uint8Array.of(5 + i));
  });
});

describe('hostile headers', () => {
  const four = new Uint8Array(4);
  const entry = (change: Record<string, unknown> = {}) => ({
    dtype: 'F32',
    shape: [1],
    data_offsets: [0, 4],
    ...change,
  });

  it.each<[string, Uint8Array, string]>([
    ['no bytes', new Uint8Array(0), '0 bytes, a header needs 8'],
    ['too few bytes', new Uint8Array(7), '7 bytes, a header needs 8'],
    ['an empty header', fileOf('', four), 'a header of 0 bytes is announced'],
    ['a header too large', fileOf({}, four, 100_000_001n), 'a header of 100000001 bytes is announced'],
    [
      'a length beyond all',
      fileOf({}, four, 2n ** 64n - 1n),
      'a header of 18446744073709552000 bytes is announced',
    ],
    [
      'a zip file',
      Uint8Array.from('PK\x03\x04\x14\x00\x00\x00\x08', (c) => c.charCodeAt(0)),
      'a header of 85966670672 bytes is announced',
    ],
    ['no JSON', fileOf('{"a":', four), 'the header is not JSON'],
    ['no UTF-8', fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), four), 'the header is not JSON'],
    ['a list', fileOf('[1,2]', four), 'the header is not a JSON object'],
    ['null', fileOf('null', four), 'the header is not a JSON object'],
    ['a number', fileOf('1234', four), 'the header is not a JSON object'],
    ['an entry of null', fileOf({ a: null }, four), 'tensor "a" has no shape or no offsets'],
    ['a number for an entry', fileOf({ a: 7 }, four), 'tensor "a" has no shape or no offsets'],
    ['no shape', fileOf({ a: entry({ shape: undefined }) }, four), 'tensor "a" has no shape or no offsets'],
    ['a negative side', fileOf({ a: entry({ shape: [-1] }) }, four), 'tensor "a" has no shape or no offsets'],
    ['a broken side', fileOf({ a: entry({ shape: [0.5] }) }, four), 'tensor "a" has no shape or no offsets'],
    ['a side as text', fileOf({ a: entry({ shape: ['1'] }) }, four), 'tensor "a" has no shape or no offsets'],
    [
      'no offsets',
      fileOf({ a: entry({ data_offsets: null }) }, four),
      'tensor "a" has no shape or no offsets',
    ],
    [
      'three offsets',
      fileOf({ a: entry({ data_offsets: [0, 2, 4] }) }, four),
      'tensor "a" has no shape or no offsets',
    ],
    [
      'a negative offset',
      fileOf({ a: entry({ data_offsets: [-4, 0] }) }, four),
      'tensor "a" has offsets -4 to 0',
    ],
    [
      'offsets reversed',
      fileOf({ a: entry({ data_offsets: [4, 0] }) }, four),
      'tensor "a" has offsets 4 to 0',
    ],
    [
      'a broken offset',
      fileOf({ a: entry({ data_offsets: [0.5, 4.5] }) }, four),
      'tensor "a" has offsets 0.5 to 4.5',
    ],
    [
      'too few bytes for the shape',
      fileOf({ a: entry({ shape: [2] }) }, four),
      'tensor "a" of shape [2] needs 8 bytes, its range has 4',
    ],
    [
      'a shape beyond all',
      fileOf({ a: entry({ shape: [2 ** 40, 2 ** 40] }) }, four),
      `tensor "a" of shape [1099511627776,1099511627776] needs ${2 ** 82} bytes, its range has 4`,
    ],
    [
      'an unknown type',
      fileOf({ a: entry({ dtype: 'F8_E4M3' }) }, four),
      'tensor "a" has element type F8_E4M3, which is not supported',
    ],
    [
      'a type named like something that every object has',
      fileOf({ a: entry({ dtype: 'toString' }) }, four),
      'tensor "a" has element type toString, which is not supported',
    ],
    [
      'no type',
      fileOf({ a: entry({ dtype: undefined }) }, four),
      'tensor "a" has element type undefined, which is not supported',
    ],
    [
      'two tensors that overlap',
      fileOf({ a: entry({ data_offsets: [2, 6] }), b: entry() }, new Uint8Array(8)),
      'tensors "b" and "a" overlap',
    ],
    [
      'one tensor inside another',
      fileOf(
        { a: entry({ shape: [3], data_offsets: [0, 12] }), b: entry({ data_offsets: [4, 8] }) },
        new Uint8Array(12),
      ),
      'tensors "a" and "b" overlap',
    ],
    ['one range used twice', fileOf({ a: entry(), b: entry() }, four), 'tensors "a" and "b" overlap'],
  ])('%s', async (_, bytes, fact) => {
    await expect(open(bytes)).rejects.toMatchObject({
      code: 'model/format',
      message: `not a safetensors file: ${fact}`,
      hint: 'Choose the .safetensors file that timm, torchvision, open_clip or Hugging Face publish.',
    });
  });

  it.each<[string, Uint8Array, string]>([
    ['in its header', fileOf({}, four, 1000n), 'the header alone needs 1008 bytes, the file has 14'],
    [
      'in a tensor',
      fileOf({ a: entry({ shape: [2], data_offsets: [0, 8] }) }, four),
      'tensor "a" ends at byte 70, the file at 66',
    ],
  ])('a file that ends %s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toMatchObject({
      code: 'model/truncated',
      message,
      hint: 'The file is cut off; copy or download it again.',
    });
  });

  it('cut off anywhere, a file is refused as what it is', async () => {
    const bytes = encodeSafetensors(TENSORS);
    const codes = new Set<string>();
    for (let length = 0; length < bytes.length; length++) {
      const error: unknown = await open(bytes.subarray(0, length)).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(AppError);
      codes.add((error as AppError).code);
      expect((error as AppError).code).toBe(length < 8 ? 'model/format' : 'model/truncated');
    }
    expect(codes.size).toBe(2);
  });

  it('with any byte changed, opening gives tensors that fit the file or an error of the app', async () => {
    const sound = encodeSafetensors(TENSORS);
    const rng = new Rng(1, 'safetensors.fuzz');
    const headerEnd = 8 + Number(new DataView(sound.buffer).getBigUint64(0, true));
    for (let round = 0; round < 1500; round++) {
      const bytes = sound.slice();
      for (let i = 1 + rng.integer(3); i > 0; i--) bytes[rng.integer(headerEnd)] = rng.integer(256);
      const opened = await open(bytes).catch((error: unknown) => error);
      if (opened instanceof Safetensors)
        for (const { shape, start, end } of opened.tensors.values())
          expect([start >= 8, end <= bytes.length, sizeOf(shape) <= end - start]).toEqual([true, true, true]);
      else expect(opened).toBeInstanceOf(AppError);
    }
  });
});
