import { expect, it } from 'vitest';
import { floats } from '../../src/base/tensor';
import {
  applySeparable,
  bicubicMatrix,
  gaussianBlur,
  resizeBilinear,
  resizeNearest,
} from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { describeGolden, goldenTensors, relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';

/** The function that a tensor's name stands for. */
function ruleOf(name: string): { source: string; apply: (x: Value) => Value } | undefined {
  const enlarged = /^enlarge\.(?:bilinear\.(half|corners)|(nearest))\.(\d+)x(\d+)$/.exec(name);
  if (enlarged) {
    const [, convention, nearest] = enlarged;
    const [height, width] = enlarged.slice(3).map(Number);
    const corners = convention === 'corners' ? 'corners' : 'halfPixel';
    return {
      source: 'enlarge.source',
      apply: (x) => (nearest ? resizeNearest(x, height, width) : resizeBilinear(x, height, width, corners)),
    };
  }
  const blurred = /^blur\.edge_repeated\.(\w+)\.sigma(\d+)$/.exec(name);
  if (blurred)
    return { source: `blur.source.${blurred[1]}`, apply: (x) => gaussianBlur(x, Number(blurred[2])) };
  const positions = /^posembed\.bicubic_antialias\.(\d+)$/.exec(name);
  if (positions) {
    const side = Number(positions[1]);
    return {
      source: 'posembed.source',
      apply: (x) => {
        const [rows, columns] = x.shape.slice(-2);
        return applySeparable(x, bicubicMatrix(rows, side), bicubicMatrix(columns, side));
      },
    };
  }
  return undefined;
}

const FAMILIES = [
  'blur.edge_repeated',
  'enlarge.bilinear.half',
  'enlarge.bilinear.corners',
  'enlarge.nearest',
  'posembed.bicubic_antialias',
];

describeGolden(['image.safetensors'], 'separable resampling against PyTorch and SciPy', () => {
  const runtime = openNodeRuntime();

  it.each(FAMILIES)('%s', async (family) => {
    const golden = await goldenTensors('image.safetensors');
    const names = Object.keys(golden).filter((name) => name.startsWith(`${family}.`));
    expect(names).not.toEqual([]);
    for (const name of names) {
      const { source, apply } = ruleOf(name)!;
      const { y } = await evaluate(runtime, { x: golden[source] }, ({ x }) => ({ y: apply(x) }));
      expect(y.shape, name).toEqual(golden[name].shape);
      expect(relativeError(floats(y), floats(golden[name])), name).toBeLessThan(1e-5);
    }
  });
});
