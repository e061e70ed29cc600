import { InvalidArgumentError } from 'commander';
import { UsageError } from './exit-codes.ts';
import type { QuestionOptions } from './question-options.ts';

/** What the help of each probe says at its end. */
export const PROBE_EXIT_CODES = `
Exit code: 0 all were answered, 1 some failed, 2 wrong usage or target not found, 3 could not tell, 4 no access or the run
failed.`;

/** Reads an option's whole number, or says what is expected. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is expected`);
    return value;
  };
}

/** What is no probe is told before anything is asked. */
export function refuseWhatSendsNothing({ bundle, probe }: QuestionOptions): void {
  if (bundle !== undefined) throw new UsageError('nothing can be sent from a bundle: probe needs a live cluster');
  if (!probe) throw new UsageError('probe with --no-probe does nothing; use simulate');
}
