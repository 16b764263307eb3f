/** A fit that is broken off while it trains, and taken up again. */
import { vi } from 'vitest';
import type { TensorData } from '../../src/base/tensor';
import type { FitContext, FitProgress, MethodState } from '../../src/methods/contract';

export interface TakenUp {
  /** What was in the checkpoint when it was broken off. */
  readonly kept: readonly string[];
  /** The first step that was reported after it. */
  readonly first: number | undefined;
  readonly state: MethodState;
}

/**
 * @param fit begins, or goes on, with what is in the checkpoint
 * @param step of the training behind which it ends
 */
export async function brokenOff(
  fit: (pieces: Map<string, TensorData>) => AsyncGenerator<FitProgress, MethodState>,
  step: number,
): Promise<TakenUp> {
  const pieces = new Map<string, TensorData>();
  // Every step lies beyond the last checkpoint.
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 20_000));
  try {
    const broken = fit(pieces);
    for (;;) {
      const { value, done } = await broken.next();
      if (done) throw new Error('ended too early');
      if (value.phase === 'training' && value.done === step) break;
    }
    await broken.return({});
    const kept = [...pieces.keys()];
    let first: number | undefined;
    const again = fit(pieces);
    let next = await again.next();
    for (; !next.done; next = await again.next())
      if (next.value.phase === 'training') first ??= next.value.done;
    return { kept, first, state: next.value };
  } finally {
    clock.mockRestore();
  }
}

/** A checkpoint in a map. */
export const checkpointIn = (pieces: Map<string, TensorData>): FitContext['checkpoint'] => ({
  get: async (key) => pieces.get(key),
  put: async (key, piece) => void pieces.set(key, structuredClone(piece)),
});
