import { describe, expect, test } from 'vitest';
import type { Fork, Segment, Trace } from '../simulate/trace.ts';
import { CERTAIN, chanceOf, UNDECIDED } from '../simulate/truth.ts';
import { leafKey, leavesOf, tripLeaves } from './leaves.ts';
import { CLIENT_PLACE, flow, leafEnd, leafTrace, packet } from './testing/build-case.ts';

const at = { segment: 0, hop: 0, step: 0 };
const toFork = (fork: Fork['fork'], ...to: Fork['to']): Segment => segment({ fork, at, to });
const toEnd = (end: 'delivered' | 'no-route' | 'dropped-by-rule'): Segment => segment(leafEnd(end));
const traceOf = (segments: readonly Segment[], unwalked = 0): Trace => ({
  packet: packet(),
  from: CLIENT_PLACE,
  segments,
  unwalked,
});

function segment(then: Segment['then']): Segment {
  return { hops: [], then };
}

const chancesOf = (trace: Trace) =>
  Object.fromEntries(leavesOf(trace, 'main', 'forward').map((leaf) => [leaf.ref.segment, leaf.chance]));

describe('leavesOf', () => {
  test('a walk without forks ends once, for certain', () => {
    const [leaf, ...rest] = leavesOf(leafTrace('no-route'), 'main', 'forward');
    expect(leaf).toMatchObject({ ref: { flow: 'main', leg: 'forward', segment: 0 }, chance: CERTAIN });
    expect(leaf!.end.end).toBe('no-route');
    expect(rest).toEqual([]);
  });

  test('a random choice of three backends gives each its share', () => {
    const third = chanceOf(1 / 3);
    const trace = traceOf([
      toFork('random', { segment: 1, chance: third }, { segment: 2, chance: third }, { segment: 3, chance: third }),
      toEnd('delivered'),
      toEnd('no-route'),
      toEnd('delivered'),
    ]);
    const chances = chancesOf(trace);
    for (const number of [1, 2, 3]) {
      expect(chances[number]!.min).toBeCloseTo(1 / 3);
      expect(chances[number]!.max).toBeCloseTo(1 / 3);
    }
  });

  test('forks one behind the other multiply', () => {
    const trace = traceOf([
      toFork('random', { segment: 1, chance: chanceOf(0.5) }, { segment: 2, chance: chanceOf(0.5) }),
      toFork('multipath', { segment: 3, chance: chanceOf(0.25) }, { segment: 4, chance: chanceOf(0.75) }),
      toEnd('delivered'),
      toEnd('no-route'),
      toEnd('delivered'),
    ]);
    expect(chancesOf(trace)).toEqual({
      2: chanceOf(0.5),
      3: chanceOf(0.125),
      4: chanceOf(0.375),
    });
  });

  test('an undecided rule leaves both its ends open: neither never, neither certain', () => {
    const trace = traceOf([
      toFork('undecided', { segment: 1, chance: UNDECIDED }, { segment: 2, chance: UNDECIDED }),
      toEnd('dropped-by-rule'),
      toEnd('delivered'),
    ]);
    expect(chancesOf(trace)).toEqual({ 1: UNDECIDED, 2: UNDECIDED });
  });

  test('where the ways of an undecided rule meet again, what comes after is certain', () => {
    const trace = traceOf([
      toFork('undecided', { segment: 1, chance: UNDECIDED }, { segment: 2, chance: UNDECIDED }),
      toFork('random', { segment: 3, chance: CERTAIN }),
      toFork('random', { segment: 3, chance: CERTAIN }),
      toEnd('no-route'),
    ]);
    expect(chancesOf(trace)).toEqual({ 3: CERTAIN });
  });

  test('a merged segment sums its ways in, and never more than all of them', () => {
    const half = chanceOf(0.5);
    const trace = traceOf([
      toFork('undecided', { segment: 1, chance: UNDECIDED }, { segment: 2, chance: UNDECIDED }),
      toFork('random', { segment: 3, chance: half }, { segment: 4, chance: half }),
      toFork('random', { segment: 3, chance: half }, { segment: 4, chance: half }),
      toEnd('no-route'),
      toEnd('delivered'),
    ]);
    expect(chancesOf(trace)).toEqual({ 3: half, 4: half });
  });

  test('one way of an undecided rule that meets a random choice gives an interval', () => {
    const trace = traceOf([
      toFork('undecided', { segment: 1, chance: UNDECIDED }, { segment: 3, chance: UNDECIDED }),
      toFork('random', { segment: 2, chance: chanceOf(0.25) }, { segment: 3, chance: chanceOf(0.75) }),
      toEnd('no-route'),
      toEnd('delivered'),
    ]);
    expect(chancesOf(trace)).toEqual({ 2: { min: 0, max: 0.25 }, 3: { min: 0.75, max: 1 } });
  });

  test('with branches left out nothing is certain any more that only a sum made so', () => {
    const ways = [
      toFork('undecided', { segment: 1, chance: UNDECIDED }, { segment: 2, chance: UNDECIDED }),
      toFork('random', { segment: 3, chance: CERTAIN }),
      toFork('random', { segment: 3, chance: CERTAIN }),
      toEnd('no-route'),
    ];
    expect(chancesOf(traceOf(ways, 7))).toEqual({ 3: UNDECIDED });
  });

  test('a segment that nothing leads to is no leaf', () => {
    const trace = traceOf([toFork('random', { segment: 1, chance: CERTAIN }), toEnd('delivered'), toEnd('no-route')]);
    expect(leavesOf(trace, 'main', 'forward').map((leaf) => leaf.ref.segment)).toEqual([1]);
  });
});

test('tripLeaves names the way back by the forward leaf that it answers', () => {
  const keys = tripLeaves(flow().trip, 'dns/10.96.0.10').map((leaf) => leafKey(leaf.ref));
  expect(keys).toEqual(['dns/10.96.0.10/forward/0', 'dns/10.96.0.10/reply-0/0']);
});

test('a way back counts as much as the way there that it answers', () => {
  const there = traceOf([
    toFork('random', { segment: 1, chance: chanceOf(0.25) }, { segment: 2, chance: chanceOf(0.75) }),
    toEnd('delivered'),
    toEnd('delivered'),
  ]);
  const replies = [
    { leaf: 1, trace: leafTrace('no-route') },
    { leaf: 2, trace: leafTrace('delivered') },
  ];
  const chances = tripLeaves({ forward: there, replies }, 'main').map((leaf) => [leafKey(leaf.ref), leaf.chance]);
  expect(Object.fromEntries(chances)).toEqual({
    'main/forward/1': chanceOf(0.25),
    'main/forward/2': chanceOf(0.75),
    'main/reply-1/0': chanceOf(0.25),
    'main/reply-2/0': chanceOf(0.75),
  });
});
