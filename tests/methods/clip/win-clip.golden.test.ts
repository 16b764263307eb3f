import { expect, it } from 'vitest';
import { floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { l2Normalise, reshape } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import { classScores, harmonicMap, winClipMap } from '../../../src/methods/clip/win-clip';
import { WINDOW_SIDES, windowPatches } from '../../../src/nn/clip/windows';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

type Scores = Readonly<Record<'image_zero_shot' | 'image_few_shot', number[]>>;

interface Golden {
  winclip: Readonly<Record<'tau0.07' | 'tau0.01', Scores>> & { masks_grid3_window2: number[][] };
}

const GRID = [4, 5] as const;
const TOLERANCE = 1e-4;
/** What the guard of the harmonic mean may add where all scores are nothing: the reference has none. */
const GUARD = 3e-12;

describeGolden(['fewshot.json', 'winclip.safetensors'], 'WinCLIP', () => {
  const golden = goldenJson<Golden>('fewshot.json').winclip;
  const runtime = openNodeRuntime();

  const unit = (values: Readonly<Record<string, Value>>, name: string): Value => {
    const rows = l2Normalise(values[`in.${name}`]);
    return reshape(rows, [-1, rows.shape[rows.rank - 1]]);
  };

  const found = (inputs: Readonly<Record<string, TensorData>>, temperature: number, references: boolean) =>
    evaluate(runtime, inputs, (values) => {
      const two = l2Normalise(values['in.text']);
      const windows = WINDOW_SIDES.map((side) => ({ side, tokens: values[`in.window${side}`] }));
      const state: Record<string, Value> = { two };
      if (references) {
        state.finalPatches = unit(values, 'reference_patch');
        for (const side of WINDOW_SIDES) state[`windows${side}`] = unit(values, `reference${side}`);
      }
      const whole = reshape(values['in.image'], [2, 1, 8]);
      const { byText, byImages, map, score } = winClipMap(
        { whole, patches: values['in.patch'], windows },
        state,
        GRID,
        temperature,
      );
      const window = (side: (typeof WINDOW_SIDES)[number]) =>
        harmonicMap(classScores(values[`in.window${side}`], two, temperature), GRID, side);
      return {
        window_map2: window(2),
        window_map3: window(3),
        map_zero_shot: byText,
        image: score,
        ...(byImages && { map_few_shot: byImages, map }),
      };
    });

  const inputs = async () => {
    const tensors = await goldenTensors('winclip.safetensors');
    const own = Object.entries(tensors).filter(([name]) => name.startsWith('in.'));
    return { tensors, own: Object.fromEntries(own) };
  };

  it.each([
    ['tau0.07', 0.07],
    ['tau0.01', 0.01],
  ] as const)('%s: maps and scores by words and by good images', async (name, temperature) => {
    const { tensors, own } = await inputs();
    const few = await found(own, temperature, true);
    for (const part of ['window_map2', 'window_map3', 'map_few_shot', 'map'])
      expect(relativeError(floats(few[part]), floats(tensors[`${name}.${part}`])), part).toBeLessThan(
        TOLERANCE,
      );
    expect(relativeError(floats(few.image), golden[name].image_few_shot)).toBeLessThan(TOLERANCE);

    const zero = await found(own, temperature, false);
    expect(relativeError(floats(zero.image), golden[name].image_zero_shot)).toBeLessThan(TOLERANCE);
    expect(floats(zero.map_zero_shot)).toEqual(floats(few.map_zero_shot));
    const expected = floats(tensors[`${name}.map_zero_shot`]);
    const largest = Math.max(...expected);
    floats(zero.map_zero_shot).forEach((value, i) =>
      expect(Math.abs(value - expected[i])).toBeLessThan(TOLERANCE * largest + GUARD),
    );
  });

  it('every tensor of the file is looked at', async () => {
    const { tensors, own } = await inputs();
    const parts = ['window_map2', 'window_map3', 'map_zero_shot', 'map_few_shot', 'map'];
    const looked = ['tau0.07', 'tau0.01'].flatMap((name) => parts.map((part) => `${name}.${part}`));
    expect(Object.keys(tensors).sort()).toEqual([...Object.keys(own), ...looked].sort());
  });

  it('windows of a grid of 3×3', () => {
    expect(windowPatches([3, 3], 2)).toEqual(golden.masks_grid3_window2);
  });
});
