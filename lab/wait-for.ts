import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs?: number;
}

/** A check that holds answers true; otherwise what it saw instead, for the message of a wait in vain. */
export type Check = () => Promise<true | string> | true | string;

/** Thrown by a check that can no longer come true: ends the wait at once. */
export class GiveUp extends Error {}

/** Waits until `check` holds, at most `timeoutMs`; then fails with what was seen last. Any error but GiveUp counts as "not yet". */
export const waitFor = async (what: string, check: Check, options: WaitOptions): Promise<void> => {
  const started = performance.now();
  const everyMs = options.everyMs ?? 100;
  let seen = 'nothing';
  while (performance.now() - started < options.timeoutMs) {
    try {
      const answer = await check();
      if (answer === true) return;
      seen = answer;
    } catch (error) {
      if (error instanceof GiveUp) throw new Error(`${what}: ${error.message}`);
      seen = error instanceof Error ? error.message : String(error);
    }
    await sleep(everyMs);
  }
  throw new Error(`waited ${Math.round(options.timeoutMs / 1000)} s for ${what}; last seen: ${seen}`);
};
