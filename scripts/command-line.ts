/** What the project's commands share: flags that are read with clear errors, and how an error ends a command. */
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { AppError } from '../src/base/errors';

/** @throws usage */
export const usage = (message: string): never => {
  throw new AppError('usage', message);
};

/** The values of the flags that the process was given. @throws usage */
export function readFlags<const Options extends NonNullable<ParseArgsConfig['options']>>(options: Options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return usage((error as Error).message.split('\n')[0]);
  }
}

/** @throws usage */
export function toNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  return Number.isInteger(value) && value >= least
    ? value
    : usage(`--${flag} ${text}: a whole number from ${least} on`);
}

/** Runs a command. An `AppError` ends it by what it says and exit code 2; any other is a defect and keeps its stack. */
export async function runCommand(name: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    console.error(`${name}: ${error.message}${error.hint && ` (${error.hint})`}`);
    process.exitCode = 2;
  }
}
