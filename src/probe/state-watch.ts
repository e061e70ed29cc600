import type { ProbeSample } from './probe-sample.ts';

/** From this attempt on a destination answers, or does not. */
export interface StateChange {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly to: ProbeState;
  /** How long the former state was held, as far as it was seen. */
  readonly formerMs: number;
  /** What became of the first attempt of the new state. */
  readonly statement: string;
}

export type ProbeState = 'answering' | 'not-answering';

export interface StateWatch {
  /** Takes what became of an attempt, in any order; answers the changes that are known by it. */
  take(sample: ProbeSample): readonly StateChange[];
  state(): ProbeState | undefined;
}

/** So many attempts in a row make a state: single losses are loss, not a change. */
export const RUN_LENGTH = 3;
/**
 * An answer that came only after the first SYN was sent again (1 s) is no answer to the attempt when it was made: an outage
 * shorter than the wait would otherwise show as slow connections alone.
 */
const PROMPT_MAX_MS = 980;

/** Follows the state of one destination, attempt by attempt in the order of sending. `promptMaxMs`: what takes longer is no answer. */
export function createStateWatch(promptMaxMs = PROMPT_MAX_MS): StateWatch {
  const waiting = new Map<number, ProbeSample>();
  let next = 0;
  let state: ProbeState | undefined;
  let sinceMs = 0;
  let run: { readonly is: ProbeState; readonly first: ProbeSample; length: number } | undefined;

  const follow = (sample: ProbeSample): StateChange[] => {
    const is = stateOf(sample, promptMaxMs);
    if (is === undefined) return [];
    if (run?.is === is) run.length++;
    else run = { is, first: sample, length: 1 };
    if (is === state || run.length < RUN_LENGTH) return [];
    const { first } = run;
    const change = { atMs: first.sentAtMs, to: is, formerMs: first.sentAtMs - sinceMs, statement: first.statement };
    const isFirst = state === undefined;
    state = is;
    sinceMs = first.sentAtMs;
    return isFirst ? [] : [change];
  };

  return {
    state: () => state,
    take(sample) {
      waiting.set(sample.attempt, sample);
      const changes: StateChange[] = [];
      for (let one = waiting.get(next); one !== undefined; one = waiting.get(next)) {
        waiting.delete(next++);
        changes.push(...follow(one));
      }
      return changes;
    },
  };
}

function stateOf({ passed, latencyMs }: ProbeSample, promptMaxMs: number): ProbeState | undefined {
  if (passed === 'unknown') return undefined;
  return passed === 'yes' && (latencyMs ?? 0) <= promptMaxMs ? 'answering' : 'not-answering';
}
