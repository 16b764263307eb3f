/** A backbone's layers above a level, on what the layers below gave. */
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import { LEVEL_ROLES, emitTaps, expectedTensors, layerOf, tapShapes } from '../../src/nn/backbones/backbone';
import type { Backbone } from '../../src/nn/backbones/backbone';
import { EFFICIENTNETS, efficientNetLite0 } from '../../src/nn/backbones/efficientnet';
import { RESNETS } from '../../src/nn/backbones/resnet';
import { upperPart } from '../../src/nn/backbones/upper-part';
import { FrozenWeights } from '../../src/nn/frozen-weights';
import { FrozenLayers } from '../../src/nn/layers';
import { DeclaringNet } from '../../src/nn/net';
import { relativeError } from '../support/golden';
import { openNodeRuntime } from '../support/node-runtime';
import { unit, weight } from '../support/procedural';
import { TINY_VIT } from '../support/small-backbone';

const runtime = openNodeRuntime();

const weightsOf = (backbone: Backbone): FrozenWeights =>
  new FrozenWeights(
    new Map(
      [...expectedTensors(backbone, [layerOf(backbone, 'level4')])].map(([name, shape]) => [
        name,
        weight(name, shape),
      ]),
    ),
  );

const level3Of = (graph: GraphBuilder, backbone: Backbone, side: number) =>
  graph.placeholder('float32', [2, ...tapShapes(backbone, side, ['level3']).level3!]);

describe.each([
  [efficientNetLite0, 64],
  // Its strided layers pad otherwise there.
  [efficientNetLite0, 96],
  [EFFICIENTNETS[0], 64],
  [RESNETS[0], 64],
  [RESNETS[2], 64],
])('$title, side %d', (backbone, side) => {
  it('gives what the whole network gives', async () => {
    const graph = new GraphBuilder();
    const layers = new FrozenLayers(graph, weightsOf(backbone), backbone.batchNormEpsilon);
    const image = graph.input('image', [2, 1, side, side]);
    const { level3, level4 } = emitTaps(backbone, layers, image, LEVEL_ROLES);
    graph.output('whole', level4!);
    graph.output('parts', upperPart(backbone, layers, level3!, side, 'level3', 'level4')!);
    const program = await runtime.compile(graph.build());
    const { values } = await program.run({ image: unit('image', [2, 1, side, side]) });
    expect(relativeError(floats(values.parts), floats(values.whole))).toBeLessThan(1e-6);
  });

  it('asks for the tensors above the level alone', () => {
    const graph = new GraphBuilder();
    const net = new DeclaringNet(graph);
    upperPart(backbone, net, level3Of(graph, backbone, side), side, 'level3', 'level4');
    const asked = [...net.parameters.slots, ...net.statistics.slots].map(({ name }) => name);
    const namesTo = (role: 'level3' | 'level4') => [
      ...expectedTensors(backbone, [layerOf(backbone, role)]).keys(),
    ];
    const below = new Set(namesTo('level3'));
    expect(asked.sort()).toEqual(
      namesTo('level4')
        .filter((name) => !below.has(name))
        .sort(),
    );
  });
});

it('there is none of a transformer: its maps leave the class token out', () => {
  const graph = new GraphBuilder();
  const level3 = level3Of(graph, TINY_VIT, 32);
  expect(upperPart(TINY_VIT, new DeclaringNet(graph), level3, 32, 'level3', 'level4')).toBeUndefined();
});
