import { describe, expect, it } from 'vitest';
import { hostOf } from '../../src/net/place.ts';
import { createSnapshot } from '../../src/snapshot/create-snapshot.ts';
import { replyOf } from './collect-case.ts';
import { type ShownChange, withShown } from './shown-change.ts';

const place = hostOf('a');
const RULES = [
  { priority: 0, src: 'all', table: '255' },
  { priority: 10, src: 'all', dst: '10.0.0.1', table: '254' },
];
const replies = [replyOf({ action: 'rules', place, args: { family: 4 }, round: 0 }, JSON.stringify(RULES), 0)];
const base = createSnapshot(replies);

function rulesWith(change: Partial<ShownChange>): unknown {
  const whole = {
    op: 'shown',
    place,
    action: 'rules',
    args: { family: 4 },
    where: { priority: 10 },
    ...change,
  } as const;
  const seen = withShown(base, replies, [whole])?.fact('rules', place, { family: 4 });
  return seen?.state === 'seen' ? seen.value.map(({ priority, not }) => [priority, not]) : seen?.state;
}

describe('what a tool would have shown', () => {
  it('has an object with other values, or without it', () => {
    expect(rulesWith({ set: { not: true } })).toEqual([
      [0, false],
      [10, true],
    ]);
    expect(rulesWith({})).toEqual([[0, false]]);
  });

  it('is not known where nothing is meant', () => {
    expect(rulesWith({ where: { priority: 11 } })).toBeUndefined();
    expect(rulesWith({ args: { family: 6 } })).toBeUndefined();
  });
});
