import { assert } from '../base/errors';
import { floatTensor } from '../base/tensor';
import type { Shape, TensorData } from '../base/tensor';
import { GraphBuilder } from '../graph/builder';
import type { Value } from '../graph/value';
import type { Classifier } from '../methods/classifier';
import type { Detector, Inputs, Needs } from '../methods/contract';
import type { Options } from '../methods/options';
import { emitTaps } from '../nn/backbones/backbone';
import type { Backbone, TapRole } from '../nn/backbones/backbone';
import { FrozenLayers } from '../nn/layers';
import type { DeviceTensor } from '../runtime/device-tensor';
import type { Program } from '../runtime/program';
import type { Priority } from '../runtime/queue';
import type { Runtime } from '../runtime/runtime';
import type { LoadedBackbone } from './backbones';

/** Backbone features of one batch, where the device keeps them; the holder disposes them. */
export type ResidentTaps = Readonly<Partial<Record<TapRole, DeviceTensor>>>;

/** A detector or a classifier, as far as its layers go. */
export interface Tapping extends Pick<Detector, 'taps' | 'options'> {
  readonly needs: Pick<Needs, 'taps'>;
}

/** Layers that a method taps with these options. @param options complete ones */
export const tappedRoles = (method: Omit<Tapping, 'options'>, options: Options): readonly TapRole[] =>
  method.taps?.(options) ?? method.needs.taps;

/** Layers that a classifier taps while it is fitted. @param options complete ones */
export const fittingRoles = (classifier: Classifier, options: Options): readonly TapRole[] => [
  ...tappedRoles(classifier, options),
  ...(classifier.fitTaps?.(options) ?? []),
];

/** Runs a backbone at one input side and batch; features stay on the device. */
export class FeatureExtractor {
  readonly #shapes: Readonly<Partial<Record<TapRole, Shape>>>;

  private constructor(
    private readonly program: Program | undefined,
    private readonly backbone: Backbone,
    readonly roles: readonly TapRole[],
    readonly side: number,
    readonly batch: number,
  ) {
    const outputs = program?.graph.outputs;
    this.#shapes = Object.fromEntries(roles.map((role) => [role, outputs!.get(role)!.shape]));
  }

  /** @param roles layers to tap; none for methods that see pixels alone */
  static async open(
    runtime: Runtime,
    { backbone, weights }: LoadedBackbone,
    roles: readonly TapRole[],
    side: number,
    batch: number,
    priority: Priority,
  ): Promise<FeatureExtractor> {
    if (!roles.length) return new FeatureExtractor(undefined, backbone, roles, side, batch);
    const graph = new GraphBuilder();
    const image = graph.input('image', [batch, 1, side, side]);
    const layers = new FrozenLayers(graph, weights, backbone.batchNormEpsilon);
    const taps = emitTaps(backbone, layers, image, roles);
    for (const role of roles) graph.output(role, taps[role]!);
    const program = await runtime.compile(graph.build(), { resident: roles, priority });
    return new FeatureExtractor(program, backbone, roles, side, batch);
  }

  /** Features of a full batch. @param images [B,1,S,S] */
  async run(images: TensorData, priority: Priority): Promise<ResidentTaps> {
    if (!this.program) return {};
    return (await this.program.run({ image: images }, { priority })).resident;
  }

  /** Graph inputs that some of `run`'s results and the images are fed to. */
  inputsOf(graph: GraphBuilder, roles = this.roles): Inputs {
    const taps = Object.fromEntries(
      roles.map((role): [TapRole, Value] => [role, graph.input(role, this.#shapes[role]!)]),
    );
    const image = graph.input('image', [this.batch, 1, this.side, this.side]);
    return { taps, image, backbone: this.backbone };
  }
}

/** Images as one tensor [B,1,S,S]; a short batch is filled up with its last image. */
export function stackImages(images: readonly Float32Array[], batch: number, side: number): TensorData {
  assert(images.length >= 1 && images.length <= batch, `${images.length} images for a batch of ${batch}`);
  const pixels = side * side;
  const data = new Float32Array(batch * pixels);
  for (let b = 0; b < batch; b++) data.set(images[Math.min(b, images.length - 1)], b * pixels);
  return floatTensor([batch, 1, side, side], data);
}

export function disposeTaps(taps: ResidentTaps): void {
  for (const tap of Object.values(taps)) tap.dispose();
}
