import type { Meta, Packet } from '../net/packet.ts';
import { type Place, placeKey } from '../net/place.ts';
import { type TcpTracking, tcpBegin, tcpContinue, tcpSegment } from './tcp-tracking.ts';
import { type Connection, type Tracking, translationsOf, without } from './tracking.ts';
import { hasOpposite, reversed, sameTuple, type Tuple, tupleOf } from './tuple.ts';

export interface TrackOptions {
  /** nf_conntrack_tcp_loose: a connection may be picked up in mid-stream. Default: it may. */
  readonly loose?: boolean;
  /** An entry of the kernel's own table whose original tuple this is. */
  readonly existing?: (tuple: Tuple, zone: number) => Connection | undefined;
}

export interface Tracked {
  readonly tracking: Tracking;
  readonly meta: Meta;
}

/** ICMPv6 of neighbour and router discovery and of multicast listeners (noct_valid_new in nf_conntrack_proto_icmpv6.c). */
const NEVER_TRACKED = new Set([130, 131, 132, 133, 134, 135, 136, 143]);

/**
 * The connection tracking hook (nf_conntrack_in): finds the packet's entry or makes one. A packet that can't begin a
 * connection and belongs to none is invalid.
 */
export function track(
  place: Place,
  packet: Packet,
  meta: Meta,
  tracking: Tracking,
  options: TrackOptions = {},
): Tracked {
  if (meta.conntrack === 'untracked' || tracking.current) return { tracking, meta };
  const { l4 } = packet;
  if (l4.protocol === 'icmpv6' && 'type' in l4 && NEVER_TRACKED.has(l4.type)) {
    return { tracking, meta: { ...meta, conntrack: 'untracked' } };
  }
  const about = 'about' in l4 ? l4.about : undefined;
  if (about) return trackError(place, packet, about, meta, tracking, options);
  const tuple = tupleOf(packet);
  const known = withExisting(place, meta, tuple, tracking, options);
  const found = find(place, meta, tuple, known);
  return found ? trackKnown(place, packet, meta, known, found, options) : trackNew(place, packet, meta, known, options);
}

interface Found {
  readonly connection: Connection;
  readonly reply: boolean;
}

/**
 * Of the packet that an error quotes the turned tuple is sought: NAT may have changed what went the other way. The error
 * must go to that tuple's end (nf_conntrack_inet_error in nf_conntrack_proto.c).
 */
function trackError(
  place: Place,
  packet: Packet,
  about: Packet,
  meta: Meta,
  tracking: Tracking,
  options: TrackOptions,
): Tracked {
  const quoted = tupleOf(about);
  const known = withExisting(place, meta, quoted, tracking, options);
  const found = hasOpposite(quoted) ? find(place, meta, reversed(quoted), known) : undefined;
  const end = found && (found.reply ? found.connection.answer : found.connection.original).destination;
  if (!found || end !== packet.ip.destination) return invalid(known, meta);
  return { tracking: { ...known, current: found }, meta: metaOf(meta, found.connection, 'related') };
}

function trackKnown(
  place: Place,
  packet: Packet,
  meta: Meta,
  tracking: Tracking,
  { connection, reply }: Found,
  options: TrackOptions,
): Tracked {
  const { l4 } = packet;
  let tcp: TcpTracking | undefined;
  let isReset = false;
  if (l4.protocol === 'tcp' && 'sourcePort' in l4) {
    const segment = tcpSegment(l4.flags ?? ['syn']);
    if (segment === undefined) return invalid(tracking, meta);
    const verdict = connection.tcp
      ? tcpContinue(connection.tcp, segment, reply)
      : ({ kind: 'accept', tcp: undefined } as const);
    if (verdict.kind === 'invalid') return invalid(tracking, meta);
    if (verdict.kind === 'reopen') {
      const { existing: _gone, ...rest } = options;
      return track(place, packet, meta, { ...tracking, connections: without(tracking.connections, connection) }, rest);
    }
    tcp = verdict.tcp;
    isReset = segment === 'rst';
  }
  const seenReply = connection.seenReply || reply;
  const assured = connection.assured || isAssured(connection, tcp, packet);
  const kept: Connection = { ...connection, seenReply, assured, ...(tcp ? { tcp } : {}) };
  const others = without(tracking.connections, connection);
  // A reset that is the only answer ends the entry at once (nf_ct_kill_acct).
  const connections = isReset && !connection.seenReply ? others : [...others, kept];
  const state = seenReply ? 'established' : 'new';
  return {
    tracking: { ...tracking, connections, current: { connection: kept, reply } },
    meta: metaOf(meta, kept, state),
  };
}

