import { GraphBuilder } from '../graph/builder';
import type { Graph } from '../graph/builder';
import type { Classifier } from '../methods/classifier';
import type { MethodState } from '../methods/contract';
import type { Options } from '../methods/options';
import { emitTaps } from '../nn/backbones/backbone';
import { FrozenLayers } from '../nn/layers';
import type { ClassFitSpec } from '../protocol/classes-api';
import type { LoadedBackbone } from './backbones';
import { probabilitiesOf } from './class-scorer';
import { tappedRoles } from './features';
import { stateValues } from './scorer';

/**
 * A classifier with the network below it as one graph: `image` [1,1,S,S], grey, 0 … 1, to `probabilities` [1,C]. The
 * student stands for those that have one.
 * @returns the graph, and what its user must know: class names, size, resampling
 */
export function classGraph(
  classifier: Classifier,
  { backbone, weights }: LoadedBackbone,
  state: MethodState,
  options: Options,
  { side, white, classes, method }: ClassFitSpec,
): { graph: Graph; metadata: Readonly<Record<string, string>> } {
  const graph = new GraphBuilder();
  const image = graph.input('image', [1, 1, side, side]);
  const layers = new FrozenLayers(graph, weights, backbone.batchNormEpsilon);
  const taps = emitTaps(backbone, layers, image, tappedRoles(classifier, options));
  const values = stateValues(graph, state);
  const { logits, student } = classifier.classify(graph, { taps, image, backbone }, values, options);
  graph.output('probabilities', probabilitiesOf(student ?? logits, values));
  return {
    graph: graph.build(),
    metadata: {
      classes: JSON.stringify(classes),
      method,
      form: student ? 'student' : 'whole',
      backbone: backbone.architecture,
      preprocessing: JSON.stringify({
        channels: 'grey',
        side,
        resize: 'squashed to a square',
        kernel: backbone.kernel,
        antialias: true,
        white,
        range: [0, 1],
      }),
    },
  };
}
