import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng';
import { floatTensor, floats, zeros } from '../../src/base/tensor';
import type { Shape, TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { batchNormInference, conv } from '../../src/graph/ops/index';
import {
  IMAGENET,
  TapCollector,
  emitTaps,
  expectedTensors,
  normaliseGrey,
  tapShapes,
} from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import { efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import { RESNETS } from '../../src/nn/backbones/resnet';
import { clipBackbone } from '../../src/nn/clip/clip-backbone';
import { semEncoderConfig } from '../../src/nn/clip/sem-encoder';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { DeclaringLayers, FrozenLayers, convGeometry, convPads } from '../../src/nn/layers';
import type { ConvNormOptions } from '../../src/nn/layers';
import { float } from '../graph/samples';
import { relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';
import { TINY_VIT } from '../support/small-backbone';
import { startWeights } from '../support/start-weights';

const runtime = openNodeRuntime();

/** A convolution's weight and the four tensors of its batch norm. */
function convNormTensors(rng: Rng, weight: Shape): Record<string, TensorData> {
  const channels = [weight[0]];
  return {
    'c.weight': float(rng, weight),
    'n.weight': float(rng, channels, 0.5, 2),
    'n.bias': float(rng, channels),
    'n.running_mean': float(rng, channels),
    'n.running_var': float(rng, channels, 0.01, 3),
  };
}

describe('folded batch norm', () => {
  it.each<[string, ConvNormOptions]>([
    ['3×3', { channels: 5, kernel: 3 }],
    ['1×1 with stride', { channels: 5, kernel: 1, stride: 2 }],
    [
      'depthwise 5×5 with stride and SAME padding',
      { channels: 6, kernel: 5, stride: 2, group: 6, same: true },
    ],
    ['7×7 stem', { channels: 4, kernel: 7, stride: 2 }],
  ])('%s: convolution then norm', async (_, options) => {
    const rng = new Rng(1, 'layers.folded');
    const x = float(rng, [2, 6, 11, 8]);
    const tensors = convNormTensors(rng, [
      options.channels,
      6 / (options.group ?? 1),
      options.kernel,
      options.kernel,
    ]);
    for (const epsilon of [1e-5, 1e-3]) {
      const { folded, plain } = await evaluate(runtime, { x }, (v, graph) => {
        const layers = new FrozenLayers(graph, new FrozenWeights(new Map(Object.entries(tensors))), epsilon);
        const [scale, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
          graph.weight(`plain.${part}`, tensors[`n.${part}`]),
        );
        const raw = conv(
          v.x,
          graph.weight('unfolded', tensors['c.weight']),
          undefined,
          convGeometry(v.x, options).options,
        );
        return {
          folded: layers.convNorm(v.x, 'c', 'n', options),
          plain: batchNormInference(raw, { scale, bias, mean, variance }, epsilon),
        };
      });
      expect(folded.shape).toEqual(plain.shape);
      expect(relativeError(floats(folded), floats(plain))).toBeLessThan(1e-5);
    }
  });

  it('is computed once for all programs', () => {
    const weights = new FrozenWeights(
      new Map(Object.entries(convNormTensors(new Rng(1, 'once'), [2, 3, 1, 1]))),
    );
    expect(weights.folded('c', 'n', [2, 3, 1, 1], 1e-5)).toBe(weights.folded('c', 'n', [2, 3, 1, 1], 1e-5));
  });

  it('gives w·γ/√(v+ε) and β − μ·γ/√(v+ε)', () => {
    const tensors = {
      'c.weight': floatTensor([1, 1, 1, 1], [3]),
      'n.weight': floatTensor([1], [2]),
      'n.bias': floatTensor([1], [7]),
      'n.running_mean': floatTensor([1], [5]),
      'n.running_var': floatTensor([1], [15]),
    };
    const { weight, bias } = new FrozenWeights(new Map(Object.entries(tensors))).folded(
      'c',
      'n',
      [1, 1, 1, 1],
      1,
    );
    expect([...floats(weight), ...floats(bias)]).toEqual([1.5, 4.5]);
  });
});

describe('padding', () => {
  const pads = (height: number, width: number, kernel: number, stride: 1 | 2, same = true) =>
    convPads([height, width], { channels: 1, kernel, stride, same });

  it('SAME: the examples of methods.md 23.2', () => {
    expect(pads(256, 256, 3, 2)).toEqual([0, 0, 1, 1]);
    expect(pads(64, 64, 5, 2)).toEqual([1, 1, 2, 2]);
    expect(pads(56, 57, 5, 1)).toEqual([2, 2, 2, 2]);
    // The stem on a picture of 369 rows and 480 columns.
    expect(pads(369, 480, 3, 2)).toEqual([1, 0, 1, 1]);
  });

  it('SAME: ⌈n/stride⌉ positions, the last window no further than it must, the odd pixel behind', () => {
    for (const kernel of [1, 3, 5, 7])
      for (const stride of [1, 2] as const)
        for (let n = 1; n <= 40; n++) {
          const [top, left, bottom, right] = pads(n, n, kernel, stride);
          expect([top, bottom]).toEqual([left, right]);
          const out = Math.floor((n + top + bottom - kernel) / stride) + 1;
          expect(out).toBe(Math.ceil(n / stride));
          expect([0, 1]).toContain(bottom - top);
          if (top + bottom) expect((out - 1) * stride + kernel).toBe(n + top + bottom);
        }
  });

  it('symmetric otherwise', () => {
    expect([pads(64, 64, 7, 2, false), pads(64, 64, 1, 1, false)]).toEqual([
      [3, 3, 3, 3],
      [0, 0, 0, 0],
    ]);
  });

  it('inside: none on odd sides that a window of stride 2 fits in', () => {
    const inside = (height: number, width: number, stride: 1 | 2, kernel = 3) =>
      convPads([height, width], { channels: 1, kernel, stride, inside: true });
    expect(inside(15, 15, 2)).toEqual([0, 0, 0, 0]);
    expect(inside(15, 14, 2)).toEqual([0, 1, 0, 1]);
    expect(inside(1, 3, 2)).toEqual([1, 0, 1, 0]);
    expect(inside(15, 15, 1)).toEqual([1, 1, 1, 1]);
  });

  /** Where an impulse at (row, column) comes out of a 3×3 convolution with stride 2 that takes the middle tap. */
  async function impulse(row: number, column: number, same: boolean): Promise<number[][]> {
    const side = 12;
    const x = zeros([1, 1, side, side]);
    floats(x)[row * side + column] = 1;
    const kernel = zeros([1, 1, 3, 3]);
    floats(kernel)[4] = 1;
    const tensors = {
      ...convNormTensors(new Rng(1, 'impulse'), [1, 1, 3, 3]),
      'c.weight': kernel,
      'n.weight': floatTensor([1], [1]),
      'n.bias': floatTensor([1], [0]),
      'n.running_mean': floatTensor([1], [0]),
      'n.running_var': floatTensor([1], [1]),
    };
    const { y } = await evaluate(runtime, { x }, (v, graph) => ({
      y: new FrozenLayers(graph, new FrozenWeights(new Map(Object.entries(tensors))), 0).convNorm(
        v.x,
        'c',
        'n',
        {
          channels: 1,
          kernel: 3,
          stride: 2,
          same,
        },
      ),
    }));
    return [...floats(y)].flatMap((value, i) => (value ? [[Math.floor(i / 6), i % 6]] : []));
  }

  it('an impulse: SAME windows of an even side are centred on odd pixels, symmetric ones on even', async () => {
    expect(await impulse(5, 7, true)).toEqual([[2, 3]]);
    expect(await impulse(4, 6, true)).toEqual([]);
    expect(await impulse(4, 6, false)).toEqual([[2, 3]]);
    expect(await impulse(5, 7, false)).toEqual([]);
  });
});

describe('frozen weights', () => {
  const weights = new FrozenWeights(new Map([['fc.weight', zeros([3, 4])]]));
  const keys = (message: string) => expect.objectContaining({ code: 'model/keys', message }) as Error;

  it('tell what is missing or misshapen', () => {
    expect(() => weights.get('fc.bias', [3])).toThrow(keys('the weights lack "fc.bias"'));
    expect(() => weights.get('fc.weight', [4, 3])).toThrow(keys('"fc.weight" is [3,4], expected [4,3]'));
  });

  it('derive a tensor once for each name', () => {
    let made = 0;
    const derive = (name: string) => weights.derived(name, () => (made++, zeros([1])));
    expect(derive('a')).toBe(derive('a'));
    expect(derive('b')).not.toBe(derive('a'));
    expect(made).toBe(2);
  });

  it('of two networks fit into one graph under prefixes', () => {
    const graph = new GraphBuilder();
    const [one, two] = [1, 2].map(() => new FrozenWeights(new Map([['w', zeros([2])]])));
    new FrozenLayers(graph, one, 0, 'teacher.').parameter('w', [2]);
    new FrozenLayers(graph, two, 0, 'student.').parameter('w', [2]);
    expect(() => new FrozenLayers(graph, two, 0, 'teacher.').parameter('w', [2])).toThrow(
      'the name "teacher.w" is taken by another input, weight or output',
    );
  });
});

describe('declared layers', () => {
  it('are the tensors of a convolution and its norm, without any weight', () => {
    const graph = new GraphBuilder();
    const layers = new DeclaringLayers(graph);
    const x = graph.placeholder('float32', [1, 6, 8, 8]);
    const y = layers.convNorm(x, 'conv_dw', 'bn1', {
      channels: 6,
      kernel: 3,
      stride: 2,
      group: 6,
      same: true,
    });
    expect(y.shape).toEqual([1, 6, 4, 4]);
    expect(Object.fromEntries(layers.shapes)).toEqual({
      'conv_dw.weight': [6, 1, 3, 3],
      'bn1.weight': [6],
      'bn1.bias': [6],
      'bn1.running_mean': [6],
      'bn1.running_var': [6],
    });
  });
});

describe('taps', () => {
  it('of EfficientNet-Lite0 and ResNet-18: reductions 4, 8, 16, 32', () => {
    expect(tapShapes(efficientNetLite0, 224)).toEqual({
      level1: [24, 56, 56],
      level2: [40, 28, 28],
      level3: [112, 14, 14],
      level4: [320, 7, 7],
    });
    expect(tapShapes(RESNETS[0], 256, ['level2', 'level3'])).toEqual({
      level2: [128, 32, 32],
      level3: [256, 16, 16],
    });
  });

  it.each<[string, Backbone, number]>([
    ['EfficientNet-Lite0', efficientNetLite0, 1280],
    ['ResNet-34', RESNETS[1], 512],
    ['ResNet-101', RESNETS[3], 2048],
    ['a transformer', TINY_VIT, 64],
    ['the SEM encoder', clipBackbone(semEncoderConfig(49_408)), 192],
  ])('of %s: one vector for an image', (_, backbone, width) => {
    expect(tapShapes(backbone, backbone.sides.usual, ['pooled'])).toEqual({ pooled: [width] });
  });

  it('pooled ones of a ResNet are the means of its last map', async () => {
    const [resnet] = RESNETS;
    const weights = new FrozenWeights(startWeights(expectedTensors(resnet, ['layer4'])));
    const graph = new GraphBuilder();
    const grey = graph.input('grey', [2, 1, 64, 64]);
    const layers = new FrozenLayers(graph, weights, resnet.batchNormEpsilon);
    const { level4, pooled } = emitTaps(resnet, layers, grey, ['level4', 'pooled']);
    graph.output('level4', level4!);
    graph.output('pooled', pooled!);
    const program = await runtime.compile(graph.build());
    const { values } = await program.run({ grey: float(new Rng(1, 'pooled'), [2, 1, 64, 64], 0, 1) });
    const map = floats(values.level4);
    const means = Array.from({ length: 2 * 512 }, (_, i) =>
      map.subarray(4 * i, 4 * i + 4).reduce((sum, value) => sum + value / 4, 0),
    );
    expect(Math.max(...means)).toBeGreaterThan(0);
    expect(relativeError(floats(values.pooled), means)).toBeLessThan(1e-6);
  });

  it.each([
    [efficientNetLite0, 'EfficientNet-Lite0 has no layer among blocks.7'],
    [RESNETS[0], 'ResNet-18 has no layer among blocks.7'],
  ])('that are none: %#', (backbone, message) => {
    const graph = new GraphBuilder();
    const x = graph.placeholder('float32', [1, 3, 64, 64]);
    expect(() => backbone.forward(new DeclaringLayers(graph), x, ['blocks.7'])).toThrow(
      expect.objectContaining({ code: 'model/keys', message }) as Error,
    );
  });

  it('end the network at the deepest one', () => {
    const graph = new GraphBuilder();
    const layers = new DeclaringLayers(graph);
    RESNETS[0].forward(layers, graph.placeholder('float32', [1, 3, 64, 64]), ['layer1', 'act1']);
    expect([...layers.shapes.keys()].some((name) => name.startsWith('layer2'))).toBe(false);
  });

  it('are kept by name alone', () => {
    const x = new GraphBuilder().input('x', [1]);
    const collector = new TapCollector(['b']);
    collector.offer('a', x);
    expect([collector.found, collector.complete]).toEqual([{}, false]);
    collector.offer('b', x);
    expect([collector.found, collector.complete]).toEqual([{ b: x }, true]);
  });
});

it('mid-grey through ImageNet normalisation (methods.md 1.2)', async () => {
  const { y } = await evaluate(runtime, { grey: floatTensor([1, 1, 1, 1], [0.5]) }, ({ grey }) => ({
    y: normaliseGrey(grey, IMAGENET),
  }));
  expect(y.shape).toEqual([1, 3, 1, 1]);
  [0.0655, 0.1964, 0.4178].forEach((value, i) => expect(floats(y)[i]).toBeCloseTo(value, 4));
});
