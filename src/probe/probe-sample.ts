import type { IcmpAnswer, LookupAnswer, TcpAnswer } from '../snapshot/probe-answers.ts';

/** What became of one attempt of a repeated probe. `untold`: it was asked for, and nothing is known of it. */
export type SampleOutcome = TcpAnswer['outcome'] | 'answered' | 'unanswered' | 'icmp-error' | 'untold';

export interface ProbeSample {
  /** 0 for the first one to its destination. */
  readonly attempt: number;
  /** Milliseconds since the epoch, by podtriage's own clock: when it was meant to be sent. */
  readonly sentAtMs: number;
  readonly outcome: SampleOutcome;
  /** 'unknown' where the outcome proves nothing of the way there and back. */
  readonly passed: 'yes' | 'no' | 'unknown';
  /** One sentence about this outcome. */
  readonly statement: string;
  readonly latencyMs?: number;
  /** Of what the kernel refused. */
  readonly errno?: string;
  /** Of the first request of a ping: answers to any of its requests beyond the first one. */
  readonly duplicates?: number;
  /** Of a look-up: the questions that were sent for it, and what its caller was told. */
  readonly lookup?: LookupAnswer;
}

const LOOKUP_WORDS: Readonly<Record<LookupAnswer['outcome'], string>> = {
  found: 'found',
  'no-such-name': 'no such name',
  'no-address': 'the name has no address',
  'try-again': 'a server failed or was silent (EAI_AGAIN)',
  failed: 'a server refused or failed (EAI_FAIL)',
  'cut-off': 'not done in time',
};

/** A name that was not found is no answer to its caller, whatever the servers said. */
export function sampleOfLookup(attempt: number, sentAtMs: number, lookup: LookupAnswer): ProbeSample {
  const { outcome, latencyMs, queries } = lookup;
  const isFound = outcome === 'found';
  return {
    ...{ attempt, sentAtMs, outcome: isFound ? 'answered' : 'unanswered', passed: isFound ? 'yes' : 'no', lookup },
    statement: `${LOOKUP_WORDS[outcome]} after ${latencyMs} ms and ${queries.length} questions`,
    latencyMs,
  };
}

/** What one ping(8) of several requests says of each of them; `asked`: how many it was to send. */
export function samplesOfPing(
  answer: IcmpAnswer,
  asked: { readonly first: number; readonly count: number; readonly sentAtMs: number; readonly intervalMs: number },
  reading: { readonly passed: 'yes' | 'no' | 'unknown'; readonly statement: string },
): ProbeSample[] {
  const { sent, replies = [], errors, duplicates } = answer;
  const sampleOf = (index: number): Pick<ProbeSample, 'attempt' | 'sentAtMs'> => ({
    attempt: asked.first + index,
    sentAtMs: asked.sentAtMs + index * asked.intervalMs,
  });
  const indices = Array.from({ length: asked.count }, (_, index) => index);
  // It did not begin: no route, not permitted.
  if (sent === 0) {
    const { passed, statement } = reading;
    const outcome = answer.outcome === 'unreachable' ? 'unreachable' : 'failed';
    return indices.map((index) => ({ ...sampleOf(index), outcome, passed, statement }));
  }
  const bySequence = new Map(replies.map((reply) => [reply.sequence, reply]));
  // An error belongs to a request that has no answer; which one does not matter to the count.
  const untold = [...errors];
  const samples = indices.slice(0, sent).map((index): ProbeSample => {
    const reply = bySequence.get(index + 1);
    if (reply) {
      const { latencyMs } = reply;
      const latency = latencyMs === undefined ? {} : { latencyMs };
      return { ...sampleOf(index), outcome: 'answered', passed: 'yes', statement: 'an echo reply came', ...latency };
    }
    const error = untold.shift();
    if (error !== undefined) {
      const statement = `${error.from ?? 'this host'}: ${error.text}`;
      return { ...sampleOf(index), outcome: 'icmp-error', passed: 'no', statement };
    }
    return { ...sampleOf(index), outcome: 'unanswered', passed: 'no', statement: 'no echo reply came' };
  });
  return duplicates === undefined ? samples : [{ ...samples[0]!, duplicates }, ...samples.slice(1)];
}
