import { type Address, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import {
  type Cursor,
  type End,
  familyAt,
  isEnd,
  type Move,
  perhapsOtherwise,
  stop,
  unknownEnd,
  unseenEnd,
  type Walk,
  type Way,
} from './cursor.ts';
import { refusedEntry } from './enter-namespace.ts';
import { unreachableCode } from './error-packet.ts';
import { linkNamed } from './hook-input.ts';
import { linkDown } from './link-state.ts';
import { advertisedMss, refusedBySocket } from './mtu.ts';
import { type OutputKey, type OutputLookup, type OutputWay, routeOutput } from './output-route.ts';
import { deviceHolding } from './own-addresses.ts';
import { isDiscarding } from './refusal.ts';
import { routeStep } from './route-step.ts';
import { keyOfPacket, type RouteFound } from './routes.ts';
import { routeFromSocket } from './socket-route.ts';
import { makeStep, sourceOf } from './steps.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { Step } from './trace.ts';
import { CERTAIN } from './truth.ts';
import { withError } from './with-error.ts';

export const UNSPECIFIED: ReadonlySet<Address> = new Set<Address>(['0.0.0.0', '::']);

/** A local socket sends (ip_queue_xmit, ip_make_skb): route, source address, the output hook. */
export function output(walk: Walk, cursor: Cursor): Move {
  const refused = refusedEntry(walk, cursor);
  if (refused) return stop(refused);
  const down = downDevice(walk, cursor);
  if (down) return down;
  const key = outputKey(cursor);
  if (isSocket(cursor) && hasForeignSource(walk, cursor, key)) {
    return stop({ end: 'no-route', cursor, senderSees: 'error EINVAL' }, [foreignStep(walk, cursor)]);
  }
  const lookup = routeFromSocket(walk.world.snapshot, cursor.place, key);
  const kept = { ...lookup, ...(lookup.state === 'found' ? { ways: ofOneSource(cursor, lookup.ways) } : {}) };
  return routed(walk, cursor, key, kept as OutputLookup, (way) => sent(walk, cursor, way));
}

/** By a device that is set down nothing is sent (ip_route_output_key_hash). */
function downDevice({ world }: Walk, cursor: Cursor): Move | undefined {
  const { stage, place } = cursor;
  const device = stage.name === 'output' && !stage.bound ? stage.device : undefined;
  const link = device === undefined ? undefined : linkNamed(world.snapshot, place, device);
  return link && !link.flags.includes('UP') ? linkDown(world.snapshot, cursor, link) : undefined;
}

/**
 * A datagram of IPv6 is sent from an address of a device alone, unless ip_nonlocal_bind says otherwise: not from one that
 * only a local route makes this host's (ip6_datagram_send_ctl, inet6_bind). A socket that is bound to it all the same is
 * IP_FREEBIND or IP_TRANSPARENT (ip(7)), and may.
 */
function hasForeignSource({ world }: Walk, { place, packet }: Cursor, { source }: OutputKey): boolean {
  if (source === undefined || packet.l4.protocol !== 'udp' || familyOf(source) !== 6) return false;
  const links = world.snapshot.fact('links', place);
  if (!isComplete(links) || deviceHolding(links.value, source) !== undefined) return false;
  if (isBoundSocket(world, place, packet)) return false;
  return switchedOn(readSysctl(world.snapshot, place, 'net.ipv6.ip_nonlocal_bind')) === 'no';
}

function isBoundSocket({ snapshot }: Walk['world'], place: Place, { ip, l4 }: Packet): boolean {
  const sockets = snapshot.fact('sockets', place);
  if (!isComplete(sockets) || !('sourcePort' in l4)) return false;
  return sockets.value.some((socket) => {
    return socket.protocol === l4.protocol && socket.address === ip.source && socket.port === l4.sourcePort;
  });
}

function foreignStep({ world }: Walk, { place, packet }: Cursor): Step {
  const { source, destination } = packet.ip;
  return makeStep({
    kind: 'route',
    at: 'route output',
    matched: 'no',
    source: sourceOf(world.snapshot.fact('links', place)),
    values: { purpose: 'output', address: destination, type: 'none', reason: 'source' },
    text: `no device here has the address ${source}: a socket cannot send from it`,
  });
}

function outputKey({ packet, meta, path, stage }: Cursor): OutputKey {
  const { source, ...rest } = keyOfPacket(packet, meta.mark, {});
  if (stage.name !== 'output') throw new Error('not an output');
  const { device, routeMark, kernel, bound } = stage;
  return {
    ...rest,
    ...(isOpen(packet, stage.open) ? {} : { source: source! }),
    ...(device === undefined ? {} : { output: device, isBound: bound === true }),
    ...(routeMark === undefined ? {} : { mark: routeMark }),
    // A reset that REJECT sends for somebody else has a foreign source (FLOWI_FLAG_ANYSRC of ip_route_me_harder), what TCP
    // and ICMP send has none (ip_send_unicast_reply, icmp_route_lookup).
    ...(kernel ? { user: 0, anySource: kernel !== 'stack' } : { user: path.owner?.uid ?? 'unknown' }),
  };
}

function isOpen(packet: Packet, open: boolean | undefined): boolean {
  return open === true || UNSPECIFIED.has(packet.ip.source);
}

/** The question is about a socket that got this address: ways by which it would get another are not its. */
function ofOneSource({ packet }: Cursor, ways: readonly OutputWay[]): readonly OutputWay[] {
  if (UNSPECIFIED.has(packet.ip.source)) return ways;
  const own = ways.filter((way) => way.source === undefined || way.source === packet.ip.source);
  return own.length > 0 ? own : ways;
}

function sent(walk: Walk, cursor: Cursor, way: OutputWay): Cursor {
  const packet = fitted(walk, cursor, way, withSource(cursor.packet, way));
  const { owner } = cursor.path;
  const bound = cursor.stage.name === 'output' && cursor.stage.bound ? cursor.stage.device : undefined;
  return withMss(walk, {
    ...cursor,
    packet,
    path: {
      ...(cursor.path.sentBy === undefined ? {} : { sentBy: cursor.path.sentBy }),
      ...(cursor.path.isOrphan ? { isOrphan: true } : {}),
      local: true,
      route: way.found,
      output: way.device,
      ...(owner ? { owner } : {}),
      ...(bound === undefined ? {} : { bound }),
    },
    stage: { name: 'hook', hook: 'output', next: 0, after: { name: 'reroute' } },
  });
}

/** A SYN without one said offers the MSS of its route. */
function withMss(walk: Walk, cursor: Cursor): Cursor {
  const { l4 } = cursor.packet;
  if (l4.protocol !== 'tcp' || !('flags' in l4) || !l4.flags?.includes('syn') || l4.mss !== undefined) return cursor;
  const mss = advertisedMss(walk, cursor);
  return mss === undefined ? cursor : { ...cursor, packet: { ...cursor.packet, l4: { ...l4, mss } } };
}

function withSource(packet: Packet, { source }: OutputWay): Packet {
  if (source === undefined || source === packet.ip.source) return packet;
  return { ...packet, ip: { ...packet.ip, source } };
}

/** A packet to an own address goes by `lo`, whatever device holds the address. */
export function deviceOf(found: RouteFound): string {
  return found.type === 'local' ? 'lo' : (found.hop?.device ?? 'lo');
}

/** By what a socket's address is looked up, beside the packet. */
export interface SourceQuestion {
  readonly user?: number;
  readonly device?: string;
  readonly mark?: number;
}

/** The address that a socket which is not bound gets for this packet: of several, the first. */
export function sourceFor(
  walk: Walk,
  place: Place,
  packet: Packet,
  question: SourceQuestion = {},
): Address | undefined {
  return sourcesFor(walk, place, packet, question)[0];
}

/** The addresses of which a socket that is not bound gets one, where chance or what is not known decides between routes. */
export function sourcesFor(
  walk: Walk,
  place: Place,
  packet: Packet,
  { user, device, mark = 0 }: SourceQuestion = {},
): readonly Address[] {
  const { source: _open, ...key } = keyOfPacket(packet, mark, {});
  const bound = device === undefined ? {} : { output: device, isBound: true };
  const lookup = routeFromSocket(walk.world.snapshot, place, { ...key, user: user ?? 'unknown', ...bound });
  const ways = lookup.state === 'found' ? lookup.ways.filter((way) => way.refusal === undefined) : [];
  return [...new Set(ways.flatMap((way) => way.source ?? []))];
}

/** An application's answer is cut to what its own device carries. */
function fitted(walk: Walk, cursor: Cursor, way: OutputWay, packet: Packet): Packet {
  if (cursor.stage.name !== 'output' || !cursor.stage.fit) return packet;
  const mtu = way.found.route?.mtu ?? linkNamed(walk.world.snapshot, cursor.place, way.device)?.mtu;
  if (mtu === undefined || packet.lengthBytes <= mtu) return packet;
  return cursor.stage.fit === 'cut' ? { ...packet, lengthBytes: mtu } : { ...packet, ip: { ...packet.ip, df: false } };
}

/**
 * After the output hook: a packet that mangle's rules or NAT have changed is routed anew, by what it was at the last of
 * these changes (ip_route_me_harder, ip6_route_me_harder); then comes postrouting. Its source may be anyone's by then.
 */
export function reroute(walk: Walk, cursor: Cursor): Move {
  const { reroute: changed, ...path } = cursor.path;
  if (!changed) return { ways: [{ chance: CERTAIN, steps: [], to: toPostrouting(cursor, cursor.path) }] };
  const isFour = familyOf(changed.packet.ip.destination) === 4;
  const key: OutputKey = {
    ...keyOfPacket(changed.packet, changed.mark, {}),
    ...(path.bound === undefined ? {} : { output: path.bound, isBound: true }),
    anySource: true,
    user: isFour ? 0 : (path.owner?.uid ?? 'unknown'),
  };
  const lookup = routeOutput(walk.world.snapshot, cursor.place, key);
  return routed(walk, cursor, key, lookup, (way) => {
    return toPostrouting(cursor, { ...path, route: way.found, output: way.device });
  });
}

/** Behind the output hook a route that leads nowhere is met. */
function toPostrouting(cursor: Cursor, path: Cursor['path']): Cursor | End {
  const stage = { name: 'hook', hook: 'postrouting', next: 0, after: { name: 'finish' } } as const;
  const to: Cursor = { ...cursor, path, stage };
  return path.route && isDiscarding(path.route) ? withError(to, 'no-route', 'network') : to;
}

function routed(
  walk: Walk,
  cursor: Cursor,
  key: OutputKey,
  lookup: OutputLookup,
  onward: (way: OutputWay) => Cursor | End,
): Move {
  if (lookup.state === 'unseen') return stop(unseenEnd(cursor, lookup.unseen));
  const ways = lookup.ways.map((way): Way => {
    const step = routeStep(walk.world.snapshot, cursor.place, key, way.found, 'output', way.doubt);
    const end = refusedRoute(cursor, way);
    if (end) return { chance: way.chance, steps: [step], to: end };
    const to = onward(way);
    const tooBig = isSocket(cursor) && !isEnd(to) ? refusedBySocket(walk, to) : undefined;
    if (!tooBig || isEnd(to)) return { chance: way.chance, steps: [step], to };
    const [type, code] = unreachableCode(to.packet, 'too-big');
    const refused = { end: 'packet-too-big', cursor: to, senderSees: `icmp ${type}/${code}` } as const;
    return { chance: way.chance, steps: [step, tooBig], to: refused };
  });
  const fork = lookup.ways.some((way) => way.fork === 'undecided') ? 'undecided' : 'multipath';
  return perhapsOtherwise(ways.length > 1 ? { fork, ways } : { ways }, cursor, lookup.cut);
}

/** A process sends it, and no tunnel or other part of the kernel. */
function isSocket({ stage, packet }: Cursor): boolean {
  return stage.name === 'output' && !stage.kernel && (stage.bound || stage.device === undefined) && !packet.inner;
}

/** What a socket's owner is told by connect(2) or send(2) stands here as the ICMP error of the same errno. */
function refusedRoute(cursor: Cursor, way: OutputWay): Way['to'] | undefined {
  const { found, doubt, fork } = way;
  const refusal = way.refusal ?? tcpRefusal(cursor, way) ?? broadcastRefusal(cursor, way);
  if (refusal === undefined) {
    if (found.hop?.encap) return unknownEnd(cursor, `the route's encapsulation ${found.hop.encap} is not modelled`);
    return found.type === 'multicast' ? unknownEnd(cursor, 'multicast is not modelled') : undefined;
  }
  // Of a fork the other ways are walked as well; else what was not read may be a route.
  if (doubt !== undefined && fork !== 'undecided') return unknownEnd(cursor, `the route is not sure: ${doubt}`);
  const end = found.type === 'none' ? 'no-route' : 'route-unreachable';
  // What happens behind the output hook no longer reaches connect(2), which goes on trying (tcp_connect), nor who pings by
  // IPv6 (icmpv6_push_pending_frames).
  const { protocol } = cursor.packet.l4;
  const isTold = cursor.stage.name === 'output' || (protocol !== 'tcp' && protocol !== 'icmpv6');
  if (!isTold) return { end, cursor, senderSees: 'nothing' };
  if (refusal === 'invalid') return { end, cursor, senderSees: 'error EINVAL' };
  const [type, code] = unreachableCode(cursor.packet, refusal);
  return { end, cursor, senderSees: `icmp ${type}/${code}` };
}

/** EACCES of a socket that was not given leave to send to all (udp_sendmsg, ping_v4_sendmsg). */
function broadcastRefusal({ stage }: Cursor, { found }: OutputWay): 'prohibited' | undefined {
  return stage.name === 'output' && stage.broadcast === false && found.type === 'broadcast' ? 'prohibited' : undefined;
}

/** There is no TCP to many (tcp_v4_connect). */
function tcpRefusal(cursor: Cursor, { found }: OutputWay): 'network' | undefined {
  const isToMany = found.type === 'broadcast' || found.type === 'multicast';
  return isToMany && familyAt(cursor) === 4 && cursor.packet.l4.protocol === 'tcp' ? 'network' : undefined;
}
