import { AppError } from '../base/errors';
import { floats } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import type { Detector, MethodState } from '../methods/contract';
import type { Options } from '../methods/options';
import type { Program } from '../runtime/program';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';
import { FeatureExtractor, disposeTaps, stackImages, tappedRoles } from './features';
import { stateValues } from './scorer';

/** A reconstructing method's picture of single images. */
export class Redrawer {
  private constructor(
    private readonly extractor: FeatureExtractor,
    private readonly program: Program,
  ) {}

  /** @throws fit/option when the method draws nothing */
  static async open(
    runtime: Runtime,
    backbone: LoadedBackbone,
    detector: Detector,
    state: MethodState,
    options: Options,
    side: number,
  ): Promise<Redrawer> {
    if (!detector.reconstruct)
      throw new AppError('fit/option', `${detector.title} compares features; it draws no picture of its own`);
    const roles = tappedRoles(detector, options);
    const extractor = await FeatureExtractor.open(runtime, backbone, roles, side, 1, 'inspect');
    const graph = new GraphBuilder();
    const inputs = extractor.inputsOf(graph);
    graph.output('picture', detector.reconstruct(graph, inputs, stateValues(graph, state), options));
    return new Redrawer(extractor, await runtime.compile(graph.build(), { priority: 'inspect' }));
  }

  /** @returns [side·side], 0 … 1 */
  async redraw(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const image = stackImages([pixels], 1, this.extractor.side);
    const taps = await this.extractor.run(image, 'inspect');
    try {
      const { values } = await this.program.run({ image, ...taps }, { priority: 'inspect' });
      return new Float32Array(floats(values.picture));
    } finally {
      disposeTaps(taps);
    }
  }
}
