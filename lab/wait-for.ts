import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs?: number;
}

/** A check that holds answers true; otherwise what it saw instead, for the message of a wait in vain. */
export type Check = () => Promise<true | string> | true | string;

/** Waits until `check` holds, at most `timeoutMs`; then fails with what was seen last. An error in the check counts as "not yet". */
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
      seen = error instanceof Error ? error.message : String(error);
    }
    await sleep(everyMs);
  }
  throw new Error(`waited ${Math.round(options.timeoutMs / 1000)} s for ${what}; last seen: ${seen}`);
};
