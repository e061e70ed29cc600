import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { L4, Packet } from '../net/packet.ts';
import { hostOf, type Place, podPlace } from '../net/place.ts';
import { createSnapshot } from '../snapshot/create-snapshot.ts';
import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import type { DatapathGate } from './datapath.ts';
import { simulateRoundTrip, type TripQuestion } from './simulate-round-trip.ts';
import { buildPacket, ECHO, tcpSyn, udpTo } from './testing/build-hook-input.ts';
import { describeTrip } from './testing/describe-trip.ts';
import { type Edit, edited, parseRecording, without } from './testing/recording.ts';
import type { LeafEnd, RoundTrip, Step, Trace } from './trace.ts';

/** Recorded from flannel VXLAN with kube-proxy in iptables mode on iptables-nft, Kubernetes 1.34. */
const REPLIES = parseRecording(readFileSync(new URL('fixtures/flannel-vxlan.json', import.meta.url), 'utf8'));
const HEALTHY = createSnapshot(REPLIES);
const GATE: DatapathGate = { parts: [], podAddressesRoutable: 'no' };

const W1 = hostOf('w1');
const W2 = hostOf('w2');
const CLIENT = podPlace('w1', 'demo', 'client-tf545');
const WEB_1 = podPlace('w1', 'demo', 'web-8tx4m');
const WEB_2 = podPlace('w2', 'demo', 'web-2ql6z');
const CLIENT_IP = '10.244.0.4';
const WEB_1_IP = '10.244.0.3';
const WEB_2_IP = '10.244.1.3';
const SERVICE_IP = '10.96.218.39';
const W1_IP = '10.79.0.11';
const W2_IP = '10.79.0.12';
const OUTSIDE_IP = '10.79.0.254';

interface Ask {
  readonly from?: TripQuestion['from'];
  readonly source?: string;
  readonly isUnbound?: true;
  readonly to?: string;
  readonly l4?: L4;
  readonly lengthBytes?: number;
  readonly gate?: DatapathGate;
}

function packetOf(ask: Ask): Packet {
  return buildPacket({
    source: ask.source ?? CLIENT_IP,
    destination: ask.to ?? WEB_2_IP,
    l4: ask.l4 ?? tcpSyn(8080),
    ...(ask.lengthBytes === undefined ? {} : { lengthBytes: ask.lengthBytes }),
  });
}

function walk(snapshot: Snapshot, ask: Ask = {}): RoundTrip {
  const { from = CLIENT, gate = GATE, isUnbound } = ask;
  return simulateRoundTrip({ snapshot, gate }, { from, packet: packetOf(ask), ...(isUnbound && { isUnbound }) });
}

const leaves = (trace: Trace): LeafEnd[] =>
  trace.segments.flatMap((segment) => ('end' in segment.then ? [segment.then] : []));
const ends = (trip: RoundTrip) => ({
  there: leaves(trip.forward).map((leaf) => leaf.end),
  back: trip.replies.flatMap((reply) => leaves(reply.trace).map((leaf) => leaf.end)),
});
const lastStep = (trace: Trace, leaf: LeafEnd): Step => {
  return trace.segments[leaf.at.segment]!.hops[leaf.at.hop]!.steps[leaf.at.step]!;
};
const places = (trace: Trace) =>
  trace.segments.flatMap((segment) =>
    segment.hops.map((hop) => `${hop.place.node}:${hop.place.namespace} ${hop.input ?? '-'}>${hop.output ?? '-'}`),
  );

function onlyEnd(trip: RoundTrip): { leaf: LeafEnd; step: Step } {
  const all = leaves(trip.forward);
  expect(all, describeTrip(trip).join('\n')).toHaveLength(1);
  return { leaf: all[0]!, step: lastStep(trip.forward, all[0]!) };
}

const DELIVERED = { there: ['delivered'], back: ['delivered'] };

