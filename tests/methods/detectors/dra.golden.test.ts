import { expect, it } from 'vitest';
import { floatTensor, floats } from '../../../src/base/tensor';
import type { TensorData } from '../../../src/base/tensor';
import { gradients } from '../../../src/graph/autodiff';
import { GraphBuilder } from '../../../src/graph/builder';
import { add, reduceMean, reshape } from '../../../src/graph/ops/index';
import type { Value } from '../../../src/graph/value';
import {
  anomalyScore,
  deviationLoss,
  headLosses,
  meanScores,
  positionMap,
  scaleScores,
} from '../../../src/methods/kit/deviation-heads';
import { DeclaringNet, FlatNet } from '../../../src/nn/net';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../../support/golden';
import { evaluate, openNodeRuntime } from '../../support/node-runtime';

/** Of the holistic head in the file. */
const WIDTH = 6;

const HEADS = ['holistic', 'seen', 'pseudo', 'composite'] as const;

interface Golden {
  scores: Record<(typeof HEADS)[number], number[]>;
  losses: Record<(typeof HEADS)[number], number>;
  total: number;
  anomaly_score: number[];
  deviation_loss: number;
}

/** One column for each of the labels 0, 1, 2. */
const columnsOf = (labels: ArrayLike<number>): TensorData =>
  floatTensor(
    [labels.length, 3],
    Array.from(labels).flatMap((label) => [0, 1, 2].map((kind) => Number(kind === label))),
  );

describeGolden(['fewshot.json', 'dra.safetensors'], 'DRA', () => {
  const golden = goldenJson<{ dra: Golden }>('fewshot.json').dra;
  const runtime = openNodeRuntime();

  it('four heads on two scales: scores, losses, all gradients, maps', async () => {
    const tensors = await goldenTensors('dra.safetensors');
    const graph = new GraphBuilder();
    const scales = [1, 2].map((scale) => ({
      x: graph.input(`in.scale${scale}`, tensors[`in.scale${scale}`].shape),
      references: graph.input(`in.reference${scale}`, tensors[`in.reference${scale}`].shape),
    }));
    const layout = new DeclaringNet(graph);
    const emit = (net: DeclaringNet | FlatNet) =>
      scales.map(({ x, references }) => scaleScores(net, x, reduceMean(references, [0], true), WIDTH));
    emit(layout);
    const { parameters, statistics } = layout;
    const vectors = {
      parameters: floatTensor(
        [parameters.size],
        parameters.pack(
          Object.fromEntries(parameters.slots.map(({ name }) => [name, tensors[`param.${name}`]])),
        ),
      ),
      // Batch norms see the batch: what their running statistics are before is of no account.
      statistics: floatTensor([statistics.size], new Float32Array(statistics.size)),
    };
    const inputs = {
      parameters: graph.input('parameters', [parameters.size]),
      statistics: graph.input('statistics', [statistics.size]),
    };
    const net = new FlatNet(graph, layout, inputs, {}, 'train');
    const emitted = emit(net);
    const scores = meanScores(emitted);
    const labels = columnsOf(floatsOf(tensors['in.label']));
    const losses = headLosses(scores, graph.input('kinds', labels.shape));
    const total = HEADS.map((head) => losses[head]).reduce((sum, loss) => add(sum, loss));
    for (const head of HEADS) {
      graph.output(`score.${head}`, scores[head]);
      graph.output(`loss.${head}`, losses[head]);
    }
    graph.output('total', total);
    graph.output('anomaly', anomalyScore(scores));
    const found = gradients(total, net.parameters);
    parameters.slots.forEach(({ name }, i) => graph.output(`grad.${name}`, found[i]));
    const positions = emitted.map((scale) => scale.positions);
    const flat = (map: Value) => reshape(map, [9, 24, 24]);
    graph.output('map24', flat(positionMap(positions, 24, 0)));
    graph.output('map24.blur4', flat(positionMap(positions, 24, 4)));
    const { values } = await (
      await runtime.compile(graph.build())
    ).run({
      ...vectors,
      kinds: labels,
      ...Object.fromEntries(
        [1, 2].flatMap((scale) =>
          ['scale', 'reference'].map((part) => [`in.${part}${scale}`, tensors[`in.${part}${scale}`]]),
        ),
      ),
    });
    for (const head of HEADS) {
      expect(relativeError(floats(values[`score.${head}`]), golden.scores[head])).toBeLessThan(1e-4);
      expect(floats(values[`loss.${head}`])[0] / golden.losses[head]).toBeCloseTo(1, 5);
    }
    expect(floats(values.total)[0] / golden.total).toBeCloseTo(1, 5);
    expect(relativeError(floats(values.anomaly), golden.anomaly_score)).toBeLessThan(1e-4);
    for (const name of ['map24', 'map24.blur4'])
      expect([name, relativeError(floats(values[name]), floats(tensors[name])) < 1e-4]).toEqual([name, true]);
    const published = Object.keys(tensors).filter((name) => name.startsWith('grad.'));
    expect(published.length).toBe(parameters.slots.length);
    for (const name of published)
      expect([name, relativeError(floats(values[name]), floats(tensors[name])) < 1e-3]).toEqual([name, true]);
  });

  it('the deviation loss alone, and its gradient', async () => {
    const tensors = await goldenTensors('dra.safetensors');
    const labels = floatsOf(tensors['deviation.labels']);
    const feeds = {
      scores: tensors['deviation.scores'],
      target: floatTensor([labels.length], labels),
      all: floatTensor([labels.length], new Float32Array(labels.length).fill(1)),
    };
    const found = await evaluate(runtime, feeds, ({ scores, target, all }) => {
      const loss = deviationLoss(scores, target, all);
      return { loss, gradient: gradients(loss, [scores])[0] };
    });
    expect(floats(found.loss)[0] / golden.deviation_loss).toBeCloseTo(1, 5);
    expect(relativeError(floats(found.gradient), floats(tensors['deviation.grad']))).toBeLessThan(1e-3);
  });
});

function floatsOf({ data }: TensorData): Float32Array {
  return Float32Array.from(data as ArrayLike<number>);
}
