import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Route } from '../parse/ip-route.ts';
import type { Source } from '../snapshot/snapshot.ts';
import { type Cursor, familyAt, type Move, prefixed, stop, type Walk } from './cursor.ts';
import { fragmentBytesFor, largestBytes } from './fragments.ts';
import { linkNamed } from './hook-input.ts';
import { learntMtu } from './learnt-mtu.ts';
import { makeStep, sourceOf } from './steps.ts';
import { interfaceKey, readSysctl } from './sysctl.ts';
import type { Step } from './trace.ts';
import { withError } from './with-error.ts';

/** A frame may be this much longer than the MTU and still pass a veth or bridge port: a VLAN tag (is_skb_forwardable). */
const VLAN_TAG_BYTES = 4;

interface Limit {
  readonly mtu: number;
  readonly device: string;
  /** The route that says so, where it is not the device. */
  readonly route?: Route;
  /** That is an exception of the route, which the kernel has learnt. */
  readonly learnt?: true;
}

/**
 * The route's own MTU or its device's, for IPv6 the one of its `conf` (ip_dst_mtu_maybe_forward, ip6_mtu); undefined where
 * neither is known. What is forwarded over IPv6 heeds the device's alone (ip6_dst_mtu_maybe_forward).
 */
function mtuOf(walk: Walk, cursor: Cursor, isForwarded: boolean): Limit | undefined {
  const { output, route } = cursor.path;
  const device = output ?? '';
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, device);
  const isIpv6 = familyAt(cursor) === 6;
  const own = isIpv6 ? readSysctl(snapshot, cursor.place, interfaceKey(6, device, 'mtu')) : undefined;
  const ofDevice = own?.state === 'seen' ? Math.min(own.value, link?.mtu ?? own.value) : link?.mtu;
  const mtu = isIpv6 && isForwarded ? ofDevice : (route?.route?.mtu ?? ofDevice);
  if (mtu === undefined) return undefined;
  const learnt = isIpv6 && isForwarded ? undefined : learntMtu(snapshot, cursor);
  if (learnt?.mtu !== undefined && learnt.mtu < mtu) return { mtu: learnt.mtu, device, route: learnt, learnt: true };
  return { mtu, device, ...(mtu !== ofDevice && route?.route && { route: route.route }) };
}

/**
 * The MSS that a SYN of this host's offers (tcp_advertise_mss): the route's own, else what its MTU carries beside the two
 * headers (ipv4_default_advmss, ip6_default_advmss). Undefined where the MTU is not known.
 */
export function advertisedMss(walk: Walk, cursor: Cursor): number | undefined {
  const own = cursor.path.route?.route?.advertisedMss;
  if (own !== undefined) return own;
  const limit = mtuOf(walk, cursor, false);
  if (!limit) return undefined;
  const isIpv6 = familyAt(cursor) === 6;
  const mss = isIpv6 ? limit.mtu - 60 : Math.min(limit.mtu, 65_535) - 40;
  return Math.max(mss, isIpv6 ? MIN_ADVMSS_6 : MIN_ADVMSS_4);
}

/** net.ipv4.route.min_adv_mss and net.ipv6.route.min_adv_mss by default. */
const MIN_ADVMSS_4 = 256;
const MIN_ADVMSS_6 = 1220;

/** Before the forward hook: a packet that may not be fragmented is refused with its ICMP error. IPv6 never fragments here. */
export function exceedsForwarding(walk: Walk, cursor: Cursor): Move | undefined {
  const limit = mtuOf(walk, cursor, true);
  const { packet } = cursor;
  const isIpv6 = familyAt(cursor) === 6;
  // What was put together again from fragments may leave in such.
  const lengthBytes = isIpv6 ? largestBytes(packet) : packet.lengthBytes;
  if (!limit || lengthBytes <= limit.mtu) return undefined;
  if (!isIpv6 && !packet.ip.df) return undefined;
  return stop(withError(cursor, 'packet-too-big', 'too-big'), [mtuStep(walk, cursor, limit, 'too-big')]);
}

/**
 * After postrouting: too long a packet is fragmented, or where it may not be, refused (ip_finish_output, ip6_finish_output).
 * Here the route's own MTU counts for IPv6 as well, and of that family nothing is cut that comes from elsewhere.
 */
export function fitOutput(walk: Walk, cursor: Cursor, onward: (cursor: Cursor) => Move): Move {
  const limit = mtuOf(walk, cursor, false);
  const { packet, path } = cursor;
  if (!limit || largestBytes(packet) <= limit.mtu) return onward(cursor);
  if (packet.ip.df || (familyAt(cursor) === 6 && !path.local)) {
    return stop(withError(cursor, 'packet-too-big', 'too-big'), [mtuStep(walk, cursor, limit, 'too-big')]);
  }
  const cut = { ...cursor, packet: { ...packet, fragmentBytes: fragmentBytesFor(familyAt(cursor), limit.mtu) } };
  return prefixed([mtuStep(walk, cursor, limit, 'fragmented')], onward(cut));
}

