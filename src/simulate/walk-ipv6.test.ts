import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { hostOf, podPlace } from '../net/place.ts';
import { simulateRoundTrip } from './simulate-round-trip.ts';
import { buildPacket, tcpSyn } from './testing/build-hook-input.ts';
import { type Edit, edited, parseRecording } from './testing/recording.ts';
import type { LeafEnd, Trace } from './trace.ts';

/**
 * Recorded from namespaces: two pods, each on its own veth without a bridge (as the ptp plugin makes them) and with a
 * link-local gateway; ip6tables-nft with one DNAT and a FORWARD policy of DROP. The API's lists are made up.
 */
const REPLIES = parseRecording(readFileSync(new URL('fixtures/ptp-ipv6.json', import.meta.url), 'utf8'));
const W1 = hostOf('w1');
const A = podPlace('w1', 'demo', 'a');
const B = podPlace('w1', 'demo', 'b');
const PING: L4 = { protocol: 'icmpv6', type: 128, code: 0, id: 7 };

function walk(destination: string, l4: L4, edits: readonly Edit[] = [], lengthBytes = 80) {
  const packet = buildPacket({ source: 'fd00:10::1', destination, l4, lengthBytes });
  return simulateRoundTrip(
    { snapshot: edited(REPLIES, edits), gate: { parts: [], podAddressesRoutable: 'no' } },
    { from: A, packet },
  );
}

const leaves = (trace: Trace): LeafEnd[] =>
  trace.segments.flatMap((segment) => ('end' in segment.then ? [segment.then] : []));
const ends = (trip: ReturnType<typeof walk>) => [
  ...leaves(trip.forward).map((leaf) => leaf.end),
  ...trip.replies.flatMap((reply) => leaves(reply.trace).map((leaf) => leaf.end)),
];

describe('IPv6 between pods on veths of their own', () => {
  it('delivers there and back, also through a translation', () => {
    expect(ends(walk('fd00:10::2', tcpSyn(8080)))).toEqual(['delivered', 'delivered']);
    const trip = walk('fd00:96::a', tcpSyn(80));
    expect(ends(trip)).toEqual(['delivered', 'delivered']);
    expect(leaves(trip.forward)[0]!.packet).toMatchObject({ ip: { destination: 'fd00:10::2', ttl: 63 } });
    expect(ends(walk('fd00:10::2', PING))).toEqual(['delivered', 'delivered']);
  });

  it('drops by the policy what no rule accepts', () => {
    expect(leaves(walk('fd00:10::2', tcpSyn(8081)).forward)[0]).toMatchObject({ end: 'dropped-by-rule', place: W1 });
  });

  it('tells the sender that there is no route, in ICMPv6', () => {
    expect(leaves(walk('fd00:10::99', PING).forward)[0]).toMatchObject({
      end: 'no-route',
      senderSees: 'icmp 1/0',
      place: W1,
    });
  });

  it('forwards only where all.forwarding says so', () => {
    const off: Edit = [
      'sysctls',
      W1,
      (text) => {
        const reply = JSON.parse(text) as { files: { path: string; text?: string }[] };
        reply.files.find((file) => file.path === '/proc/sys/net/ipv6/conf/all/forwarding')!.text = '0\n';
        return JSON.stringify(reply);
      },
    ];
    const [leaf] = leaves(walk('fd00:10::2', tcpSyn(8080), [off]).forward);
    expect(leaf).toMatchObject({ end: 'forwarding-disabled', place: W1 });
  });

  it('sends no datagram from an address that no device has, unless a socket is bound to it', () => {
    const udp: L4 = { protocol: 'udp', sourcePort: 5000, destinationPort: 5001 };
    const source = 'fd00:10::77';
    const sent = (edits: readonly Edit[]) => {
      const packet = buildPacket({ source, destination: 'fd00:10::2', l4: udp, lengthBytes: 80 });
      const gate = { parts: [], podAddressesRoutable: 'no' } as const;
      return leaves(simulateRoundTrip({ snapshot: edited(REPLIES, edits), gate }, { from: A, packet }).forward)[0];
    };
    expect(sent([])).toMatchObject({ end: 'no-route', place: A, senderSees: 'error EINVAL' });
    const bound = `udp UNCONN 0 0 [${source}]:5000 [::]:* ino:1 sk:1 cgroup:/ v6only:0 <->\n`;
    expect(sent([['sockets', A, () => bound]])).not.toMatchObject({ place: A });
  });

  it('never fragments on the way: “too big” goes back', () => {
    const small: Edit = ['links', W1, (text) => text.replace(/("ifname":"vethb".*?"mtu":)1500/, '$11280')];
    const [leaf] = leaves(walk('fd00:10::2', tcpSyn(8080), [small], 1400).forward);
    expect(leaf).toMatchObject({ end: 'packet-too-big', senderSees: 'icmp 2/0' });
  });

  it('finds nobody behind the veth when the pod has lost its address', () => {
    const gone: Edit = ['links', B, (text) => text.replace('"fd00:10::2"', '"fd00:10::3"')];
    const old: Edit = ['neighbours', W1, () => '[]'];
    const [leaf] = leaves(walk('fd00:10::2', tcpSyn(8080), [gone, old]).forward);
    expect(leaf).toMatchObject({ end: 'neighbour-unresolved', place: W1, senderSees: 'icmp 1/3' });
  });
});
