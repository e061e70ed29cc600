import { describe, expect, test } from 'vitest';
import type { Disposition, Segment, Trace } from '../simulate/trace.ts';
import { chanceOf, UNDECIDED } from '../simulate/truth.ts';
import { CLIENT_PLACE, flow, leafEnd, leafTrace, packet } from './testing/build-case.ts';
import { walkAnswer } from './walk-answer.ts';

const at = { segment: 0, hop: 0, step: 0 };

/** A walk that forks into these ends. */
function forked(fork: 'random' | 'undecided', ...ends: readonly Disposition[]): Trace {
  const chance = fork === 'undecided' ? UNDECIDED : chanceOf(1 / ends.length);
  const to = ends.map((_, index) => ({ segment: index + 1, chance }));
  const segments: Segment[] = [
    { hops: [], ...leadingTo({ fork, at, to }) },
    ...ends.map((end) => ({ hops: [], ...leadingTo(leafEnd(end)) })),
  ];
  return { packet: packet(), from: CLIENT_PLACE, segments, unwalked: 0 };
}

function leadingTo(then: Segment['then']): Pick<Segment, 'then'> {
  return { then };
}

describe('yes', () => {
  test('delivered there and back', () => {
    expect(walkAnswer(flow())).toEqual({ passed: 'yes', because: 'by the walk: delivered there and back' });
  });

  test('every way of a choice delivered', () => {
    expect(walkAnswer(flow({ forward: forked('random', 'delivered', 'delivered') })).passed).toBe('yes');
  });

  test('outside the cluster with an address that finds its way back', () => {
    const left = leafTrace('left-the-cluster', {
      packet: packet({ source: '10.78.0.11', destination: '198.51.100.9' }),
    });
    expect(walkAnswer(flow({ forward: left })).passed).toBe('yes');
  });
});

describe('no', () => {
  test('lost on the way there', () => {
    expect(walkAnswer(flow({ forward: leafTrace('no-route') }))).toEqual({
      passed: 'no',
      because: 'by the walk: no-route at w1',
    });
  });

  test('lost on the way back', () => {
    const trip = flow({ replies: [{ leaf: 0, trace: leafTrace('dropped-by-rule') }] });
    expect(walkAnswer(trip)).toEqual({ passed: 'no', because: 'by the walk: dropped-by-rule at w1' });
  });

  test('every way of a choice lost, each in its own manner', () => {
    expect(walkAnswer(flow({ forward: forked('random', 'no-route', 'no-listener') })).passed).toBe('no');
    expect(walkAnswer(flow({ forward: forked('undecided', 'no-route', 'no-listener') })).passed).toBe('no');
  });
});

describe('unknown', () => {
  test('an end that could not be told, with its reason', () => {
    const forward = leafTrace('insufficient-information', { because: 'services by cilium: not modelled' });
    expect(walkAnswer(flow({ forward }))).toEqual({
      passed: 'unknown',
      because: 'by the walk: services by cilium: not modelled',
    });
  });

  test('an undecided rule that drops or does not', () => {
    expect(walkAnswer(flow({ forward: forked('undecided', 'dropped-by-rule', 'delivered') })).passed).toBe('unknown');
  });

  test('one backend of two is dead', () => {
    const answer = walkAnswer(flow({ forward: forked('random', 'no-listener', 'delivered') }));
    expect(answer).toEqual({
      passed: 'unknown',
      because: 'by the walk: some ways are delivered, others end in no-listener at w1',
    });
  });

  test('delivered, but the way back of one way dies', () => {
    const forward = forked('random', 'delivered', 'delivered');
    const replies = [
      { leaf: 1, trace: leafTrace('delivered') },
      { leaf: 2, trace: leafTrace('no-route') },
    ];
    expect(walkAnswer(flow({ forward, replies })).passed).toBe('unknown');
  });

  test('branches that were left out, on the way there or back', () => {
    const forward = { ...leafTrace('delivered'), unwalked: 12 };
    expect(walkAnswer(flow({ forward }))).toEqual({
      passed: 'unknown',
      because: 'by the walk: 12 of its ways were left out',
    });
    const back = { ...leafTrace('delivered'), unwalked: 1 };
    expect(walkAnswer(flow({ replies: [{ leaf: 0, trace: back }] })).passed).toBe('unknown');
  });

  test('a way back that was not walked', () => {
    expect(walkAnswer(flow({ replies: [] }))).toEqual({
      passed: 'unknown',
      because: 'by the walk: the way back was not walked',
    });
  });

  test('nothing walked at all', () => {
    const nothing = { packet: packet(), from: CLIENT_PLACE, segments: [], unwalked: 0 };
    expect(walkAnswer(flow({ forward: nothing, replies: [] })).passed).toBe('unknown');
  });
});