describe('a healthy cluster', () => {
  it('pod to pod on another node: through cni0, VXLAN and the other host, there and back', () => {
    const trip = walk(HEALTHY);
    expect(ends(trip)).toEqual(DELIVERED);
    expect(places(trip.forward)).toEqual([
      'w1:pod/demo/client-tf545 ->eth0',
      'w1:host vethb8e68d63>flannel.1',
      'w1:host ->eth0',
      'w2:host eth0>-',
      'w2:host flannel.1>vetheccf066d',
      'w2:pod/demo/web-2ql6z eth0>-',
    ]);
    const outer = trip.forward.segments[0]!.hops[2]!.packet;
    expect(outer).toMatchObject({
      ip: { source: W1_IP, destination: W2_IP, df: false },
      l4: { protocol: 'udp', destinationPort: 8472 },
      lengthBytes: 110,
      inner: { ip: { source: CLIENT_IP, destination: WEB_2_IP, ttl: 63 } },
    });
    expect(leaves(trip.forward)[0]).toMatchObject({ senderSees: 'reply', place: WEB_2, packet: { ip: { ttl: 62 } } });
  });

  it('pod to pod on the same node: bridged, with the IP hooks that br_netfilter calls', () => {
    const trip = walk(HEALTHY, { to: WEB_1_IP });
    expect(ends(trip)).toEqual(DELIVERED);
    const host = trip.forward.segments[0]!.hops[1]!;
    expect(host.steps.some((step) => step.values.table === 'filter' && step.values.hook === 'forward')).toBe(true);
    expect(leaves(trip.forward)[0]!.packet.ip.ttl).toBe(64);
  });

  it('pod to ClusterIP: each backend a branch with its probability, each with its own answer', () => {
    const trip = walk(HEALTHY, { to: SERVICE_IP, l4: tcpSyn(80) });
    expect(ends(trip)).toEqual({ there: ['delivered', 'delivered'], back: ['delivered', 'delivered'] });
    const { then } = trip.forward.segments[0]!;
    expect(then).toMatchObject({
      fork: 'random',
      to: [{ chance: { min: 0.5, max: 0.5 } }, { chance: { min: 0.5, max: 0.5 } }],
    });
    expect(
      leaves(trip.forward)
        .map((leaf) => leaf.packet.ip.destination)
        .toSorted(),
    ).toEqual([WEB_1_IP, WEB_2_IP]);
    for (const reply of trip.replies) {
      expect(leaves(reply.trace)[0]!.packet).toMatchObject({ ip: { source: SERVICE_IP }, l4: { sourcePort: 80 } });
    }
  });

  it('node to ClusterIP: masqueraded by the device that it leaves by, and turned back', () => {
    const trip = walk(HEALTHY, { from: W1, source: W1_IP, to: SERVICE_IP, l4: tcpSyn(80) });
    expect(ends(trip)).toEqual({ there: ['delivered', 'delivered'], back: ['delivered', 'delivered'] });
    expect(
      leaves(trip.forward)
        .map((leaf) => leaf.packet.ip.source)
        .toSorted(),
    ).toEqual(['10.244.0.0', '10.244.0.1']);
  });

  it('chooses the source by the route where the socket is not bound', () => {
    const trip = walk(HEALTHY, { from: W1, source: '0.0.0.0', to: W2_IP, l4: tcpSyn(10250) });
    expect(ends(trip)).toEqual(DELIVERED);
    expect(leaves(trip.forward)[0]).toMatchObject({ end: 'delivered', packet: { ip: { source: W1_IP } } });
  });

  it('a node’s socket that is not bound speaks to a pod from the tunnel’s address, and the answer comes by the tunnel', () => {
    const trip = walk(HEALTHY, { from: W1, source: W1_IP, isUnbound: true });
    expect(ends(trip)).toEqual(DELIVERED);
    expect(trip.forward.packet.ip.source).toBe('10.244.0.0');
    expect(leaves(trip.forward)[0]!.packet.ip.source).toBe('10.244.0.0');
    expect(trip.replies.map(({ trace }) => places(trace).includes('w2:host vetheccf066d>flannel.1'))).toEqual([true]);
  });

  it('without a route for a socket that is not bound, none is looked up by the address that it does not get', () => {
    const byAddress = edited(REPLIES, [
      json('routes', CLIENT, (all) => all.map((one) => ('gateway' in one ? { ...one, table: '100' } : one))),
      json('rules', CLIENT, (all) => [...all, { priority: 100, src: CLIENT_IP, table: '100' }]),
    ]);
    const trip = walk(byAddress, { isUnbound: true });
    expect(ends(trip).there).toEqual(['no-route']);
    expect(trip.forward.packet.ip.source).toBe(CLIENT_IP);
    expect(ends(walk(byAddress)).there).toEqual(['delivered']);
  });

  it('where chance decides between routes of different addresses, one is walked, and the others are told to be left out', () => {
    const route = (device: string, via: string) => ({
      via: { family: 'inet', host: via },
      dev: device,
      weight: 1,
      flags: [],
    });
    const two = edited(REPLIES, [
      json('routes', W1, (all) => [
        ...all,
        { dst: OUTSIDE_IP, nexthops: [route('eth0', '10.79.0.12'), route('cni0', '10.244.0.3')], flags: [] },
      ]),
    ]);
    const trip = walk(two, { from: W1, source: W1_IP, to: OUTSIDE_IP, isUnbound: true });
    expect(trip.forward.unwalked).toBe(1);
    expect(walk(two, { from: W1, source: W1_IP, to: OUTSIDE_IP }).forward.unwalked).toBe(0);
  });

  it('pod to outside leaves with the node’s address', () => {
    const trip = walk(HEALTHY, { to: OUTSIDE_IP, l4: tcpSyn(80) });
    expect(onlyEnd(trip).leaf).toMatchObject({ end: 'left-the-cluster', packet: { ip: { source: W1_IP } } });
    expect(trip.replies).toEqual([]);
  });

  it('outside to NodePort: the answer leaves as the address that was asked', () => {
    const trip = walk(HEALTHY, { from: { outside: OUTSIDE_IP }, source: OUTSIDE_IP, to: W1_IP, l4: tcpSyn(30080) });
    expect(ends(trip)).toEqual({ there: ['delivered', 'delivered'], back: ['left-the-cluster', 'left-the-cluster'] });
    for (const reply of trip.replies) {
      expect(leaves(reply.trace)[0]).toMatchObject({
        senderSees: 'reply',
        packet: { ip: { source: W1_IP, destination: OUTSIDE_IP } },
      });
    }
  });

  it('pod to a node’s own socket', () => {
    expect(ends(walk(HEALTHY, { to: W2_IP, l4: tcpSyn(10250) }))).toEqual(DELIVERED);
    expect(ends(walk(HEALTHY, { to: W1_IP, l4: tcpSyn(10250) }))).toEqual(DELIVERED);
  });

  it('node to node, and to itself by loopback', () => {
    expect(ends(walk(HEALTHY, { from: W1, source: W1_IP, to: W2_IP, l4: tcpSyn(10250) }))).toEqual(DELIVERED);
    expect(ends(walk(HEALTHY, { from: W1, source: W1_IP, to: W1_IP, l4: tcpSyn(10250) }))).toEqual(DELIVERED);
    expect(ends(walk(HEALTHY, { from: W1, source: '127.0.0.1', to: '127.0.0.1', l4: tcpSyn(10248) }))).toEqual(
      DELIVERED,
    );
  });

  it('ping: the kernel answers a pod’s address; a ClusterIP answers none and is not called reachable', () => {
    expect(ends(walk(HEALTHY, { l4: ECHO }))).toEqual(DELIVERED);
    expect(onlyEnd(walk(HEALTHY, { to: SERVICE_IP, l4: ECHO })).leaf.end).toBe('left-the-cluster');
  });

  it('a packet of the pod’s full MTU passes the tunnel', () => {
    expect(ends(walk(HEALTHY, { l4: udpTo(8081), lengthBytes: 1450 }))).toEqual(DELIVERED);
  });

  it('costs no more than some milliseconds', () => {
    walk(HEALTHY);
    const start = performance.now();
    walk(HEALTHY, { to: SERVICE_IP, l4: tcpSyn(80) });
    expect(performance.now() - start).toBeLessThan(500);
  });
});

/** Text edits, as the tool would print the changed state. */
const save = (place: Place, edit: (text: string) => string): Edit => ['iptables.nft', place, edit];
const policy = (chain: string, to: string) => (text: string) =>
  text.replace(new RegExp(`:${chain} ACCEPT`), `:${chain} ${to}`);
const filterPolicy = (chain: string) => (text: string) => {
  const [before, after] = text.split('*filter');
  return `${before}*filter${policy(chain, 'DROP')(after!)}`;
};
const appendFilter = (rule: string) => (text: string) => {
  const [before, after] = text.split('*filter');
  return `${before}*filter${after!.replace(/\n(\[\d+:\d+\] -A INPUT)/, `\n[0:0] ${rule}\n$1`)}`;
};
const sysctl = (place: Place, path: string, value: string): Edit => [
  'sysctls',
  place,
  (text) => {
    const reply = JSON.parse(text) as { files: { path: string; text?: string }[] };
    const file = reply.files.find((one) => one.path === `/proc/sys/net/${path}`);
    if (file) file.text = `${value}\n`;
    else throw new Error(`no ${path} in the recording`);
    return JSON.stringify(reply);
  },
];
type Json = Record<string, unknown>;
const json = (name: Edit[0], place: Place, edit: (items: Json[]) => Json[]): Edit => [
  name,
  place,
  (text) => JSON.stringify(edit(JSON.parse(text.split('\n')[0]!) as Json[])),
];
const link = (place: Place, device: string, change: (link: Json) => Json): Edit =>
  json('links', place, (links) => links.map((one) => (one.ifname === device ? change(one) : one)));
