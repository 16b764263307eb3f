import { expect, it } from 'vitest';
import { floats, sizeOf } from '../../src/base/tensor';
import { describeGolden, digestPositions, goldenJson } from './golden';
import { bell, signed, uniforms, unit, weight } from './procedural';

interface Golden {
  uniform: Record<string, { first8: number[]; value999: number }>;
  weight: { key: string; shape: number[]; first8: number[]; last: number }[];
  signed: Record<string, number[]>;
  unit: Record<string, number[]>;
  bell: Record<string, number[]>;
  positions: Record<string, number[]>;
}

describeGolden(['procedural.json'], 'procedural numbers', () => {
  const golden = goldenJson<Golden>('procedural.json');

  it.each(Object.entries(golden.uniform))('uniform of "%s", bit for bit', (key, { first8, value999 }) => {
    const u = uniforms(key, 1000);
    expect([...u.slice(0, 8), u[999]]).toEqual([...first8, value999]);
  });

  it.each(golden.weight)('weight $key', ({ key, shape, first8, last }) => {
    const data = floats(weight(key, shape));
    expect([...data.slice(0, 8), data[sizeOf(shape) - 1]]).toEqual([...first8, last]);
  });

  it('signed, unit, bell and digest positions', () => {
    for (const [kind, make] of Object.entries({ signed, unit, bell }))
      for (const [key, expected] of Object.entries(golden[kind as 'signed' | 'unit' | 'bell']))
        expect([...floats(make(key, [expected.length]))]).toEqual(expected);
    for (const [name, expected] of Object.entries(golden.positions)) {
      const [n, k] = /n=(\d+),k=(\d+)/.exec(name)!.slice(1).map(Number);
      expect(digestPositions(n, k)).toEqual(expected);
    }
  });
});
