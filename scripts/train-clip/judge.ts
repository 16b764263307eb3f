import { floatTensor, floats } from '../../src/base/tensor';
import type { TensorData } from '../../src/base/tensor';
import { GraphBuilder } from '../../src/graph/builder';
import {
  enlargeAndBlur,
  l2Normalise,
  matMul,
  reshape,
  slice,
  sub,
  transposeLast,
} from '../../src/graph/ops/index';
import type { Value } from '../../src/graph/value';
import { meanOfDefects } from '../../src/methods/clip/text-pair';
import type { NetVectors } from '../../src/methods/kit/trainer';
import type { NetLayouts } from '../../src/methods/kit/training-graph';
import { auroc } from '../../src/metrics/ranking';
import { patchCosines } from '../../src/nn/clip/alignment';
import { STEM_CHANNELS, STEM_STRIDE } from '../../src/nn/clip/config';
import type { ClipConfig } from '../../src/nn/clip/config';
import { VisionTower } from '../../src/nn/clip/vision';
import type { NetLayers } from '../../src/nn/layers';
import type { Program } from '../../src/runtime/program';
import type { Runtime } from '../../src/runtime/runtime';
import { CLASS_NAMES } from '../../src/sample/classes';
import { standardise } from './batches';
import { GROUPS } from './captions';
import { fedLayers, vectorFeeds } from './encoder';
import { NORMAL, classOf, pictureOf } from './pictures';
import type { PictureSet } from './pictures';
import type { ChannelStatistics, StemMaker } from './stems';

/** Images that are looked at together. */
const TOGETHER = 16;
/** Maps are judged at every fourth pixel in each direction, smoothed by four pixels. @source methods.md 16.5 */
const THINNED = 4;

/** How well text alone tells defects, with no support. */
export interface Figures {
  /** Of the class token: any defect against good. */
  readonly imageAuroc: number;
  /** The same by the generic prompts. */
  readonly genericAuroc: number;
  /** Of the last level's map. */
  readonly pixelAuroc: number;
  /** Of the nearest of seven class texts. */
  readonly accuracy: number;
}

/** What a checkpoint is chosen by. */
export const quality = ({ imageAuroc, pixelAuroc }: Figures): number => (imageAuroc + pixelAuroc) / 2;

interface HeldOut {
  readonly features: Uint16Array;
  /** Every `THINNED`th pixel of the mask. */
  readonly mask: Uint8Array;
}

/**
 * Cosines of standardised stems with texts.
 * @param texts [C,E]
 * @returns of the class token [B,C], and of the last level's patches [B,T,C]
 */
export function textCosines(layers: NetLayers, config: ClipConfig, stem: Value, texts: Value) {
  const tower = new VisionTower(layers, config);
  const last = tower.run(tower.place(stem))[config.vision.layers];
  const image = matMul(l2Normalise(tower.projectClass(last)), transposeLast(texts));
  return { image, patches: patchCosines(tower.projectPatches(last), texts) };
}

/** Held-out images, and what looks at them. */
export class Judge {
  private constructor(
    private readonly program: Program,
    private readonly images: readonly HeldOut[],
    private readonly side: number,
    private readonly statistics: ChannelStatistics,
  ) {}

  /** @param count a multiple of 16 */
  static async open(
    runtime: Runtime,
    encoder: { readonly layouts: NetLayouts; readonly config: ClipConfig },
    set: PictureSet,
    count: number,
    maker: StemMaker,
    statistics: ChannelStatistics,
  ): Promise<Judge> {
    const images: HeldOut[] = [];
    while (images.length < count) {
      const pictures = Array.from({ length: TOGETHER }, (_, i) => pictureOf(set, images.length + i));
      const records = await maker.records(pictures);
      images.push(
        ...records.map(({ features }, i) => ({ features, mask: thinned(pictures[i].mask, set.side) })),
      );
    }
    const { layouts, config } = encoder;
    const [grid, side] = [set.side / STEM_STRIDE, set.side / THINNED];
    const graph = new GraphBuilder();
    const stem = graph.input('stem', [TOGETHER, STEM_CHANNELS, grid, grid]);
    const texts = graph.input('texts', [GROUPS.length + 1, config.embed]);
    const { image, patches } = textCosines(fedLayers(graph, layouts, config), config, stem, texts);
    const of = (group: number) => slice(patches, 2, group, group + 1);
    const map = reshape(sub(of(GROUPS.length), of(NORMAL)), [TOGETHER, grid, grid]);
    graph.output('image', image);
    graph.output('map', enlargeAndBlur(map, side, side, 1));
    return new Judge(await runtime.compile(graph.build()), images, set.side, statistics);
  }

  /** @param texts one vector for each of `GROUPS` */
  async figures(weights: NetVectors, texts: TensorData): Promise<Figures> {
    const [count, embed] = texts.shape;
    const rows = floatTensor(
      [count + 1, embed],
      Float32Array.of(...floats(texts), ...meanOfDefects(floats(texts), CLASS_NAMES.length, embed, NORMAL)),
    );
    const grid = this.side / STEM_STRIDE;
    const size = STEM_CHANNELS * grid ** 2;
    const cosines: number[][] = [];
    const maps: number[] = [];
    for (let at = 0; at < this.images.length; at += TOGETHER) {
      const stem = new Float32Array(TOGETHER * size);
      this.images
        .slice(at, at + TOGETHER)
        .forEach(({ features }, i) => standardise(features, this.statistics, stem.subarray(i * size)));
      const { values } = await this.program.run({
        ...vectorFeeds(weights),
        stem: floatTensor([TOGETHER, STEM_CHANNELS, grid, grid], stem),
        texts: rows,
      });
      const image = floats(values.image);
      for (let i = 0; i < TOGETHER; i++)
        cosines.push([...image.subarray(i * (count + 1), (i + 1) * (count + 1))]);
      for (const value of floats(values.map)) maps.push(value);
    }
    const classes = this.images.map((_, i) => classOf(i));
    const bad = classes.map((of) => Number(of !== NORMAL));
    const [generalGood, generalBad] = ['gen_good', 'gen_bad'].map((group) => GROUPS.indexOf(group));
    const hits = cosines.filter((own, i) => nearest(own) === classes[i]).length;
    return {
      imageAuroc: auroc(
        cosines.map((own) => own[count] - own[NORMAL]),
        bad,
      )!,
      genericAuroc: auroc(
        cosines.map((own) => own[generalBad] - own[generalGood]),
        bad,
      )!,
      pixelAuroc: auroc(
        maps,
        this.images.flatMap(({ mask }) => [...mask]),
      )!,
      accuracy: hits / cosines.length,
    };
  }
}

const nearest = (cosines: readonly number[]): number => {
  const ofClasses = cosines.slice(0, CLASS_NAMES.length);
  return ofClasses.indexOf(Math.max(...ofClasses));
};

/** Pixels in the middle of cells of `THINNED` pixels. */
function thinned(mask: Uint8Array, side: number): Uint8Array {
  const out = new Uint8Array((side / THINNED) ** 2);
  const middle = (i: number) => i * THINNED + THINNED / 2;
  const columns = side / THINNED;
  return out.map((_, i) => mask[middle(Math.floor(i / columns)) * side + middle(i % columns)]);
}
