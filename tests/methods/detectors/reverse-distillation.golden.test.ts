import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { GraphBuilder } from '../../../src/graph/builder';
import { mul, reduceMax } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import {
  decode,
  distillationLoss,
  distillationMap,
  squeeze,
} from '../../../src/methods/detectors/reverse-distillation';
import { directionDistance } from '../../../src/methods/kit/direction';
import type { Backbone } from '../../../src/nn/backbones/backbone';
import { RESNETS } from '../../../src/nn/backbones/resnet';
import { DeclaringNet, FlatNet } from '../../../src/nn/net';
import { describeGolden, digestError, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import type { Digest } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';
import { unit, weight } from '../../support/procedural';

interface Side {
  bottleneck: Digest;
  decoder: Digest[];
  loss_code_form: number;
  loss_per_position: number;
  loss_code_form_per_level: number[];
  scores_add: number[];
}

interface Golden {
  reverse_distillation: {
    parameters: Record<string, number>;
    keys: [string, number[]][];
    eval: Side;
    train: Side;
    grad_code: Record<string, Digest>;
    grad_position: Record<string, Digest>;
  };
}

const SHAPES = [
  [64, 16, 16],
  [128, 8, 8],
  [256, 4, 4],
];
const named = (name: string): Backbone => RESNETS.find(({ architecture }) => architecture === name)!;
const RESNET18 = named('resnet18');

function declare(backbone: Backbone, shapes: readonly (readonly number[])[]): DeclaringNet {
  const net = new DeclaringNet(new GraphBuilder());
  const levels = shapes.map((shape) => net.graph.placeholder('float32', [2, ...shape]));
  decode(net, squeeze(net, levels, backbone), shapes, backbone);
  return net;
}

describeGolden(['detectors.json', 'reverse-distillation.safetensors'], 'reverse distillation', () => {
  const golden = goldenJson<Golden>('detectors.json').reverse_distillation;
  const runtime = openNodeRuntime();
  const layout = declare(RESNET18, SHAPES);

  it.each([
    ['resnet18', RESNET18, SHAPES],
    [
      'wide_resnet50_2',
      named('wide-resnet50-2'),
      [
        [256, 16, 16],
        [512, 8, 8],
        [1024, 4, 4],
      ],
    ],
  ] as const)('parameters of %s', (name, backbone, shapes) => {
    const { slots } = declare(backbone, shapes).parameters;
    const count = (part: string) =>
      slots
        .filter((slot) => slot.name.startsWith(part))
        .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count('bottleneck')).toBe(golden.parameters[`bottleneck.${name}`]);
    expect(count('decoder')).toBe(golden.parameters[`decoder.${name}`]);
  });

  it('keys and shapes', () => {
    const own = new Map(
      [...layout.parameters.slots, ...layout.statistics.slots].map(({ name, shape }) => [name, [...shape]]),
    );
    expect(new Map([...own].sort())).toEqual(new Map([...golden.keys].sort()));
  });

  const feeds: Record<string, TensorData> = {};
  SHAPES.forEach((shape, i) => (feeds[`l${i + 1}`] = unit(`rd.level${i + 1}`, [2, ...shape])));
  for (const [name, part] of [
    ['p', layout.parameters],
    ['s', layout.statistics],
  ] as const) {
    const tensors = Object.fromEntries(
      part.slots.map((slot): [string, TensorData] => [slot.name, weight(slot.name, slot.shape)]),
    );
    const packed = part.pack(tensors);
    feeds[name] = floatTensor([packed.length], packed);
  }

  function run(mode: 'train' | 'evaluate', { l1, l2, l3, p, s }: Record<string, Value>) {
    const net = new FlatNet(p.graph, layout, { parameters: p, statistics: s }, {}, mode);
    const teacher = [l1, l2, l3];
    const bottleneck = squeeze(net, teacher, RESNET18);
    return { net, teacher, bottleneck, decoded: decode(net, bottleneck, SHAPES, RESNET18) };
  }

  it.each(['eval', 'train'] as const)('outputs and losses, %s', async (side) => {
    const found = await evaluate(runtime, feeds, (values) => {
      const { teacher, bottleneck, decoded } = run(side === 'eval' ? 'evaluate' : 'train', values);
      return {
        bottleneck,
        d1: decoded[0],
        d2: decoded[1],
        d3: decoded[2],
        image: distillationLoss(teacher, decoded, 'image'),
        position: distillationLoss(teacher, decoded, 'position'),
        level1: distillationLoss(teacher.slice(0, 1), decoded.slice(0, 1), 'image'),
      };
    });
    const expected = golden[side];
    expect(digestError(floats(found.bottleneck), expected.bottleneck)).toBeLessThan(1e-4);
    expected.decoder.forEach((digest, i) =>
      expect(digestError(floats(found[`d${i + 1}`]), digest)).toBeLessThan(1e-4),
    );
    expect(floats(found.image)[0]).toBeCloseTo(expected.loss_code_form, 4);
    expect(floats(found.position)[0]).toBeCloseTo(expected.loss_per_position, 4);
    expect(floats(found.level1)[0]).toBeCloseTo(expected.loss_code_form_per_level[0], 4);
  });

  it('maps and scores', async () => {
    const tensors = await goldenTensors('reverse-distillation.safetensors');
    const found = await evaluate(runtime, feeds, (values) => {
      const { teacher, decoded } = run('evaluate', values);
      const all = distillationMap(teacher, decoded, 64, 64, 4);
      return {
        m1: directionDistance(teacher[0], decoded[0]),
        m3: directionDistance(teacher[2], decoded[2]),
        all,
        score: reduceMax(all, [1, 2, 3]),
      };
    });
    expect(relativeError(floats(found.m1), floats(tensors['eval.map1']))).toBeLessThan(1e-4);
    expect(relativeError(floats(found.m3), floats(tensors['eval.map3']))).toBeLessThan(1e-4);
    expect(relativeError(floats(found.all), floats(tensors['eval.map_add_blur4']))).toBeLessThan(1e-4);
    golden.eval.scores_add.forEach((score, i) => expect(floats(found.score)[i]).toBeCloseTo(score, 3));
  });

  it.each([
    ['image', 'grad_code'],
    ['position', 'grad_position'],
  ] as const)('gradients of every parameter, cosine of an %s', async (form, name) => {
    const found = await evaluate(runtime, feeds, (values) => {
      const { net, teacher, decoded } = run('train', values);
      const all = gradients(distillationLoss(teacher, decoded, form), net.parameters);
      return Object.fromEntries(
        layout.parameters.slots.map((slot, i) => [`d.${slot.name}`, mul(all[i], 1)] as const),
      );
    });
    for (const [key, digest] of Object.entries(golden[name])) {
      const error = digestError(floats(found[`d.${key}`]), digest);
      expect(error, key).toBeLessThan(1e-3);
    }
  });

  it('running statistics after one pass', async () => {
    const tensors = await goldenTensors('reverse-distillation.safetensors');
    const { moved } = await evaluate(runtime, feeds, (values) => ({
      moved: run('train', values).net.nextStatistics!,
    }));
    const statistics = layout.statistics.tensors(floats(moved));
    for (const part of ['running_mean', 'running_var'])
      expect(
        relativeError(
          floats(statistics[`bottleneck.bn1.${part}`]),
          floats(tensors[`train.bottleneck.bn1.${part}`]),
        ),
      ).toBeLessThan(1e-4);
  });
});
