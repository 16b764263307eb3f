/**
 * The one error class of the app. The code says what kind of event it is, the message states the fact with its
 * values, the hint says what the user can do. Thrown within a thread; crosses a thread boundary as `Outcome<T>`.
 */
export type ErrorCode =
  // floor 0
  | 'internal'
  | 'cancelled'
  // graph
  | 'graph/shape'
  | 'graph/invalid'
  | 'graph/no-gradient'
  // weights
  | 'model/format'
  | 'model/truncated'
  | 'model/unknown'
  | 'model/keys'
  | 'model/hash'
  | 'model/missing'
  // image
  | 'image/unknown-format'
  | 'image/corrupt'
  | 'image/too-large'
  | 'image/too-small'
  | 'image/unsupported'
  // text
  | 'text/prompt'
  // runtime
  | 'gpu/none'
  | 'gpu/lost'
  | 'gpu/memory'
  | 'gpu/self-test'
  | 'run/invalid'
  | 'run/not-finite'
  | 'worker/dead'
  // methods and engine
  | 'fit/diverged'
  | 'fit/too-few-images'
  | 'fit/memory'
  | 'fit/option'
  | 'fit/backbone'
  | 'fit/mask'
  | 'fit/classes'
  | 'metrics/undefined'
  // store and exchange
  | 'store/quota'
  | 'store/missing'
  | 'store/blocked'
  | 'exchange/zip'
  | 'exchange/empty'
  | 'exchange/labels'
  // bench and scripts
  | 'usage';

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  /** What the user can do about it; empty when nothing helps. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? '';
  }
}

/** True for the error that ends a job because the user asked for it: an event, not a failure. */
export const isCancelled = (error: unknown): boolean =>
  error instanceof AppError && error.code === 'cancelled';

/** Any thrown thing as an `AppError`; what isn't one already becomes `code` with the original as its cause. */
export function toAppError(error: unknown, code: ErrorCode = 'internal'): AppError {
  if (error instanceof AppError) return error;
  return new AppError(code, error instanceof Error ? error.message : String(error), { cause: error });
}

/** Checks an invariant of our own code; user mistakes get an `AppError` with a hint instead. @throws internal */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AppError('internal', message);
}

/** For the end of a switch over a union: adding a member without a case doesn't compile. @throws internal */
export function unreachable(value: never): never {
  throw new AppError('internal', `unexpected value ${JSON.stringify(value)}`);
}
