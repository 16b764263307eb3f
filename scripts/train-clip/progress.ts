import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '../../src/base/errors';
import { floatTensor, floats } from '../../src/base/tensor';
import type { NetVectors } from '../../src/methods/kit/trainer';
import { bytesAsSource } from '../../src/weights/byte-source';
import { Safetensors, encodeSafetensors } from '../../src/weights/safetensors';
import { PARTS } from './encoder';

/** The best weights so far, and what they reached. */
export interface Best {
  readonly phase: number;
  readonly step: number;
  /** On held-out images; higher is better. */
  readonly quality: number;
  readonly vectors: NetVectors;
}

/** Where a training stands: enough to go on to the same numbers. */
export interface Progress {
  readonly phase: number;
  /** Steps done in the phase. */
  readonly step: number;
  /** `Trainer.pack()` */
  readonly packed: Float32Array;
  readonly average: NetVectors;
  readonly looks: number;
  readonly best: Best | undefined;
  /** Seconds of training so far, in all runs. */
  readonly seconds: number;
}

/** @param plan what the numbers depend on: another plan can't go on from here */
export function saveProgress(path: string, plan: string, progress: Progress): void {
  const { packed, average, best, ...rest } = progress;
  const named = (prefix: string, vectors: NetVectors) =>
    PARTS.map((part) => [`${prefix}.${part}`, vectors[part].parameters] as const);
  const arrays = [
    ['packed', packed] as const,
    ...named('average', average),
    ...(best ? named('best', best.vectors) : []),
  ];
  const state = { ...rest, best: best && { ...best, vectors: undefined } };
  const tensors = Object.fromEntries(arrays.map(([name, data]) => [name, floatTensor([data.length], data)]));
  mkdirSync(dirname(path), { recursive: true });
  // Whoever ends the process in between finds the file of a minute ago.
  writeFileSync(
    `${path}.part`,
    encodeSafetensors(tensors, { metadata: { plan, state: JSON.stringify(state) } }),
  );
  renameSync(`${path}.part`, path);
}

/** @throws usage when the file belongs to another plan */
export async function loadProgress(path: string, plan: string): Promise<Progress | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await Safetensors.open(bytesAsSource(readFileSync(path)));
  if (file.metadata.plan !== plan)
    throw new AppError('usage', `${path} is an unfinished training by other flags: ${file.metadata.plan}`, {
      hint: 'Repeat those, or begin anew with --fresh.',
    });
  const read = async (name: string) => floats(await file.read(name));
  const vectors = async (prefix: string): Promise<NetVectors> => {
    const parts = PARTS.map(async (part) => {
      return [part, { parameters: await read(`${prefix}.${part}`), statistics: new Float32Array() }] as const;
    });
    return Object.fromEntries(await Promise.all(parts));
  };
  const { best, ...rest } = JSON.parse(file.metadata.state) as Omit<Progress, 'packed' | 'average'>;
  return {
    ...rest,
    packed: await read('packed'),
    average: await vectors('average'),
    best: best && { ...best, vectors: await vectors('best') },
  };
}