const down = (one: Json): Json => ({ ...one, flags: ['BROADCAST', 'MULTICAST'], operstate: 'DOWN' });

describe('the port that a client’s kernel chooses', () => {
  const dropped = (ports: string) =>
    save(W1, (text) => text.replace(/(\n)(\[\d+:\d+\] )?(-A FORWARD )/, `$1-A FORWARD -p tcp ${ports} -j DROP$1$2$3`));
  const endsWith = (range: string, ports: string, ask: Ask = {}) =>
    ends(walk(edited(REPLIES, [sysctl(CLIENT, 'ipv4/ip_local_port_range', range), dropped(ports)]), ask));

  it('is of the range of its own namespace, there and back', () => {
    expect(ends(walk(edited(REPLIES, [dropped('-m tcp --sport 9000:32767')])))).toEqual(DELIVERED);
    expect(endsWith('20000\t30000', '-m tcp --sport 9000:32767').there).toEqual(['dropped-by-rule']);
    expect(endsWith('1024\t65535', '-m tcp --sport 9000:32767').there.toSorted()).toEqual([
      'delivered',
      'dropped-by-rule',
    ]);
    expect(endsWith('20000\t30000', '-m tcp --dport 20000:30000')).toEqual({
      there: ['delivered'],
      back: ['dropped-by-rule'],
    });
  });

  it('is of any range where a client outside has chosen it', () => {
    const asked: Ask = { from: { outside: OUTSIDE_IP }, source: OUTSIDE_IP, to: W1_IP, l4: tcpSyn(10250) };
    const withInput = (ports: string) =>
      save(W1, (text) => text.replace(/\n(\[\d+:\d+\] )?(-A INPUT )/, `\n-A INPUT -p tcp -m tcp ${ports} -j DROP\n$2`));
    const there = (ports: string) => ends(walk(edited(REPLIES, [withInput(ports)]), asked)).there.toSorted();
    expect(there('--sport 1:1023')).toEqual(['delivered']);
    expect(there('--sport 1024:32767')).toEqual(['delivered', 'dropped-by-rule']);
  });
});

