import type { Meta, Packet } from '../net/packet.ts';
import { type Place, placeKey } from '../net/place.ts';
import { reversed, sameTuple, type Tuple, tupleOf } from './tuple.ts';

/** One entry of a network namespace's connection table (struct nf_conn). */
export interface Connection {
  /** placeKey of the namespace. */
  readonly table: string;
  readonly zone: number;
  readonly original: Tuple;
  /** The tuple that the answers bear; it differs from the turned original by what NAT did. */
  readonly answer: Tuple;
  readonly mark: number;
  readonly seenReply: boolean;
  /** NAT of that kind was decided at its hook, perhaps to do nothing (IPS_SRC_NAT_DONE, IPS_DST_NAT_DONE). */
  readonly sourceDecided: boolean;
  readonly destinationDecided: boolean;
}

export interface Tracking {
  /** Entries of all namespaces that the walk has been through. */
  readonly connections: readonly Connection[];
  /** The entry of the packet in hand (skb->_nfct). */
  readonly current?: { readonly connection: Connection; readonly reply: boolean };
}

export const NO_CONNECTIONS: Tracking = { connections: [] };

/** What meta says of a packet that entered a namespace and met no hook yet. */
export function untouched(mark = 0): Meta {
  return { mark, connmark: 0, conntrack: 'none', zone: 0, nat: [] };
}

/**
 * The connection tracking hook (nf_conntrack_in): finds the packet's entry or makes one. A packet that can't begin a
 * connection and belongs to none is invalid (nf_conntrack_proto_tcp.c, _icmp.c).
 */
export function track(
  place: Place,
  packet: Packet,
  meta: Meta,
  tracking: Tracking,
): { readonly tracking: Tracking; readonly meta: Meta } {
  if (meta.conntrack === 'untracked' || tracking.current) return { tracking, meta };
  const about = 'about' in packet.l4 ? packet.l4.about : undefined;
  // Of the packet that an error quotes the turned tuple is sought: NAT may have changed what went the other way.
  const found = find(place, meta.zone, about ? reversed(tupleOf(about)) : tupleOf(packet), tracking);
  if (about) {
    if (!found) return invalid(tracking, meta);
    const current = { connection: found.connection, reply: found.reply };
    return { tracking: { ...tracking, current }, meta: metaOf(meta, current.connection, 'related') };
  }
  if (found) {
    const connection = found.reply ? { ...found.connection, seenReply: true } : found.connection;
    const state = found.reply || connection.seenReply ? 'established' : 'new';
    const current = { connection, reply: found.reply };
    return { tracking: { ...tracking, current }, meta: metaOf(meta, connection, state) };
  }
  if (!canBegin(packet)) return invalid(tracking, meta);
  const connection = begin(place, meta.zone, packet);
  return { tracking: { ...tracking, current: { connection, reply: false } }, meta: metaOf(meta, connection, 'new') };
}

function invalid(tracking: Tracking, meta: Meta): { readonly tracking: Tracking; readonly meta: Meta } {
  return { tracking, meta: { ...meta, conntrack: 'invalid' } };
}

function metaOf(meta: Meta, connection: Connection, state: Meta['conntrack']): Meta {
  return { ...meta, conntrack: state, connmark: connection.mark, nat: translationsOf(connection) };
}

function find(
  place: Place,
  zone: number,
  tuple: Tuple,
  tracking: Tracking,
): { readonly connection: Connection; readonly reply: boolean } | undefined {
  const table = placeKey(place);
  for (const connection of tracking.connections) {
    if (connection.table !== table || connection.zone !== zone) continue;
    if (sameTuple(connection.original, tuple)) return { connection, reply: false };
    if (sameTuple(connection.answer, tuple)) return { connection, reply: true };
  }
  return undefined;
}

function canBegin({ l4 }: Packet): boolean {
  if (l4.protocol === 'tcp' && 'sourcePort' in l4) {
    const flags = l4.flags ?? ['syn'];
    // A SYN alone begins; a bare ACK is picked up in mid-stream (nf_conntrack_tcp_loose); the rest is invalid.
    if (flags.includes('rst') || flags.includes('fin')) return false;
    return !(flags.includes('syn') && flags.includes('ack'));
  }
  if (l4.protocol === 'icmp' && 'type' in l4) return [8, 13, 15, 17].includes(l4.type);
  if (l4.protocol === 'icmpv6' && 'type' in l4) return l4.type === 128 || l4.type >= 130;
  return true;
}

function begin(place: Place, zone: number, packet: Packet): Connection {
  const original = tupleOf(packet);
  return {
    table: placeKey(place),
    zone,
    original,
    answer: reversed(original),
    mark: 0,
    seenReply: false,
    sourceDecided: false,
    destinationDecided: false,
  };
}

/** The entry becomes findable when its first packet has passed all hooks (nf_conntrack_confirm). */
export function confirm(tracking: Tracking, meta: Meta): Tracking {
  if (!tracking.current) return tracking;
  const connection = { ...tracking.current.connection, mark: meta.connmark };
  const others = tracking.connections.filter((one) => !isSameEntry(one, connection));
  return { connections: [...others, connection], current: { ...tracking.current, connection } };
}

function isSameEntry(a: Connection, b: Connection): boolean {
  return a.table === b.table && a.zone === b.zone && sameTuple(a.original, b.original);
}

/** The packet leaves the namespace, or is wrapped: its entry stays behind (nf_reset_ct). */
export function release(tracking: Tracking): Tracking {
  return { connections: tracking.connections };
}

export function withCurrent(tracking: Tracking, connection: Connection): Tracking {
  return { ...tracking, current: { connection, reply: tracking.current?.reply ?? false } };
}

export function translationsOf(connection: Connection): ('source' | 'destination')[] {
  const plain = reversed(connection.original);
  const { answer } = connection;
  const source = plain.destination !== answer.destination || plain.destinationPort !== answer.destinationPort;
  const destination = plain.source !== answer.source || plain.sourcePort !== answer.sourcePort;
  return [...(source ? (['source'] as const) : []), ...(destination ? (['destination'] as const) : [])];
}
