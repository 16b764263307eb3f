import { floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { unit } from '../../src/base/unit';
import { GraphBuilder } from '../../src/graph/builder';
import { l2Normalise } from '../../src/graph/ops/index';
import { stackVectors } from '../../src/methods/kit/feature-cache';
import type { NetVectors } from '../../src/methods/kit/trainer';
import type { NetLayouts } from '../../src/methods/kit/training-graph';
import type { ClipConfig } from '../../src/nn/clip/config';
import { TextTower } from '../../src/nn/clip/text';
import type { Program } from '../../src/runtime/program';
import type { Runtime } from '../../src/runtime/runtime';
import type { Captions } from './captions';
import { fedLayers, vectorFeeds } from './encoder';

/** Captions that are encoded together; a whole number of times in every group. */
const TOGETHER = 72;

/** Encodes groups of captions to one vector each. */
export class GroupEncoder {
  private constructor(
    private readonly program: Program,
    private readonly captions: Captions,
    private readonly embed: number,
  ) {}

  static async open(
    runtime: Runtime,
    { layouts, config }: { readonly layouts: NetLayouts; readonly config: ClipConfig },
    captions: Captions,
  ): Promise<GroupEncoder> {
    const graph = new GraphBuilder();
    const text = new TextTower(fedLayers(graph, layouts, config), config);
    const rows = graph.input('tokens', [TOGETHER, captions.longest], 'int32');
    graph.output(
      'texts',
      l2Normalise(text.encode(text.lookUp(rows), graph.input('ends', [TOGETHER], 'int32'))),
    );
    return new GroupEncoder(await runtime.compile(graph.build()), captions, config.embed);
  }

  /**
   * Normalised means of normalised captions.
   * @param all every caption, or as many of each group as go through at once
   * @returns [groups,E]
   */
  async vectors(weights: NetVectors, all: boolean): Promise<TensorData> {
    const sums: Float32Array[] = [];
    for (const group of this.captions.groups) {
      const sum = new Array<number>(this.embed).fill(0);
      const stride = all ? 1 : group.length / TOGETHER;
      const chosen = Array.from({ length: group.length / stride }, (_, i) => group[Math.floor(i * stride)]);
      for (let at = 0; at < chosen.length; at += TOGETHER) {
        const feeds = this.captions.feeds(chosen.slice(at, at + TOGETHER));
        const { values } = await this.program.run({ ...vectorFeeds(weights), ...feeds });
        floats(values.texts).forEach((value, i) => (sum[i % this.embed] += value));
      }
      sums.push(unit(sum));
    }
    return stackVectors(sums);
  }
}
