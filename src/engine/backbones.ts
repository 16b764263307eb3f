import type { BackboneId } from '../base/ids';
import type { TensorData } from '../base/tensor';
import { TAP_ROLES, expectedTensors } from '../nn/backbones/backbone';
import type { Backbone } from '../nn/backbones/backbone';
import { recogniseBackbone } from '../nn/backbones/recognise';
import { FrozenWeights } from '../nn/frozen-weights';
import type { BackboneDescription } from '../protocol/engine-api';
import type { ByteSource } from '../weights/byte-source';
import { Safetensors } from '../weights/safetensors';

/** A backbone with its weights in memory. */
export interface LoadedBackbone {
  readonly backbone: Backbone;
  readonly weights: FrozenWeights;
}

export const describeBackbone = (
  id: BackboneId,
  { title, architecture, sides }: Backbone,
): BackboneDescription => ({
  id,
  title,
  architecture,
  sides,
});

/** Which backbone a weights file holds, from its header alone. @throws model/… */
export async function identify(source: ByteSource): Promise<Backbone> {
  const file = await Safetensors.open(source);
  return recogniseBackbone(new Map([...file.tensors].map(([name, { shape }]) => [name, shape]))).backbone;
}

/** Opens a weights file: recognises it and reads the tensors that tapped layers need. @throws model/… */
export async function loadBackbone(source: ByteSource): Promise<LoadedBackbone> {
  const file = await Safetensors.open(source);
  const shapes = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
  const { backbone, prefix } = recogniseBackbone(shapes);
  const layers = TAP_ROLES.map((role) => backbone.levels[role]);
  const tensors = new Map<string, TensorData>();
  for (const name of expectedTensors(backbone, layers).keys())
    tensors.set(name, await file.read(prefix + name));
  return { backbone, weights: new FrozenWeights(tensors) };
}