describe('faults die at the right step', () => {
  const dies = (edits: readonly Edit[], ask: Ask = {}) => onlyEnd(walk(edited(REPLIES, edits), ask));

  it('FORWARD policy DROP (without flannel’s accepts)', () => {
    const { leaf, step } = dies([
      save(W1, (text) => filterPolicy('FORWARD')(text).replaceAll(/\[\d+:\d+\] -A FLANNEL-FWD .*\n/g, '')),
    ]);
    expect(leaf).toMatchObject({ end: 'dropped-by-rule', place: W1, senderSees: 'nothing' });
    expect(step).toMatchObject({
      kind: 'policy',
      values: { backend: 'iptables-nft', table: 'filter', chain: 'FORWARD', policy: 'DROP' },
    });
  });

  it('FORWARD policy DROP that a rule of the CNI accepts before is no fault', () => {
    expect(ends(walk(edited(REPLIES, [save(W1, filterPolicy('FORWARD')), save(W2, filterPolicy('FORWARD'))])))).toEqual(
      DELIVERED,
    );
  });

  it('a REJECT in FORWARD tells the sender', () => {
    const reject = appendFilter('-A FORWARD -d 10.244.1.0/24 -j REJECT --reject-with icmp-host-prohibited');
    const { leaf, step } = dies([save(W1, reject)]);
    expect(leaf).toMatchObject({ end: 'rejected-by-rule', senderSees: 'icmp 3/10' });
    expect(step.values).toMatchObject({ chain: 'FORWARD', ruleNumber: 1, verdict: 'reject' });
  });

  it('the overlay’s port dropped at the receiver: the outer packet’s death there', () => {
    const rule = '-A INPUT -p udp -m udp --dport 8472 -j DROP';
    const { leaf, step } = dies([save(W2, appendFilter(rule))]);
    expect(leaf).toMatchObject({
      end: 'dropped-by-rule',
      place: W2,
      packet: { inner: { ip: { destination: WEB_2_IP } } },
    });
    expect(step.values.ruleText).toBe(rule);
  });

  it('a raw drop, and a legacy table beside nft', () => {
    const raw = '*raw\n:PREROUTING ACCEPT [0:0]\n[0:0] -A PREROUTING -s 10.244.0.4/32 -j DROP\nCOMMIT\n';
    const { leaf, step } = dies([['iptables.legacy', W1, () => raw]]);
    expect(leaf).toMatchObject({ end: 'dropped-by-rule', place: W1 });
    expect(step.values).toMatchObject({ backend: 'iptables-legacy', table: 'raw', hook: 'prerouting' });
  });

  it('ip_forward 0: silently, and the key is named', () => {
    const { leaf, step } = dies([sysctl(W1, 'ipv4/ip_forward', '0'), sysctl(W1, 'ipv4/conf/cni0/forwarding', '0')]);
    expect(leaf).toMatchObject({ end: 'forwarding-disabled', place: W1, senderSees: 'nothing' });
    expect(step).toMatchObject({
      kind: 'sysctl',
      values: { key: 'net.ipv4.ip_forward', value: '0', check: 'forwarding' },
    });
  });

  it('forwarding off on one interface alone', () => {
    const { leaf, step } = dies([sysctl(W2, 'ipv4/conf/flannel.1/forwarding', '0')]);
    expect(leaf).toMatchObject({ end: 'forwarding-disabled', place: W2 });
    expect(step.values).toMatchObject({ key: 'net.ipv4.conf.flannel/1.forwarding', device: 'flannel.1' });
  });

  it('the route to the other node’s pods deleted: it goes to the default gateway and out', () => {
    const { leaf } = dies([json('routes', W1, (routes) => routes.filter((one) => one.dst !== '10.244.1.0/24'))]);
    expect(leaf).toMatchObject({ end: 'left-the-cluster', place: W1, packet: { ip: { destination: WEB_2_IP } } });
  });

  it('no route at all: the sender is told', () => {
    const routes = json('routes', W1, (all) =>
      all.filter((one) => one.dst !== '10.244.1.0/24' && one.dst !== 'default'),
    );
    const { leaf, step } = dies([routes]);
    expect(leaf).toMatchObject({ end: 'no-route', place: W1, senderSees: 'icmp 3/0' });
    expect(step).toMatchObject({ kind: 'route', matched: 'no', values: { reason: 'no-match', address: WEB_2_IP } });
  });

  it.each([
    ['blackhole', 'nothing'],
    ['unreachable', 'icmp 3/1'],
    ['prohibit', 'icmp 3/13'],
  ])('a %s route', (type, sees) => {
    const route = { type, dst: '10.244.1.0/24', table: 'main', protocol: 'static', scope: 'global', flags: [] };
    const { leaf } = dies([json('routes', W1, (all) => [...all.filter((one) => one.dst !== '10.244.1.0/24'), route])]);
    expect(leaf).toMatchObject({ end: 'route-unreachable', senderSees: sees });
  });

  it('the pod’s default route missing', () => {
    const { leaf } = dies([json('routes', CLIENT, (all) => all.filter((one) => !('gateway' in one)))]);
    expect(leaf).toMatchObject({ end: 'no-route', place: CLIENT });
  });

  it('a wrong VXLAN forwarding entry: the outer packet goes to the wrong host', () => {
    const { leaf } = dies([
      json('fdb', W1, (all) => all.map((one) => (one.dst === W2_IP ? { ...one, dst: '10.79.0.99' } : one))),
    ]);
    expect(leaf).toMatchObject({ end: 'left-the-cluster', packet: { ip: { destination: '10.79.0.99' } } });
  });

  it('no VXLAN forwarding entry', () => {
    const { leaf, step } = dies([json('fdb', W1, (all) => all.filter((one) => one.dst !== W2_IP))]);
    expect(leaf).toMatchObject({ end: 'tunnel-dropped', place: W1 });
    expect(step.values).toMatchObject({ reason: 'no-fdb-entry', device: 'flannel.1' });
  });

  it('a wrong neighbour entry on the VXLAN device: the receiver drops what is not for its MAC', () => {
    const wrong = '02:00:00:00:00:99';
    const { leaf, step } = dies([
      json('neighbours', W1, (all) => all.map((one) => (one.dst === '10.244.1.0' ? { ...one, lladdr: wrong } : one))),
      json('fdb', W1, (all) => all.map((one) => (one.dst === W2_IP ? { ...one, mac: wrong } : one))),
    ]);
    expect(leaf).toMatchObject({ end: 'not-for-this-mac', place: W2 });
    expect(step.values).toMatchObject({ device: 'flannel.1', destinationMac: wrong, reason: 'other-host' });
  });

  it('the VXLAN device has another MAC than the peer’s entries say', () => {
    const { leaf } = dies([link(W2, 'flannel.1', (one) => ({ ...one, address: '02:00:00:00:00:98' }))]);
    expect(leaf).toMatchObject({ end: 'not-for-this-mac', place: W2 });
  });

  it('no neighbour entry on the VXLAN device: nobody can be asked', () => {
    const { leaf, step } = dies([json('neighbours', W1, (all) => all.filter((one) => one.dst !== '10.244.1.0'))]);
    expect(leaf).toMatchObject({ end: 'neighbour-unresolved', place: W1, senderSees: 'icmp 3/1' });
    expect(step.values).toMatchObject({ device: 'flannel.1', address: '10.244.1.0' });
  });

  it('another VNI at the receiver, and its VXLAN device down', () => {
    const vni = (one: Json): Json => {
      const info = one.linkinfo as { info_data: Json };
      return { ...one, linkinfo: { ...info, info_data: { ...info.info_data, id: 2 } } };
    };
    const other = dies([link(W2, 'flannel.1', vni)]);
    expect(other.leaf.end).toBe('tunnel-dropped');
    expect(other.step.values).toMatchObject({ reason: 'vni-unknown', vni: 1 });
    const isDown = dies([
      link(W2, 'flannel.1', down),
      ['sockets', W2, (text) => text.replace(/^udp UNCONN .*:8472 .*$/m, '')],
    ]);
    expect(isDown.leaf).toMatchObject({ end: 'no-listener', place: W2, packet: { l4: { destinationPort: 8472 } } });
  });

  it('a permanent neighbour entry with a wrong MAC on the NIC: nobody takes the frame', () => {
    const entry = { dst: W2_IP, dev: 'eth0', lladdr: '02:00:00:00:00:97', state: ['PERMANENT'] };
    const { leaf, step } = dies([json('neighbours', W1, (all) => [...all.filter((one) => one.dst !== W2_IP), entry])]);
    expect(leaf).toMatchObject({ end: 'not-for-this-mac', place: W1 });
    expect(step).toMatchObject({
      kind: 'neighbour',
      values: { mac: '02:00:00:00:00:97', address: W2_IP, device: 'eth0' },
    });
    expect(step.values.ownerMac).toMatch(/^[0-9a-f:]{17}$/);
  });

  it('a stale entry with an old MAC serves until asking again has mended it: time decides, which is no sure fault', () => {
    const entry = { dst: W2_IP, dev: 'eth0', lladdr: '02:00:00:00:00:97', state: ['STALE'] };
    const snapshot = edited(REPLIES, [
      json('neighbours', W1, (all) => [...all.filter((one) => one.dst !== W2_IP), entry]),
    ]);
    const trip = walk(snapshot);
    expect(ends(trip)).toEqual({ ...DELIVERED, there: ['not-for-this-mac', 'delivered'] });
    const [fork] = trip.forward.segments.flatMap(({ then }) => ('fork' in then ? [then] : []));
    expect(fork).toMatchObject({ fork: 'undecided', to: [{ chance: { min: 0 } }, { chance: { min: 0 } }] });
  });

  it('a failed entry for a node that holds the address is told, and does not end the walk', () => {
    const entry = { dst: W2_IP, dev: 'eth0', state: ['FAILED'] };
    const snapshot = edited(REPLIES, [
      json('neighbours', W1, (all) => [...all.filter((one) => one.dst !== W2_IP), entry]),
    ]);
    const trip = walk(snapshot);
    expect(ends(trip)).toEqual(DELIVERED);
    const steps = trip.forward.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
    expect(steps.find((step) => step.kind === 'neighbour' && step.values.state === 'FAILED')).toMatchObject({
      matched: 'unknown',
    });
  });

  it('the target’s address is gone from its pod: nobody answers on the bridge', () => {
    const failed = json('neighbours', W2, (all) =>
      all.map((one) => (one.dst === WEB_2_IP ? { dst: WEB_2_IP, dev: 'cni0', state: ['FAILED'] } : one)),
    );
    const { leaf, step } = dies([link(WEB_2, 'eth0', (one) => ({ ...one, addr_info: [] })), failed]);
    expect(leaf).toMatchObject({ end: 'neighbour-unresolved', place: W2 });
    expect(step.values).toMatchObject({ address: WEB_2_IP, device: 'cni0' });
  });

  it.each([
    ['cni0', W1],
    ['flannel.1', W1],
    ['eth0', W1],
    ['cni0', W2],
  ])('%s down', (device, place) => {
    const { leaf, step } = dies([link(place, device, down)]);
    expect(leaf).toMatchObject({ end: 'link-down', place });
    expect(step.values).toMatchObject({ device, up: false, reason: 'down' });
  });

  it('a device without a carrier: the sender is told in the end', () => {
    const pulled = (one: Json): Json => ({
      ...one,
      flags: ['NO-CARRIER', 'BROADCAST', 'MULTICAST', 'UP'],
      operstate: 'DOWN',
    });
    const { leaf, step } = dies([link(W1, 'eth0', pulled)], { from: W1, source: W1_IP, to: W2_IP, l4: tcpSyn(10250) });
    expect(leaf).toMatchObject({ end: 'link-down', senderSees: 'icmp 3/1' });
    expect(step.values).toMatchObject({ device: 'eth0', carrier: false, reason: 'no-carrier' });
    expect(dies([link(W1, 'eth0', pulled)]).leaf.senderSees).toBe('nothing');
  });

  it('the pod’s own end, or the host’s end of its veth, down', () => {
    expect(dies([link(WEB_2, 'eth0', down)]).leaf).toMatchObject({ end: 'link-down', place: WEB_2 });
    expect(dies([link(W1, 'vethb8e68d63', down)]).leaf).toMatchObject({ end: 'link-down', place: W1 });
  });

  it('rp_filter strict on a device that the way back does not leave by', () => {
    const toEth0 = json('routes', W2, (all) =>
      all.map((one) => (one.dst === '10.244.0.0/24' ? { ...one, gateway: W1_IP, dev: 'eth0' } : one)),
    );
    const { leaf, step } = dies([sysctl(W2, 'ipv4/conf/all/rp_filter', '1'), toEth0]);
    expect(leaf).toMatchObject({ end: 'reverse-path-filtered', place: W2 });
    expect(step.values).toMatchObject({
      check: 'rp_filter',
      key: 'net.ipv4.conf.all.rp_filter',
      value: '1',
      device: 'flannel.1',
      routeDevice: 'eth0',
    });
  });

  it('rp_filter strict where the way back is the same device is no fault', () => {
    const strict = [sysctl(W1, 'ipv4/conf/all/rp_filter', '1'), sysctl(W2, 'ipv4/conf/all/rp_filter', '1')];
    expect(ends(walk(edited(REPLIES, strict)))).toEqual(DELIVERED);
  });

  it('rp_filter loose drops only a source without any route', () => {
    const noDefault = json('routes', W1, (all) => all.filter((one) => one.dst !== 'default'));
    const ask: Ask = { from: { outside: '192.0.2.9' }, source: '192.0.2.9', to: W1_IP, l4: tcpSyn(10250) };
    expect(dies([sysctl(W1, 'ipv4/conf/all/rp_filter', '2'), noDefault], ask).leaf.end).toBe('reverse-path-filtered');
    const loose = edited(REPLIES, [sysctl(W1, 'ipv4/conf/all/rp_filter', '2')]);
    expect(leaves(walk(loose, ask).forward)[0]!.end).toBe('delivered');
  });

  it('a martian: a group’s address as source from a wire; 127/8 is one unless route_localnet lets it in', () => {
    const ask = (source: string): Ask => ({ from: { outside: source }, source, to: W1_IP, l4: tcpSyn(10250) });
    expect(dies([['tc-filters', W1, () => '[]']], ask('224.0.0.9')).leaf.end).toBe('martian');
    const localnet = /(conf\/[^/]+\/route_localnet","text":")1/g;
    const closed = (text: string) => text.replaceAll(localnet, '$10');
    expect(dies([['sysctls', W1, closed]], ask('127.0.0.5')).leaf.end).toBe('martian');
  });

  it('MASQUERADE missing: the packet leaves with the pod’s address', () => {
    const edit = (text: string) => text.replaceAll(/\[\d+:\d+\] -A FLANNEL-POSTRTG .*-j MASQUERADE.*\n/g, '');
    const { leaf } = dies([save(W1, edit)], { to: OUTSIDE_IP, l4: tcpSyn(80) });
    expect(leaf).toMatchObject({ end: 'left-the-cluster', packet: { ip: { source: CLIENT_IP } } });
  });

  it('no Service rules: the ClusterIP leaves by the default route', () => {
    const edit = (text: string) => text.replaceAll(/\[\d+:\d+\] -A KUBE-SERVICES .*\n/g, '');
    const { leaf } = dies([save(W1, edit)], { to: SERVICE_IP, l4: tcpSyn(80) });
    expect(leaf).toMatchObject({ end: 'left-the-cluster', packet: { ip: { destination: SERVICE_IP } } });
  });

  it('no listener: a reset for TCP, ICMP 3/3 for UDP', () => {
    expect(onlyEnd(walk(HEALTHY, { l4: tcpSyn(9999) })).leaf).toMatchObject({
      end: 'no-listener',
      senderSees: 'reset',
      place: WEB_2,
    });
    expect(onlyEnd(walk(HEALTHY, { l4: udpTo(9999) })).leaf).toMatchObject({
      end: 'no-listener',
      senderSees: 'icmp 3/3',
    });
  });

  it('a listener on loopback or another address is named', () => {
    const listens = (address: string): Edit => [
      'sockets',
      WEB_2,
      (text) => text.replace(/\*:8080 /, `${address}:8080 `),
    ];
    const { leaf, step } = dies([listens('127.0.0.1')]);
    expect(leaf).toMatchObject({ end: 'no-listener', senderSees: 'reset' });
    expect(step.values).toMatchObject({
      boundTo: '127.0.0.1',
      process: 'agnhost',
      reason: 'other-address',
      port: 8080,
    });
    expect(ends(walk(edited(REPLIES, [listens('0.0.0.0')])))).toEqual(DELIVERED);
    expect(ends(walk(edited(REPLIES, [listens(WEB_2_IP)])))).toEqual(DELIVERED);
    const only6: Edit = ['sockets', WEB_2, (text) => text.replaceAll('v6only:0', 'v6only:1')];
    expect(dies([listens('[::]'), only6]).step.values.reason).toBe('v6only');
    expect(ends(walk(edited(REPLIES, [listens('[::]')])))).toEqual(DELIVERED);
  });

  it('hairpin: a pod that picks itself behind its Service needs its port’s hairpin mode', () => {
    const ask: Ask = { from: WEB_1, source: WEB_1_IP, to: SERVICE_IP, l4: tcpSyn(80) };
    expect(ends(walk(HEALTHY, ask)).there).toEqual(['delivered', 'delivered']);
    const off = link(W1, 'veth318a2b89', (one) => {
      const info = one.linkinfo as { info_slave_data: Json };
      return { ...one, linkinfo: { ...info, info_slave_data: { ...info.info_slave_data, hairpin: false } } };
    });
    const trip = walk(edited(REPLIES, [off]), ask);
    const blocked = leaves(trip.forward).find((leaf) => leaf.end === 'bridge-blocked')!;
    expect(lastStep(trip.forward, blocked).values).toMatchObject({
      reason: 'hairpin-off',
      port: 'veth318a2b89',
      bridge: 'cni0',
    });
  });

  it('isolated ports, and a port that does not forward', () => {
    const port = (device: string, data: Json) =>
      link(W1, device, (one) => {
        const info = one.linkinfo as { info_slave_data: Json };
        return { ...one, linkinfo: { ...info, info_slave_data: { ...info.info_slave_data, ...data } } };
      });
    const isolated = [port('veth318a2b89', { isolated: true }), port('vethb8e68d63', { isolated: true })];
    expect(dies(isolated, { to: WEB_1_IP }).step.values).toMatchObject({ reason: 'isolated' });
    const blocking = dies([port('vethb8e68d63', { state: 'blocking' })], { to: WEB_1_IP });
    expect(blocking.leaf.end).toBe('bridge-blocked');
    expect(blocking.step.values).toMatchObject({ reason: 'port-state', state: 'blocking', port: 'vethb8e68d63' });
  });

  it('bridge-nf-call-iptables 0: the same-node answer of a Service is not turned back', () => {
    const snapshot = edited(REPLIES, [sysctl(W1, 'bridge/bridge-nf-call-iptables', '0')]);
    const trip = walk(snapshot, { to: SERVICE_IP, l4: tcpSyn(80) });
    const byBackend = trip.replies.map((reply) => {
      const { then } = trip.forward.segments[reply.leaf]!;
      return [(then as LeafEnd).packet.ip.destination, leaves(reply.trace)[0]!.end];
    });
    expect(Object.fromEntries(byBackend)).toEqual({ [WEB_1_IP]: 'reply-not-matched', [WEB_2_IP]: 'delivered' });
  });

  it('ip_forward 0 stops also a backend on the same bridge: its route is an error', () => {
    const off = [sysctl(W1, 'ipv4/ip_forward', '0'), sysctl(W1, 'ipv4/conf/cni0/forwarding', '0')];
    const trip = walk(edited(REPLIES, off), { to: SERVICE_IP, l4: tcpSyn(80) });
    expect(ends(trip).there).toEqual(['forwarding-disabled', 'forwarding-disabled']);
  });
});

