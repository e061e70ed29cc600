import type { Address } from '../net/address.ts';
import type { DnsAnswer, LookupQuery } from '../snapshot/probe-answers.ts';

export interface QueryLog {
  /** Notes a question that is sent now. */
  sent(query: Omit<LookupQuery, 'sentAtMs' | 'outcome'>): Noted;
  read(): readonly LookupQuery[];
}

export interface Noted {
  answered(answer: Pick<DnsAnswer, 'outcome' | 'truncated'>): void;
}

/** More than any resolver sends for one name within half a minute. */
const QUERIES_MAX = 200;

/** The questions of one look-up, in the order of sending; one that is never answered reads as timed out. */
export function createQueryLog(nowMs: () => number): QueryLog {
  const startedMs = nowMs();
  const queries: LookupQuery[] = [];
  return {
    sent(query) {
      const sentAtMs = round(nowMs() - startedMs);
      const at = queries.length;
      if (at < QUERIES_MAX) queries.push({ ...query, sentAtMs, outcome: 'timed-out' });
      return {
        answered({ outcome, truncated }) {
          const noted = queries[at];
          if (noted?.outcome !== 'timed-out' || noted.latencyMs !== undefined) return;
          const latencyMs = round(nowMs() - startedMs - sentAtMs);
          queries[at] = { ...noted, outcome, latencyMs, ...(truncated && { truncated }) };
        },
      };
    },
    read: () => queries,
  };
}

export function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** The names of one question in order, for both types. */
export type Answers = ReadonlyMap<'A' | 'AAAA', DnsAnswer>;

export function addressesOf(answers: Answers): readonly Address[] {
  return [...answers.values()].flatMap(({ addresses }) => addresses);
}
