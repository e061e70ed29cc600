import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import { familyOf } from '../net/address.ts';
import type { L4, Packet } from '../net/packet.ts';
import { hostOf, type Place } from '../net/place.ts';
import type { CondensedTrace } from './condense.ts';
import type { End, Fit, SocketOwner, Walk, World } from './cursor.ts';
import { wantsAlongTheWay } from './enter-namespace.ts';
import { EPHEMERAL_PORTS, type PortRange } from './ephemeral-port.ts';
import { missingFacts } from './facts-for-namespace.ts';
import { sourcesFor, UNSPECIFIED } from './output.ts';
import { receivingDevice } from './receiving-device.ts';
import { makeStep, sourceAt } from './steps.ts';
import { topologyOf } from './topology.ts';
import type { RoundTrip, Trace } from './trace.ts';
import { release, untouched } from './tracking.ts';
import { reversed, tupleOf } from './tuple.ts';
import { type WalkStart, walkWithErrors } from './walk.ts';

export interface TripQuestion {
  /** The namespace whose socket sends it, or a host outside the cluster. */
  readonly from: Place | { readonly outside: Address };
  readonly packet: Packet;
  /** Whose socket sends it, where that is known: rules may look at it. */
  readonly owner?: SocketOwner;
  /** The socket is not bound: the route chooses its address. That of the packet is told where no route does. */
  readonly isUnbound?: true;
}

const HOPS = 64;

/**
 * The way there and, for each end that was a delivery, the way back, with the connections that the way there made in
 * each namespace. `simulateTrace` for one packet alone.
 */
export function simulateRoundTrip(world: World, question: TripQuestion): RoundTrip {
  const { from } = question;
  const start =
    'outside' in from
      ? entrance(world, from.outside, withPortsOf(question.packet, ANY_PORTS))
      : fromSocket(world, { ...question, from });
  if ('forward' in start) return start;
  const { packet } = start;
  const forward = walkWithErrors({ world }, start);
  const expect = { tuple: reversed(tupleOf(packet)), ...('outside' in from ? {} : { place: from }) };
  const replies = [...forward.ends]
    .filter(([, end]) => end.end === 'delivered')
    .map(([leaf, end]) => ({ leaf, trace: walkBack({ world, expect }, end).trace }));
  // Ways by which its socket would have another address are none of this trip's.
  const left = 'outside' in from ? 0 : Math.max(0, sourcesOf(world, { ...question, from }).length - 1);
  return { forward: { ...forward.trace, unwalked: forward.trace.unwalked + left }, replies };
}

/** The addresses that its socket may get; none where it is bound. */
function sourcesOf(
  world: World,
  { from, packet, owner, isUnbound }: TripQuestion & { readonly from: Place },
): readonly Address[] {
  const asked = isUnbound ? openPacket(packet) : packet;
  if (!UNSPECIFIED.has(asked.ip.source)) return [];
  return sourcesFor({ world }, from, asked, owner?.uid === undefined ? {} : { user: owner.uid });
}

/** A socket that is not bound gets its address from the route, and waits for answers to that one. */
function fromSocket(world: World, { from, packet: sent, owner, isUnbound }: TripQuestion & { from: Place }): WalkStart {
  const packet = withPortsOf(sent, localPorts(world, from));
  const asked = isUnbound ? openPacket(packet) : packet;
  const whose = owner ? { owner } : {};
  if (!UNSPECIFIED.has(asked.ip.source)) return { from, packet, ...whose };
  const [source] = sourcesOf(world, { from, packet: asked, ...whose });
  // Without a route nothing is looked up by the address that it does not get.
  if (source === undefined) return { from, packet, ...(isUnbound ? { unbound: true } : unboundOf(asked)), ...whose };
  return { from, packet: { ...packet, ip: { ...packet.ip, source } }, ...unboundOf(asked), ...whose };
}

/** Of hosts outside: whatever their systems and routers choose, but no port of servers. */
const ANY_PORTS: PortRange = { from: 1024, to: 65535 };

/** By what range a namespace chooses ports, of both families; unseen: any (inet_sk_get_local_port_range). */
function localPorts({ snapshot }: World, place: Place): PortRange {
  const sysctls = snapshot.fact('sysctls', place);
  const text = sysctls.state === 'seen' ? sysctls.value['net.ipv4.ip_local_port_range'] : undefined;
  const [from, to] = text?.trim().split(/\s+/).map(Number) ?? [];
  return from !== undefined && to !== undefined && from <= to ? { from, to } : ANY_PORTS;
}

/** A port that is still to be chosen, with what it is chosen from where that is not the kernel's default. */
function withPortsOf(packet: Packet, range: PortRange): Packet {
  const { l4 } = packet;
  if (!('sourcePort' in l4) || l4.sourcePort !== 'ephemeral' || l4.chosenFrom !== undefined) return packet;
  if (range.from === EPHEMERAL_PORTS.from && range.to === EPHEMERAL_PORTS.to) return packet;
  return { ...packet, l4: { ...l4, chosenFrom: range } };
}

function openPacket(packet: Packet): Packet {
  return { ...packet, ip: { ...packet.ip, source: familyOf(packet.ip.source) === 4 ? '0.0.0.0' : '::' } };
}

/**
 * IPv4's connect(2), which datagrams go by mostly as well, looks up a second time with the address that it got
 * (ip_route_connect); IPv6, and who sends without it, does not.
 */