describe('MTU', () => {
  const mtu = (place: Place, device: string, bytes: number) => link(place, device, (one) => ({ ...one, mtu: bytes }));

  it('a smaller MTU on the path answers “too big” to a packet that may not be fragmented', () => {
    const snapshot = edited(REPLIES, [mtu(W1, 'flannel.1', 1400)]);
    const { leaf, step } = onlyEnd(walk(snapshot, { lengthBytes: 1450 }));
    expect(leaf).toMatchObject({ end: 'packet-too-big', senderSees: 'icmp 3/4', place: W1 });
    expect(step.values).toMatchObject({ device: 'flannel.1', mtu: 1400, lengthBytes: 1450, act: 'too-big' });
    expect(ends(walk(snapshot))).toEqual(DELIVERED);
  });

  it('a smaller NIC makes fragments of the outer packet, which is no loss', () => {
    const both = [mtu(W1, 'eth0', 1450), mtu(W2, 'eth0', 1450)];
    const trip = walk(edited(REPLIES, both), { l4: udpTo(8081), lengthBytes: 1450 });
    expect(ends(trip)).toEqual(DELIVERED);
    const steps = trip.forward.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
    expect(steps.filter((step) => step.kind === 'mtu').map((step) => step.values.act)).toEqual(['fragmented']);
  });

  it('a NIC that is a veth drops what the other node sends with a larger MTU', () => {
    const trip = walk(edited(REPLIES, [mtu(W1, 'eth0', 1450)]), { l4: udpTo(8081), lengthBytes: 1450 });
    expect(ends(trip)).toEqual({ there: ['delivered'], back: ['packet-too-big'] });
    expect(lastStep(trip.replies[0]!.trace, leaves(trip.replies[0]!.trace)[0]!).values).toMatchObject({
      device: 'eth0',
      mtu: 1450,
    });
  });

  it('of a real NIC it is only said', () => {
    const nic = link(W1, 'eth0', (one) => ({
      ...one,
      mtu: 1450,
      linkinfo: undefined,
      link_index: undefined,
      link_netnsid: undefined,
    }));
    const trip = walk(edited(REPLIES, [nic]), { l4: udpTo(8081), lengthBytes: 1450 });
    expect(ends(trip)).toEqual(DELIVERED);
    const steps = trip.replies[0]!.trace.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
    expect(steps.find((step) => step.kind === 'mtu')).toMatchObject({ matched: 'unknown', values: { act: 'exceeds' } });
  });

  it('a smaller far end of a veth drops in silence', () => {
    const { leaf, step } = onlyEnd(walk(edited(REPLIES, [mtu(WEB_2, 'eth0', 1300)]), { lengthBytes: 1450 }));
    expect(leaf).toMatchObject({ end: 'packet-too-big', senderSees: 'nothing' });
    expect(step.values).toMatchObject({ mtu: 1300, act: 'dropped-silently' });
  });

  it('MTUs other than 1500 are no fault by themselves', () => {
    const big = edited(REPLIES, [mtu(W1, 'eth0', 9000), mtu(W2, 'eth0', 9000)]);
    expect(ends(walk(big, { lengthBytes: 1450 }))).toEqual(DELIVERED);
  });
});

