import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Reply } from '../host/host.ts';
import { hostOf, podPlace } from '../net/place.ts';
import { createSnapshot } from '../snapshot/create-snapshot.ts';
import { factKey } from '../snapshot/fact-key.ts';
import type { DatapathGate } from './datapath.ts';
import { simulateRoundTrip, type TripQuestion } from './simulate-round-trip.ts';
import { buildPacket, ECHO, tcpSyn, udpTo } from './testing/build-hook-input.ts';
import { parseRecording } from './testing/recording.ts';
import type { LeafEnd, RoundTrip, Trace } from './trace.ts';

/** Recorded from flannel host-gw on iptables-legacy, with kube-proxy in nftables mode: three rule sets at every hook. */
const REPLIES = parseRecording(readFileSync(new URL('fixtures/host-gw-nftables.json', import.meta.url), 'utf8'));
const GATE: DatapathGate = { parts: [], podAddressesRoutable: 'yes' };

const CLIENT = podPlace('w1', 'demo', 'client-jdvg6');
const W1 = hostOf('w1');
const SERVICE_IP = '10.96.143.21';

const leaves = (trace: Trace): LeafEnd[] =>
  trace.segments.flatMap((segment) => ('end' in segment.then ? [segment.then] : []));
const ends = (trip: RoundTrip) => [
  leaves(trip.forward).map((leaf) => leaf.end),
  trip.replies.flatMap((reply) => leaves(reply.trace).map((leaf) => leaf.end)),
];
const ask = (
  from: TripQuestion['from'],
  packet: Parameters<typeof buildPacket>[0],
  replies: readonly Reply[] = REPLIES,
) => simulateRoundTrip({ snapshot: createSnapshot(replies), gate: GATE }, { from, packet: buildPacket(packet) });

const ONE = [['delivered'], ['delivered']];
const TWO = [
  ['delivered', 'delivered'],
  ['delivered', 'delivered'],
];

describe('host-gw, kube-proxy in nftables mode, flannel on iptables-legacy', () => {
  it('has rules of all three kinds at work', () => {
    const trip = ask(CLIENT, { source: '10.244.0.4', destination: SERVICE_IP, l4: tcpSyn(80) });
    const steps = trip.forward.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
    const backends = new Set(steps.map((step) => step.values.backend).filter((one) => one !== undefined));
    expect([...backends].toSorted()).toEqual(['iptables-legacy', 'iptables-nft', 'nft']);
  });

  it.each([
    ['pod to pod', CLIENT, { source: '10.244.0.4', destination: '10.244.1.3' }, ONE],
    ['pod to pod on its node', CLIENT, { source: '10.244.0.4', destination: '10.244.0.3' }, ONE],
    ['ping', CLIENT, { source: '10.244.0.4', destination: '10.244.1.3', l4: ECHO }, ONE],
    [
      'UDP of full size',
      CLIENT,
      { source: '10.244.0.4', destination: '10.244.1.3', l4: udpTo(8081), lengthBytes: 1500 },
      ONE,
    ],
    ['pod to ClusterIP', CLIENT, { source: '10.244.0.4', destination: SERVICE_IP, l4: tcpSyn(80) }, TWO],
    ['node to ClusterIP', W1, { source: '10.79.0.11', destination: SERVICE_IP, l4: tcpSyn(80) }, TWO],
    ['pod to node', CLIENT, { source: '10.244.0.4', destination: '10.79.0.12', l4: tcpSyn(10250) }, ONE],
    [
      'pod to outside',
      CLIENT,
      { source: '10.244.0.4', destination: '10.79.0.254', l4: tcpSyn(80) },
      [['left-the-cluster'], []],
    ],
  ] as const)('%s', (_, from, packet, expected) => {
    expect(ends(ask(from, packet))).toEqual(expected);
  });

  it('outside to NodePort, through the other node and back the same way', () => {
    const from = { outside: '10.79.0.254' };
    const trip = ask(from, { source: '10.79.0.254', destination: '10.79.0.11', l4: tcpSyn(30080) });
    expect(ends(trip)).toEqual([
      ['delivered', 'delivered'],
      ['left-the-cluster', 'left-the-cluster'],
    ]);
  });

  it('a Service’s port that nothing programmes is refused by kube-proxy’s own rule', () => {
    const trip = ask(CLIENT, { source: '10.244.0.4', destination: SERVICE_IP, l4: tcpSyn(81) });
    expect(leaves(trip.forward)[0]).toMatchObject({ end: 'rejected-by-rule', place: W1 });
  });
});

describe('the loop of walks and questions', () => {
  /** Answers from the recording until the walk wants nothing more; how often it had to ask. */
  function rounds(
    from: TripQuestion['from'],
    packet: Parameters<typeof buildPacket>[0],
  ): { asked: number; trip: RoundTrip } {
    const known = REPLIES.filter((reply) => reply.request.place.node === '');
    const byKey = new Map(REPLIES.map((reply) => [keyOf(reply.request), reply]));
    for (let asked = 0; ; asked++) {
      const trip = ask(from, packet, known);
      const traces = [trip.forward, ...trip.replies.map((reply) => reply.trace)];
      const wants = traces.flatMap((trace) => leaves(trace).flatMap((leaf) => leaf.wants));
      const answers = wants.flatMap((want) => byKey.get(keyOf(want)) ?? []);
      if (answers.length === 0) return { asked, trip };
      known.push(...new Set(answers));
    }
  }
  const keyOf = (request: Reply['request']) => factKey(request.action, request.place, request.args);

  it('learns a pod-to-Service path from nothing in few rounds', () => {
    const { asked, trip } = rounds(CLIENT, { source: '10.244.0.4', destination: SERVICE_IP, l4: tcpSyn(80) });
    expect(ends(trip)).toEqual(TWO);

    expect(asked).toBeLessThanOrEqual(3);
  });

  it('learns a pod-to-pod path in fewer', () => {
    const { asked, trip } = rounds(CLIENT, { source: '10.244.0.4', destination: '10.244.1.3' });
    expect(ends(trip)).toEqual(ONE);

    expect(asked).toBeLessThanOrEqual(3);
  });
});
