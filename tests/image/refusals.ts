import { expect } from 'vitest';
import { AppError } from '../../src/base/errors';
import type { ErrorCode } from '../../src/base/errors';

/** Runs `work`, which must refuse, and gives its error for comparison; a refusal always says a remedy. */
export async function refusal(work: () => unknown): Promise<{ code: ErrorCode; message: string }> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.hint).not.toBe('');
    return { code: error.code, message: error.message };
  }
  throw new Error('nothing was refused');
}