describe('errors are packets and are walked', () => {
  const reject = (how: string) =>
    save(W1, appendFilter(`-A FORWARD -d 10.244.1.0/24 -p tcp -j REJECT --reject-with ${how}`));
  const toWeb2 = (trip: RoundTrip) =>
    leaves(trip.forward).find((leaf) => leaf.end === 'rejected-by-rule' && leaf.packet.ip.destination === WEB_2_IP)!;

  it('an ICMP error about a translated packet is turned back and reaches the client', () => {
    const leaf = toWeb2(walk(edited(REPLIES, [reject('icmp-port-unreachable')]), { to: SERVICE_IP, l4: tcpSyn(80) }));
    expect(leaf.senderSees).toBe('icmp 3/3');
    const [end] = leaves(leaf.errorTrace!);
    expect(end).toMatchObject({
      end: 'delivered',
      place: CLIENT,
      packet: { l4: { about: { ip: { destination: SERVICE_IP } } } },
    });
  });

  it('also to a client outside, where only what the error quotes is turned back', () => {
    const ask: Ask = { from: { outside: OUTSIDE_IP }, source: OUTSIDE_IP, to: W1_IP, l4: tcpSyn(30080) };
    const trip = walk(edited(REPLIES, [reject('icmp-port-unreachable')]), ask);
    expect(toWeb2(trip).senderSees).toBe('icmp 3/3');
  });

  it('an error from the other node is turned back by the node that translated', () => {
    const far = save(W2, appendFilter('-A FORWARD -p tcp -j REJECT --reject-with icmp-host-prohibited'));
    const leaf = toWeb2(walk(edited(REPLIES, [far]), { to: SERVICE_IP, l4: tcpSyn(80) }));
    expect(leaf).toMatchObject({ place: W2, senderSees: 'icmp 3/10' });
  });

  it('a reset to a bridged packet goes past the hooks: behind a Service the client never takes it', () => {
    const behind = toWeb2(walk(edited(REPLIES, [reject('tcp-reset')]), { to: SERVICE_IP, l4: tcpSyn(80) }));
    expect(behind.senderSees).toBe('nothing');
    expect(leaves(behind.errorTrace!)[0]).toMatchObject({ end: 'reply-not-matched', place: CLIENT });
    expect(toWeb2(walk(edited(REPLIES, [reject('tcp-reset')]))).senderSees).toBe('reset');
  });

  it('“too big” that a rule drops on its way is not seen: the rule is in the error’s own trace', () => {
    const small = link(W1, 'flannel.1', (one) => ({ ...one, mtu: 1400 }));
    const drop = appendFilter('-A OUTPUT -p icmp -m icmp --icmp-type 3 -j DROP');
    const { leaf } = onlyEnd(walk(edited(REPLIES, [small, save(W1, drop)]), { lengthBytes: 1450 }));
    expect(leaf).toMatchObject({ end: 'packet-too-big', senderSees: 'nothing' });
    const [end] = leaves(leaf.errorTrace!);
    expect(lastStep(leaf.errorTrace!, end!).values).toMatchObject({ chain: 'OUTPUT', verdict: 'drop' });
    expect(leaf.errorPacket!.ip.source).toBe('10.244.0.1');
  });

  it('an error about a tunnel’s outer packet is not the pod’s', () => {
    const refuse = save(W2, appendFilter('-A INPUT -p udp -m udp --dport 8472 -j REJECT'));
    expect(onlyEnd(walk(edited(REPLIES, [refuse]))).leaf).toMatchObject({
      end: 'rejected-by-rule',
      senderSees: 'nothing',
    });
  });
});

