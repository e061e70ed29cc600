import type { ProbeSample, SampleOutcome } from './probe-sample.ts';

/** Attempts that ended alike. */
export interface OutcomeCount {
  readonly outcome: SampleOutcome;
  readonly count: number;
  /** Of the first of them. */
  readonly statement: string;
}

export interface TallyReading {
  /** Attempts of which something is known. */
  readonly sent: number;
  readonly passed: number;
  readonly failed: number;
  /** They ended in a way that proves nothing, or nothing is known of them. */
  readonly unknown: number;
  readonly outcomes: readonly OutcomeCount[];
  readonly timesMs: readonly number[];
  /** Answers beyond the first one to the same request. */
  readonly duplicates: number;
}

/** What became of all attempts to one destination. Keeps one number for each, so that a watch may last for hours. */
export interface Tally {
  add(sample: ProbeSample): void;
  read(): TallyReading;
}

export function createTally(): Tally {
  const outcomes = new Map<string, { outcome: SampleOutcome; count: number; statement: string }>();
  const timesMs: number[] = [];
  const counts = { yes: 0, no: 0, unknown: 0 };
  let untold = 0;
  let duplicates = 0;
  return {
    add({ outcome, passed, statement, latencyMs, errno, duplicates: more = 0 }) {
      counts[passed]++;
      if (outcome === 'untold') untold++;
      // Of refusals the time tells how far away who refuses is; statistics are of answers alone.
      if (latencyMs !== undefined && passed === 'yes') timesMs.push(latencyMs);
      duplicates += more;
      // Errors of ICMP are told apart by who sent them, and what they say.
      const key = `${outcome} ${outcome === 'icmp-error' ? statement : (errno ?? '')}`;
      const alike = outcomes.get(key);
      if (alike) alike.count++;
      else outcomes.set(key, { outcome, count: 1, statement });
    },
    read: () => ({
      sent: counts.yes + counts.no + counts.unknown - untold,
      passed: counts.yes,
      failed: counts.no,
      unknown: counts.unknown,
      outcomes: [...outcomes.values()].map((one) => ({ ...one })).sort((a, b) => b.count - a.count),
      timesMs,
      duplicates,
    }),
  };
}
