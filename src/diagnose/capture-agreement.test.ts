import { describe, expect, test } from 'vitest';
import type { Attempt, AttemptOutcome } from '../capture/attempt.ts';
import type { Fate } from '../capture/follow-packets.ts';
import type { WatchPlan, Way, WayStep } from '../capture/watch-plan.ts';
import { hostOf } from '../net/place.ts';
import type { Disposition } from '../simulate/trace.ts';
import { captureAgreement } from './capture-agreement.ts';
import type { Flow } from './derived.ts';
import { CLIENT, CLIENT_PLACE, flow, leafTrace, SERVER, SERVER_PLACE } from './testing/build-case.ts';

const TUPLE = { protocol: 'tcp', source: CLIENT, destination: SERVER } as const;
const POINTS = [
  [CLIENT_PLACE, 'eth0'],
  [hostOf('w1'), 'veth1'],
  [hostOf('w1'), 'eth0'],
  [hostOf('w2'), 'eth0'],
  [hostOf('w2'), 'veth2'],
  [SERVER_PLACE, 'eth0'],
] as const;
const WAYS = ['out', 'in', 'out', 'in', 'out', 'in'] as const;
const STEPS: readonly WayStep[] = WAYS.map((way, point) => ({ point, way, tuple: TUPLE }));

/** The way there, of which the walk says that so many devices are passed. */
function planOf(made: number, end: Disposition): WatchPlan {
  const there: Way = { leg: 'there', steps: STEPS, made, end };
  return { points: POINTS.map(([place, device]) => ({ place, device, tuples: [TUPLE] })), ways: [there], left: 0 };
}

const lostAfter = (index: number): Fate => ({ is: 'lost', after: STEPS[index]!, before: [STEPS[index + 1]!] });

function attempt(outcome: AttemptOutcome, fate: Fate): Attempt {
  return {
    outcome,
    retransmissions: 0,
    packets: [],
    deciding: { key: 'tcp syn 1 0 0', leg: 'there', sending: 1, sightings: [], fate },
  };
}

const dying: Flow = flow({ forward: leafTrace('dropped-by-rule') });
const delivered: Flow = flow();

describe('a loss', () => {
  test('between the devices between which the walk ends', () => {
    // It came in by w1's veth1 and is dropped by a rule there.
    expect(captureAgreement([attempt('lost-there', lostAfter(1))], dying, planOf(2, 'dropped-by-rule'))).toBe('yes');
  });

  test('in a queue that may drop: no walk knows of it', () => {
    const plan = planOf(6, 'delivered');
    const shaped = { ...plan, points: plan.points.map((one, at) => (at === 4 ? { ...one, shaper: 'tbf' } : one)) };
    const lost = attempt('lost-there', { is: 'lost', after: STEPS[3]!, before: [{ ...STEPS[4]!, way: 'out' }] });
    expect(captureAgreement([lost], delivered, shaped)).toBe('unknown');
    expect(captureAgreement([lost], delivered, plan)).toBe('no');
  });

  test('elsewhere than the walk ends', () => {
    expect(captureAgreement([attempt('lost-there', lostAfter(3))], dying, planOf(2, 'dropped-by-rule'))).toBe('no');
    expect(captureAgreement([attempt('lost-there', lostAfter(0))], dying, planOf(4, 'dropped-by-rule'))).toBe('no');
  });

  test('where the walk passes, within a node', () => {
    expect(captureAgreement([attempt('lost-there', lostAfter(3))], delivered, planOf(6, 'delivered'))).toBe('no');
  });

  test('where the walk passes, between two nodes: nobody’s state tells', () => {
    expect(captureAgreement([attempt('lost-there', lostAfter(2))], delivered, planOf(6, 'delivered'))).toBe('unknown');
  });
});

describe('what came back', () => {
  const arrived: Fate = { is: 'arrived', at: STEPS[5]! };

  test('an answer, and the walk is delivered', () => {
    expect(captureAgreement([attempt('answered', arrived)], delivered, planOf(6, 'delivered'))).toBe('yes');
  });

  test('an answer that nobody waits for, and the walk says the same', () => {
    const untranslated = flow({ forward: leafTrace('reply-not-matched') });
    expect(captureAgreement([attempt('mismatched', arrived)], untranslated, planOf(6, 'delivered'))).toBe('yes');
    expect(captureAgreement([attempt('mismatched', arrived)], delivered, planOf(6, 'delivered'))).toBe('no');
  });

  test('an answer, and the walk certainly dies', () => {
    expect(captureAgreement([attempt('answered', arrived)], dying, planOf(2, 'dropped-by-rule'))).toBe('no');
  });

  test('a reset, and the walk ends where nobody listens', () => {
    const refused = flow({ forward: leafTrace('no-listener', { senderSees: 'reset' }) });
    expect(captureAgreement([attempt('refused', arrived)], refused, planOf(6, 'no-listener'))).toBe('yes');
    expect(captureAgreement([attempt('refused', arrived)], delivered, planOf(6, 'delivered'))).toBe('no');
  });

  test('nothing, though it arrived: of TCP the walk has overlooked something', () => {
    expect(captureAgreement([attempt('unanswered', arrived)], delivered, planOf(6, 'delivered'))).toBe('no');
    const datagram: Flow = { ...delivered, protocol: 'udp' };
    expect(captureAgreement([attempt('unanswered', arrived)], datagram, planOf(6, 'delivered'))).toBe('yes');
  });
});

test('one attempt that contradicts the walk is enough, and without any nothing is known', () => {
  const arrived: Fate = { is: 'arrived', at: STEPS[5]! };
  const attempts = [attempt('answered', arrived), attempt('lost-there', lostAfter(3))];
  expect(captureAgreement(attempts, delivered, planOf(6, 'delivered'))).toBe('no');
  expect(captureAgreement([], delivered, planOf(6, 'delivered'))).toBe('unknown');
});