describe('what is not known is not guessed', () => {
  it('a namespace that was not looked at: all that it needs is wanted at once, and of the ends of the way', () => {
    const snapshot = without(REPLIES, W2);
    const { leaf } = onlyEnd(walk(snapshot));
    expect(leaf.end).toBe('insufficient-information');
    const wanted = leaf.wants.map((want) => `${want.place.node}/${want.place.namespace} ${want.action}`);
    for (const action of [
      'links',
      'routes',
      'rules',
      'sysctls',
      'iptables.nft',
      'iptables.legacy',
      'nft.tables',
      'sockets',
    ]) {
      expect(wanted).toContain(`w2/host ${action}`);
    }
  });

  it('asks for the pod and its host together from the first namespace on', () => {
    const nothing = createSnapshot(REPLIES.filter((reply) => reply.request.place.node === ''));
    const { leaf } = onlyEnd(walk(nothing));
    const wanted = new Set(leaf.wants.map((want) => `${want.place.node}/${want.place.namespace}`));
    expect([...wanted].toSorted()).toEqual(['w1/host', 'w1/pod/demo/client-tf545', 'w2/host', 'w2/pod/demo/web-2ql6z']);
  });

  it.each(['iptables.legacy', 'iptables.nft', 'nft.tables', 'routes', 'rules', 'sysctls', 'links', 'fdb'] as const)(
    'without %s of the host nothing is claimed',
    (name) => {
      const { leaf } = onlyEnd(walk(without(REPLIES, W1, [name])));
      expect(leaf.end).toBe('insufficient-information');
      expect(leaf.wants.map((want) => want.action)).toContain(name);
    },
  );

  it('no listener is claimed only from a whole list', () => {
    const snapshot = edited(REPLIES, [['sockets', WEB_2, (text) => `${text}\nsomething else\n`]]);
    expect(onlyEnd(walk(snapshot, { l4: tcpSyn(9999) })).leaf.end).toBe('insufficient-information');
    expect(ends(walk(snapshot))).toEqual(DELIVERED);
  });

  it('an unmodelled datapath ends the walk with its name', () => {
    const part = {
      role: 'services',
      by: 'cilium',
      mode: 'ebpf',
      modelled: false,
      statement: 'kube-proxy-replacement',
      sources: [],
    } as const;
    const { leaf } = onlyEnd(walk(HEALTHY, { gate: { ...GATE, parts: [{ ...part, node: 'w1' }] } }));
    expect(leaf).toMatchObject({ end: 'insufficient-information', place: W1 });
    expect(leaf.because).toContain('cilium');
  });

  it('a bare pod address at a gateway goes by what the network between the nodes carries', () => {
    const edits = [json('routes', W1, (routes) => routes.filter((one) => one.dst !== '10.244.1.0/24'))];
    const snapshot = edited(REPLIES, edits);
    const end = (podAddressesRoutable: DatapathGate['podAddressesRoutable']) =>
      onlyEnd(walk(snapshot, { gate: { parts: [], podAddressesRoutable } })).leaf.end;
    expect([end('no'), end('unknown'), end('yes')]).toEqual([
      'left-the-cluster',
      'insufficient-information',
      'delivered',
    ]);
  });

  it('an undecided rule forks, and its two ways are one again where they end alike', () => {
    const rule = '-A FORWARD -m limit --limit 5/sec -j LOG';
    expect(ends(walk(edited(REPLIES, [save(W1, appendFilter(rule))])))).toEqual(DELIVERED);
    const drop = walk(edited(REPLIES, [save(W1, appendFilter('-A FORWARD -m limit --limit 5/sec -j DROP'))]));
    expect(ends(drop).there.toSorted()).toEqual(['delivered', 'dropped-by-rule']);
  });

  it('ways that stand alike after a fork go on as one', () => {
    const mangle =
      '*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n[0:0] -A PREROUTING -m limit --limit 5/sec -j MARK --set-xmark 0x1/0x1\n[0:0] -A FORWARD -j MARK --set-xmark 0x0/0x1\nCOMMIT\n';
    const trip = walk(edited(REPLIES, [['iptables.legacy', W1, () => mangle]]));
    expect(ends(trip)).toEqual(DELIVERED);
    expect(trip.forward.segments.length).toBeGreaterThan(3);
  });

  it('an XDP program on the path makes the walk unsure and is named', () => {
    const trip = walk(
      edited(REPLIES, [
        [
          'tc-filters',
          W1,
          () => JSON.stringify([{ device: 'eth0', direction: 'egress', kind: 'bpf', name: 'drop.o' }]),
        ],
      ]),
    );
    expect(ends(trip).there.toSorted()).toEqual(['delivered', 'insufficient-information']);
  });
});

