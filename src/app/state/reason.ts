import { toAppError } from '../../base/errors';
import type { InspectionFailure } from '../../protocol/engine-api';
import { fromWire } from '../../protocol/outcome';

/** A failure's message and hint in one line, without the file's name in front: the list shows it. */
export function reasonOf(error: unknown, name: string): string {
  const { message, hint } = toAppError(error);
  const fact = message.startsWith(`${name} `) ? message.slice(name.length + 1) : message;
  return hint ? `${fact}. ${hint}` : fact;
}

/** What a worker says of an image that it failed on, in one line, its name included. */
export const failureOf = ({ error }: InspectionFailure): string => reasonOf(fromWire(error), '');