/** TCP: once both sides have spoken and acknowledged; datagrams: from the second round on, as far as one can tell. */
function isAssured(connection: Connection, tcp: TcpTracking | undefined, packet: Packet): boolean {
  if (packet.l4.protocol !== 'tcp') return false;
  const before = connection.tcp?.state;
  return connection.seenReply && (before === 'SR' || before === 'ES') && tcp?.state === 'ES';
}

function trackNew(place: Place, packet: Packet, meta: Meta, tracking: Tracking, options: TrackOptions): Tracked {
  const tuple = tupleOf(packet);
  const { l4 } = packet;
  let tcp: TcpTracking | undefined;
  if (l4.protocol === 'tcp' && 'sourcePort' in l4) {
    const segment = tcpSegment(l4.flags ?? ['syn']);
    tcp = segment && tcpBegin(segment, options.loose ?? true);
    if (!tcp) return invalid(tracking, meta);
  }
  if ('type' in l4 && !isRequest(l4.protocol, l4.type)) return invalid(tracking, meta);
  const connection: Connection = {
    table: placeKey(place),
    zones: { original: zoneFor(meta, 'original'), answer: zoneFor(meta, 'reply') },
    original: tuple,
    answer: reversed(tuple),
    mark: 0,
    seenReply: false,
    assured: false,
    confirmed: false,
    sourceDecided: false,
    destinationDecided: false,
    ...(tcp ? { tcp } : {}),
  };
  return { tracking: { ...tracking, current: { connection, reply: false } }, meta: metaOf(meta, connection, 'new') };
}

/** valid_new of nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c. */
function isRequest(protocol: 'icmp' | 'icmpv6', type: number): boolean {
  return protocol === 'icmp' ? [8, 13, 15, 17].includes(type) : type === 128 || type === 139;
}

function invalid(tracking: Tracking, meta: Meta): Tracked {
  return { tracking, meta: { ...meta, conntrack: 'invalid' } };
}

function metaOf(meta: Meta, connection: Connection, state: Meta['conntrack']): Meta {
  return { ...meta, conntrack: state, connmark: connection.mark, nat: translationsOf(connection) };
}

/** The zone of a packet's template for a tuple of this direction (nf_ct_zone_id). */
function zoneFor(meta: Meta, direction: 'original' | 'reply'): number {
  return meta.zoneDirection === undefined || meta.zoneDirection === direction ? meta.zone : 0;
}

function withExisting(place: Place, meta: Meta, tuple: Tuple, tracking: Tracking, options: TrackOptions): Tracking {
  if (!options.existing || find(place, meta, tuple, tracking)) return tracking;
  const entry = options.existing(tuple, zoneFor(meta, 'original'));
  return entry ? { ...tracking, connections: [...tracking.connections, entry] } : tracking;
}

function find(place: Place, meta: Meta, tuple: Tuple, tracking: Tracking): Found | undefined {
  const table = placeKey(place);
  // Ports that are not known look alike: the latest entry is the one that is meant.
  for (let index = tracking.connections.length - 1; index >= 0; index--) {
    const connection = tracking.connections[index]!;
    if (connection.table !== table) continue;
    const { zones } = connection;
    if (zones.original === zoneFor(meta, 'original') && sameTuple(connection.original, tuple)) {
      return { connection, reply: false };
    }
    if (zones.answer === zoneFor(meta, 'reply') && sameTuple(connection.answer, tuple)) {
      return { connection, reply: true };
    }
  }
  return undefined;
}

/**
 * The entry becomes findable when its first packet has passed all hooks (__nf_conntrack_confirm); an error that was
 * attached to it does not confirm it.
 */
export function confirm(tracking: Tracking, meta: Meta): Tracking {
  const { current } = tracking;
  if (!current || current.connection.confirmed || current.reply) return tracking;
  const connection = { ...current.connection, mark: meta.connmark, confirmed: true };
  const others = without(tracking.connections, connection);
  return { ...tracking, connections: [...others, connection], current: { ...current, connection } };
}