describe('what other tools get wrong', () => {
  it('rules in a pod’s own namespace are rules like any other', () => {
    const mesh =
      '*nat\n:OUTPUT ACCEPT [0:0]\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN\n-A ISTIO_OUTPUT -p udp -j REDIRECT --to-ports 15053\nCOMMIT\n';
    expect(ends(walk(edited(REPLIES, [['iptables.nft', CLIENT, () => mesh]])))).toEqual(DELIVERED);
    const redirect = mesh.replace('-p udp -j', '-p tcp -j').replace('15053', '15001');
    const trip = walk(edited(REPLIES, [['iptables.nft', CLIENT, () => redirect]]));
    expect(ends(trip).there.toSorted()).toEqual(['delivered', 'no-listener']);
    expect(trip.forward.segments.some(({ then }) => 'fork' in then && then.fork === 'undecided')).toBe(true);
  });

  it('a second address on the node’s NIC is none of the walk’s business', () => {
    const second = (one: Json): Json => ({
      ...one,
      addr_info: [
        { family: 'inet', local: '10.79.0.99', prefixlen: 24, scope: 'global', label: 'eth0' },
        ...(one.addr_info as Json[]),
      ],
    });
    const snapshot = edited(REPLIES, [link(W1, 'eth0', second), link(W2, 'eth0', second)]);
    expect(ends(walk(snapshot))).toEqual(DELIVERED);
    expect(ends(walk(snapshot, { to: SERVICE_IP, l4: tcpSyn(80) })).back).toEqual(['delivered', 'delivered']);
  });

  it('an answer that comes by a node which saw no question is INVALID there, and kube-proxy’s rule drops it', () => {
    const untracked = '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 10.244.0.4/32 -j CT --notrack\nCOMMIT\n';
    const trip = walk(edited(REPLIES, [['iptables.legacy', W1, () => untracked]]));
    expect(ends(trip).back).toEqual(['dropped-by-rule']);
    const steps = trip.replies[0]!.trace.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
    expect(steps.find((step) => step.kind === 'conntrack')).toMatchObject({ values: { state: 'invalid' } });
    expect(steps.at(-1)!.values.ruleText).toContain('--ctstate INVALID');
  });

  it('two backends that translate the same packet at one priority: either may have been first', () => {
    const other =
      '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.96.218.39/32 -j DNAT --to-destination 10.250.0.1\nCOMMIT\n';
    const trip = walk(edited(REPLIES, [['iptables.legacy', W1, () => other]]), { to: SERVICE_IP, l4: tcpSyn(80) });
    const { then } = trip.forward.segments[0]!;
    expect('fork' in then && then.fork).toBe('undecided');
    expect(
      leaves(trip.forward)
        .map((leaf) => leaf.packet.ip.destination)
        .toSorted(),
    ).toEqual([WEB_1_IP, WEB_2_IP, '10.250.0.1']);
  });

  it('a Service of very many backends is walked up to the budget, and the rest is said', () => {
    const backends = 300;
    const rules = Array.from({ length: backends }, (_, index) => {
      const chance =
        index === backends - 1
          ? ''
          : `-m statistic --mode random --probability ${(1 / (backends - index)).toFixed(11)} `;
      return `-A PREROUTING -d 10.96.218.39/32 -p tcp ${chance}-j DNAT --to-destination 10.250.${index >> 8}.${index & 255}:80`;
    });
    const nat = `*nat\n:PREROUTING ACCEPT [0:0]\n${rules.join('\n')}\nCOMMIT\n`;
    const others = save(W1, (text) => text.replaceAll(SERVICE_IP, '10.96.218.40'));
    const trip = walk(edited(REPLIES, [['iptables.legacy', W1, () => nat], others]), {
      to: SERVICE_IP,
      l4: tcpSyn(80),
    });
    expect(trip.forward.unwalked).toBeGreaterThan(0);
    expect(ends(trip).there).toHaveLength(backends);
    expect(new Set(ends(trip).there)).toEqual(new Set(['left-the-cluster', 'insufficient-information']));
  });
});

describe('overlays', () => {
  it('a fault made and mended by changes of the snapshot', () => {
    const changes: SnapshotChange[] = [
      { op: 'sysctl', place: W1, key: 'net.ipv4.ip_forward', value: '0', text: 'off' },
    ];
    const broken = HEALTHY.with(changes);
    expect(leaves(walk(broken).forward)[0]!.end).toBe('forwarding-disabled');
    const mended = broken.with([{ op: 'sysctl', place: W1, key: 'net.ipv4.ip_forward', value: '1', text: 'on' }]);
    expect(ends(walk(mended))).toEqual(DELIVERED);
  });

  it('a policy', () => {
    const broken = HEALTHY.with([
      {
        op: 'rule',
        place: W1,
        backend: 'iptables.nft',
        family: 4,
        table: 'filter',
        chain: 'FORWARD',
        act: 'insert',
        number: 1,
        rule: '-A FORWARD -j DROP',
        text: 'drop',
      },
    ]);
    expect(leaves(walk(broken).forward)[0]!.end).toBe('dropped-by-rule');
  });
});

describe('loops and limits', () => {
  it('two routes that point at each other end as a loop', () => {
    const back = json('routes', W2, (all) =>
      all.map((one) =>
        one.dst === '10.244.1.0/24' ? { ...one, gateway: W1_IP, dev: 'eth0', flags: ['onlink'] } : one,
      ),
    );
    const there = json('routes', W1, (all) =>
      all.map((one) => (one.dst === '10.244.1.0/24' ? { ...one, gateway: W2_IP, dev: 'eth0' } : one)),
    );
    const { leaf } = onlyEnd(walk(edited(REPLIES, [back, there])));
    expect(leaf).toMatchObject({ end: 'loop', senderSees: 'icmp 11/0' });
  });

  it('a TTL that runs out', () => {
    const packet = buildPacket({ source: CLIENT_IP, destination: WEB_2_IP, l4: udpTo(8081), ttl: 1 });
    const trip = simulateRoundTrip({ snapshot: HEALTHY, gate: GATE }, { from: CLIENT, packet });
    expect(onlyEnd(trip).leaf).toMatchObject({ end: 'ttl-exceeded', place: W1, senderSees: 'icmp 11/0' });
  });
});
