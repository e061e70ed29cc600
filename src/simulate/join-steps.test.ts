import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import { joinOrders, joinSteps } from './join-steps.ts';
import { makeStep, sourceAt } from './steps.ts';
import type { Step } from './trace.ts';

function rule(at: string, matched: Step['matched'] = 'yes'): Step {
  return makeStep({ kind: 'rule', at, matched, source: sourceAt(hostOf('w1'), 'iptables.nft'), values: {}, text: at });
}

const told = (steps: readonly Step[]): string[] => steps.map((step) => `${step.at} ${step.matched}`);

describe('joinSteps', () => {
  it('tells once of what both ways tell of, though each has made its own step', () => {
    expect(told(joinSteps([rule('A#1'), rule('B#2')], [rule('A#1'), rule('B#2')]))).toEqual(['A#1 yes', 'B#2 yes']);
  });

  it('is not sure of what only one of them tells of', () => {
    const both = joinSteps([rule('A#1'), rule('B#1')], [rule('A#1'), rule('C#1')]);
    expect(told(both)).toEqual(['A#1 yes', 'B#1 unknown', 'C#1 unknown']);
  });

  it('leaves at the end what ended both, wherever the other rule set stood in the order', () => {
    const first = [rule('drop#1')];
    const second = [rule('other#1'), rule('drop#1')];
    expect(told(joinOrders(first, second))).toEqual(['other#1 unknown', 'drop#1 yes']);
    expect(told(joinOrders(second, first))).toEqual(['other#1 unknown', 'drop#1 yes']);
  });

  it('tells of each rule that ends the packet, whichever rule set comes first', () => {
    const ends = joinOrders([rule('mark#1'), rule('A#1')], [rule('mark#1'), rule('B#2')], true);
    expect(told(ends)).toEqual(['mark#1 yes', 'B#2 yes', 'A#1 yes']);
    expect(ends.at(-1)!.text).toBe('A#1; or “B#2” does, whichever comes first');
    const three = joinOrders(joinOrders(ends, [rule('C#1')], true), [rule('mark#1'), rule('B#2')], true);
    expect(told(three)).toEqual(['mark#1 unknown', 'C#1 yes', 'B#2 yes', 'A#1 yes']);
    expect(three.map(({ values }) => values.rivals)).toEqual([undefined, 2, 2, 2]);
    expect(told(joinOrders([rule('A#1')], [rule('B#1', 'unknown')], true))).toEqual(['A#1 unknown', 'B#1 unknown']);
    expect(told(joinOrders([rule('A#1')], [rule('x#1'), rule('A#1')], true))).toEqual(['x#1 unknown', 'A#1 yes']);
  });

  it('counts a rule that one way met twice', () => {
    expect(told(joinSteps([rule('M#1'), rule('M#1')], [rule('M#1')]))).toEqual(['M#1 yes', 'M#1 unknown']);
  });

  it('keeps what was passed over, and doubts', () => {
    expect(told(joinSteps([rule('A#1', 'no'), rule('B#1', 'unknown')], [rule('B#1', 'yes')]))).toEqual([
      'A#1 no',
      'B#1 unknown',
    ]);
  });
});
