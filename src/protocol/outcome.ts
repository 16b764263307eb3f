import { AppError, toAppError } from '../base/errors';
import type { ErrorCode } from '../base/errors';

/** An `AppError` as plain data: a thrown error would lose its code and hint on the way between threads. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** What every call across the worker boundary resolves with; such a call never rejects with a failure of the job. */
export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: WireError };

export function toWire(error: unknown): WireError {
  const { code, message, hint } = toAppError(error);
  return { code, message, hint };
}

export const fromWire = ({ code, message, hint }: WireError): AppError =>
  new AppError(code, message, { hint });

/** Runs a call and wraps what becomes of it. */
export async function attempt<T>(call: () => Promise<T> | T): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await call() };
  } catch (error) {
    return { ok: false, error: toWire(error) };
  }
}

/** The value of an outcome. @throws AppError with the code and hint it had on the other side */
export function unwrap<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw fromWire(outcome.error);
}
