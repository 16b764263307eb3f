import { expect, it } from 'vitest';
import { floats } from '../../src/base/tensor';
import { gradients } from '../../src/graph/autodiff';
import { mul, reduceMean, reshape, slice, sub } from '../../src/graph/ops/index';
import { FittedNet } from '../../src/nn/net';
import { regionalAttention } from '../../src/nn/regional-attention';
import { describeGolden, goldenJson, goldenTensors, relativeError } from '../support/golden';
import { evaluate, openNodeRuntime } from '../support/node-runtime';

const LOSS = 'rca_squared_error_mean';

describeGolden(['longtail.json', 'longtail.safetensors'], 'regional channel attention', () => {
  const runtime = openNodeRuntime();

  it('attention, pooling, loss and gradients', async () => {
    const golden = await goldenTensors('longtail.safetensors');
    const feeds = Object.fromEntries(
      Object.entries(golden).filter(([name]) => name.startsWith('rca.') && !/attention|z$|map/.test(name)),
    );
    const parameters = Object.keys(feeds).filter((name) => name.startsWith('rca.param.'));
    const inputs = ['rca.input', ...parameters];
    const [poolWidth] = golden['rca.param.U.weight'].shape;
    const found = await evaluate(runtime, feeds, (values, graph) => {
      const net = new FittedNet(graph, values, 'rca.');
      const { map, attention, regions, pooled } = regionalAttention(
        net,
        values['rca.input'],
        'param',
        poolWidth,
      );
      const error = sub(pooled, values['rca.target']);
      const loss = reduceMean(mul(error, error));
      const slopes = gradients(
        loss,
        inputs.map((name) => values[name]),
      );
      return {
        output_map: map,
        attention1: slice(attention, 2, 0, 1),
        attention2: slice(attention, 2, 1, 5),
        attention4: slice(attention, 2, 5),
        beta: reshape(regions, [-1, 16]),
        z: pooled,
        loss,
        ...Object.fromEntries(inputs.map((name, i) => [`d.${name}`, slopes[i]])),
      };
    });
    for (const name of ['output_map', 'attention1', 'attention2', 'attention4', 'beta', 'z'])
      expect([name, relativeError(floats(found[name]), floats(golden[`rca.${name}`])) < 1e-5]).toEqual([
        name,
        true,
      ]);
    expect(floats(found.loss)[0] / goldenJson<Record<string, number>>('longtail.json')[LOSS]).toBeCloseTo(
      1,
      5,
    );
    for (const name of inputs) {
      const expected = floats(golden[`${LOSS}.grad.${name.replace('param.', '')}`]);
      expect([name, relativeError(floats(found[`d.${name}`]), expected) < 1e-3]).toEqual([name, true]);
    }
  });
});
