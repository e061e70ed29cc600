import { describe, expect, it } from 'vitest';
import type { ProbeSample } from './probe-sample.ts';
import { createStateWatch, type StateChange } from './state-watch.ts';

const INTERVAL_MS = 200;

function sample(attempt: number, answer: '.' | 'x' | '?' | 's'): ProbeSample {
  const passed = ({ '.': 'yes', s: 'yes', x: 'no', '?': 'unknown' } as const)[answer];
  const rest = answer === '.' ? { latencyMs: 0.4 } : answer === 's' ? { latencyMs: 1_004 } : {};
  const outcome = passed === 'yes' ? 'connected' : 'timed-out';
  return { attempt, sentAtMs: attempt * INTERVAL_MS, outcome, passed, statement: `it was ${answer}`, ...rest };
}

function follow(answers: string, order = [...answers].map((_, at) => at)): StateChange[] {
  const watch = createStateWatch();
  return order.flatMap((at) => watch.take(sample(at, answers[at] as '.')));
}

describe('createStateWatch', () => {
  it('marks when answers end and begin again, by when the first of them was sent', () => {
    expect(follow('.....xxxxx....')).toEqual([
      { atMs: 1_000, to: 'not-answering', formerMs: 1_000, statement: 'it was x' },
      { atMs: 2_000, to: 'answering', formerMs: 1_000, statement: 'it was .' },
    ]);
  });

  it('takes single losses, and how it began, for no change', () => {
    expect(follow('...x..xx...x.')).toEqual([]);
    expect(follow('xxxxx')).toEqual([]);
    expect(follow('xxxxx...')).toHaveLength(1);
  });

  it('follows the order of sending, since a loss is known later than an answer', () => {
    const answers = '....xxx...';
    const answered = [0, 1, 2, 3, 7, 8, 9];
    expect(follow(answers, [...answered, 4, 5, 6])).toEqual(follow(answers));
  });

  it('counts what came only after a second SYN as not answered when it was asked', () => {
    expect(follow('....sss...').map(({ to }) => to)).toEqual(['not-answering', 'answering']);
  });

  it('does not read what proves nothing as a change', () => {
    expect(follow('...???...')).toEqual([]);
    expect(follow('...x?xx').map(({ atMs }) => atMs)).toEqual([600]);
  });
});
