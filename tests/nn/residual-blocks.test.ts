import { expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floats } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { add, relu, slice } from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { DeclaringLayers, FrozenLayers } from '../../src/nn/layers';
import { residualBlock } from '../../src/nn/residual-blocks';
import { float } from '../graph/samples';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';
import { startWeights } from '../support/start-weights';

const WIDTH = 6;
const STYLE = { bottleneck: false, widen: 1, inside: true } as const;

it.each([
  [15, 15, [7, 7], [1, 1]],
  [14, 14, [7, 7], [0, 0]],
  [9, 6, [4, 3], [1, 0]],
  [1, 3, [1, 1], [0, 1]],
])(
  'a block inside maps of %d by %d: centres of whole windows, none beyond the border',
  async (h, w, out, first) => {
    const draft = new GraphBuilder();
    const declared = new DeclaringLayers(draft);
    residualBlock(declared, draft.placeholder('float32', [2, 4, h, w]), 'b', STYLE, WIDTH, 2);
    const weights = new FrozenWeights(startWeights(declared.shapes));
    const runtime = openNodeRuntime();
    const { block, expected } = await evaluate(
      runtime,
      { x: float(new Rng(0, 'x'), [2, 4, h, w]) },
      ({ x }, graph) => {
        const layers = new FrozenLayers(graph, weights, 1e-5);
        // All positions, of which the strided ones are picked.
        const picked = (value: Value) =>
          [2, 3].reduce((part, axis, i) => slice(part, axis, first[i], first[i] + 2 * out[i] - 1, 2), value);
        const at = (value: Value, part: string, norm: string, kernel: number) =>
          layers.convNorm(value, `b.${part}`, `b.${norm}`, { channels: WIDTH, kernel });
        const main = at(relu(picked(at(x, 'conv1', 'bn1', 3))), 'conv2', 'bn2', 3);
        const shortcut = picked(at(x, 'downsample.0', 'downsample.1', 1));
        return { block: residualBlock(layers, x, 'b', STYLE, WIDTH, 2), expected: relu(add(main, shortcut)) };
      },
    );
    expect(block.shape).toEqual([2, WIDTH, ...out]);
    expect(relativeError(floats(block), floats(expected))).toBeLessThan(1e-5);
    await runtime.close();
  },
);
