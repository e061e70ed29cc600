import { expect, test } from 'vitest';
import { fakeSnapshot, hop, leafTrace, step } from '../diagnose/testing/build-case.ts';
import { hostOf } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Disposition, Step } from '../simulate/trace.ts';
import { waysOfTrace } from './visits-of-trace.ts';

const W1 = hostOf('w1');
const LINKS = [
  { name: 'cni0', kind: 'bridge' },
  { name: 'veth1', kind: 'veth', master: 'cni0' },
] as unknown as readonly Link[];
const snapshot = fakeSnapshot({ facts: [['links', W1, {}, LINKS]] });

/** The devices that are certainly passed by a packet that came by a bridge's port and died so. */
function made(end: Disposition, steps: readonly Step[]): string[] {
  const trace = leafTrace(end, { place: W1, input: 'veth1', steps, before: [] });
  const [way] = waysOfTrace(trace, snapshot);
  return way!.visits.slice(0, way!.made).map(({ device, way: direction }) => `${direction} ${device}`);
}

test('what was routed has come in by the bridge’s own device', () => {
  expect(made('dropped-by-rule', [step(), step({ kind: 'rule' })])).toEqual(['in veth1', 'in cni0']);
});

test('what the bridge keeps has not, though br_netfilter asked for a route', () => {
  expect(made('bridge-blocked', [step(), step({ kind: 'bridge' })])).toEqual(['in veth1']);
});

test('what dies at br_netfilter’s PREROUTING has not', () => {
  expect(made('dropped-by-rule', [step({ kind: 'rule' })])).toEqual(['in veth1']);
});

test('a device that is no port of a bridge is passed, wherever the packet dies behind it', () => {
  const trace = leafTrace('dropped-by-rule', {
    place: W1,
    input: 'eth0',
    steps: [step({ kind: 'rule' })],
    before: [hop(W1)],
  });
  expect(waysOfTrace(trace, snapshot)[0]!.made).toBe(1);
});