/** A datagram that may not be fragmented and is too long for its route: the socket refuses it at once (ip_append_data). */
export function refusedBySocket(walk: Walk, cursor: Cursor): Step | undefined {
  const { packet } = cursor;
  if (!packet.ip.df || packet.l4.protocol === 'tcp') return undefined;
  const limit = mtuOf(walk, cursor, false);
  return limit && packet.lengthBytes > limit.mtu ? mtuStep(walk, cursor, limit, 'too-big') : undefined;
}

/** A veth's far end and a bridge's port drop what is longer than their own MTU, without an error. */
export function droppedBySize(walk: Walk, cursor: Cursor, link: Link): Move | undefined {
  if (largestBytes(cursor.packet) <= link.mtu + VLAN_TAG_BYTES) return undefined;
  const step = mtuStep(walk, cursor, { mtu: link.mtu, device: link.name }, 'dropped-silently');
  return stop({ end: 'packet-too-big', cursor, senderSees: 'nothing' }, [step]);
}

/**
 * A frame that a bridge puts out by a port. After the IP hooks, where connection tracking may have put fragments together,
 * it is cut again if it may be (br_nf_dev_queue_xmit); otherwise what is longer than the port's MTU is dropped. Of IPv6 the
 * MTU of the bridge itself is what it is cut to, and what it is told of (ip6_fragment with the bridge's own route).
 */
export function fitPort(
  walk: Walk,
  cursor: Cursor,
  port: Link,
  how: 'hooked' | 'plain',
  onward: (cursor: Cursor) => Move,
): Move {
  const { packet } = cursor;
  if (how === 'plain') return droppedBySize(walk, cursor, port) ?? onward(cursor);
  if (packet.lengthBytes <= port.mtu) return onward(cursor);
  const isIpv6 = familyAt(cursor) === 6;
  const isCut = packet.fragmentBytes !== undefined && packet.fragmentBytes <= port.mtu;
  if (isCut) return onward(cursor);
  const limit = { mtu: port.mtu, device: port.name };
  const master = linkNamed(walk.world.snapshot, cursor.place, port.master);
  if (isIpv6 && master && packet.lengthBytes > master.mtu) {
    const refused = mtuStep(walk, cursor, { mtu: master.mtu, device: master.name }, 'too-big');
    return stop(withError(cursor, 'packet-too-big', 'too-big'), [refused]);
  }
  if (packet.ip.df || isIpv6) {
    const step = mtuStep(walk, cursor, limit, 'dropped-silently');
    return stop({ end: 'packet-too-big', cursor, senderSees: 'nothing' }, [step]);
  }
  const cut = { ...cursor, packet: { ...packet, fragmentBytes: fragmentBytesFor(4, port.mtu) } };
  return prefixed([mtuStep(walk, cursor, limit, 'fragmented')], onward(cut));
}

/** A frame over the MTU of the NIC that receives it, from one with a larger MTU. */
export function exceedingStep(walk: Walk, cursor: Cursor, receiver: Place, link: Link): Step | undefined {
  if (largestBytes(cursor.packet) <= link.mtu + VLAN_TAG_BYTES) return undefined;
  const there = { ...cursor, place: receiver };
  return { ...mtuStep(walk, there, { mtu: link.mtu, device: link.name }, 'exceeds'), matched: 'unknown' };
}

const ACTS = {
  'too-big': 'refused with an ICMP error',
  fragmented: 'fragmented',
  'dropped-silently': 'dropped',
  exceeds: 'whether the NIC takes it is not known',
} as const;

function mtuStep(walk: Walk, cursor: Cursor, limit: Limit, act: keyof typeof ACTS): Step {
  const { packet } = cursor;
  return makeStep({
    kind: 'mtu',
    at: `mtu ${limit.device}`,
    matched: act === 'fragmented' ? 'yes' : 'no',
    source: sourceOfLimit(walk, cursor, limit),
    values: { device: limit.device, mtu: limit.mtu, lengthBytes: packet.lengthBytes, df: packet.ip.df, act },
    text: `${packet.lengthBytes} bytes do not fit the MTU ${limit.mtu} of ${nameOf(limit)}: ${ACTS[act]}`,
  });
}

function nameOf({ device, route, learnt }: Limit): string {
  if (!route) return device;
  const { address, length } = route.destination;
  return learnt ? `the way to ${address}, as an ICMP error has told` : `the route ${address}/${length} by ${device}`;
}

function sourceOfLimit({ world }: Walk, cursor: Cursor, { device, mtu, route, learnt }: Limit): Source {
  const { snapshot } = world;
  const args = { family: familyAt(cursor) };
  if (route) return sourceOf(snapshot.fact(learnt ? 'route-exceptions' : 'routes', cursor.place, args), route.text);
  return sourceOf(snapshot.fact('links', cursor.place), `${device} mtu ${mtu}`);
}