export function unboundOf({ ip, l4 }: Packet): Pick<WalkStart, 'unbound'> {
  if (ip.source !== '0.0.0.0' && ip.source !== '::') return {};
  return ip.source === '::' || 'type' in l4 ? { unbound: true } : {};
}

export interface Answering {
  /** Whose socket answers. */
  readonly owner?: SocketOwner;
  /** What it makes of an answer that its device does not carry. Default: it cuts it short. */
  readonly fit?: Fit;
}

/** The way back from an end that was a delivery, by what the way there left in the kernels. */
export function walkBack(walk: Walk, end: End, { owner, fit = 'cut' }: Answering = {}): CondensedTrace {
  const { cursor } = end;
  const packet = answerTo(cursor.packet);
  const device = answeringDevice(end);
  const start = {
    from: cursor.place,
    packet,
    ...('type' in packet.l4 ? ({ byKernel: 'stack', fit: 'pieces' } as const) : { fit }),
    ...(device === undefined ? {} : { device }),
    ...(owner ? { owner } : {}),
  };
  return walkWithErrors(
    { ...walk, learnt: [...(walk.learnt ?? []), ...cursor.visited] },
    start,
    release(cursor.tracking),
  );
}

/**
 * A bound socket answers by its device, whatever the tables say (inet_csk_route_req, udp_sendmsg); IPv6's echo replies are
 * routed with the device that the request came in by (icmpv6_echo_reply).
 */
function answeringDevice({ boundTo, cursor: { packet, path } }: End): string | undefined {
  if (packet.l4.protocol !== 'icmpv6') return boundTo;
  return path.input === 'lo' ? undefined : path.input;
}

/** What a live server sends first: SYN/ACK, a datagram of the same size, an echo reply. */
export function answerTo(packet: Packet): Packet {
  const { ip, l4, lengthBytes } = packet;
  return {
    ip: {
      source: ip.destination,
      destination: ip.source,
      ttl: HOPS,
      // An echo reply is the request turned round (icmp_reply, icmpv6_echo_reply); a socket of its own sends with 0.
      tos: 'type' in l4 ? ip.tos : 0,
      // A socket of its own lets nobody cut what it sends (IP_PMTUDISC_WANT, the default of ip(7)).
      df: l4.protocol !== 'icmp',
    },
    l4: answerL4(l4),
    lengthBytes,
  };
}

function answerL4(l4: L4): L4 {
  if ('type' in l4) return { ...l4, type: l4.protocol === 'icmp' ? 0 : 129 };
  if (!('sourcePort' in l4)) return l4;
  const { protocol, sourcePort, destinationPort, chosenFrom } = l4;
  const isOpen = sourcePort === 'ephemeral' && chosenFrom !== undefined;
  const turned = { protocol, sourcePort: destinationPort, destinationPort: sourcePort, ...(isOpen && { chosenFrom }) };
  if (l4.protocol !== 'tcp') return turned;
  return { ...turned, flags: ['syn', 'ack'] };
}

/**
 * Where a packet from outside comes in: the node that holds the address; for a pod's own address that pod's node, if the
 * network carries those. What no node holds (a load balancer's address) enters nowhere that we can see.
 */
function entrance(world: World, outside: Address, packet: Packet): WalkStart | RoundTrip {
  const { snapshot, gate } = world;
  const topology = topologyOf(snapshot);
  const { destination } = packet.ip;
  const pod = topology.podAt(destination);
  const host =
    topology.hostsAt(destination)[0] ?? (pod && gate.podAddressesRoutable === 'yes' ? hostOf(pod.node) : undefined);
  if (!host) {
    const wants = topology.missing;
    if (pod && gate.podAddressesRoutable === 'no')
      return nowhere(
        packet,
        hostOf(pod.node),
        'left-the-cluster',
        `${destination} is a pod's address, which the network outside does not carry`,
      );
    return nowhere(
      packet,
      hostOf(''),
      'insufficient-information',
      `at which node ${destination} comes in from ${outside} is not known`,
      wants,
    );
  }
  const missing = missingFacts(snapshot, host, familyOf(destination));
  if (missing.length > 0) {
    const wants = [...missing, ...wantsAlongTheWay(snapshot, packet, familyOf(destination))];
    return nowhere(packet, host, 'insufficient-information', `the node ${host.node} was not looked at`, wants);
  }
  const address =
    topology.hostsAt(destination).length > 0 ? destination : (topology.addressesOfNode(host.node)[0] ?? destination);
  const device = receivingDevice(snapshot, host, undefined, address);
  if (!device)
    return nowhere(
      packet,
      host,
      'insufficient-information',
      `by which device ${host.node} receives ${address} is not known`,
    );
  return { from: host, packet, arrivesBy: device.name };
}

function nowhere(
  packet: Packet,
  place: Place,
  end: 'insufficient-information' | 'left-the-cluster',
  because: string,
  wants: readonly Request[] = [],
): RoundTrip {
  const step = makeStep({
    kind: 'link',
    at: 'entrance',
    matched: 'unknown',
    source: sourceAt(place, 'links'),
    values: { reason: 'underlay', destination: packet.ip.destination },
    text: because,
  });
  const at = { segment: 0, hop: 0, step: 0 };
  const leaf = { end, at, packet, meta: untouched(), place, senderSees: 'nothing' as const, because, wants };
  const hops = [{ place, packet, meta: untouched(), steps: [step] }];
  // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
  const forward: Trace = { packet, from: place, segments: [{ hops, then: leaf }], unwalked: 0 };
  return { forward, replies: [] };
}
