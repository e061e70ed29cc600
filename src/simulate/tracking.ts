import type { Meta } from '../net/packet.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { IpvsConnection } from './ipvs-connection.ts';
import type { TcpTracking } from './tcp-tracking.ts';
import { sameTuple, type Tuple } from './tuple.ts';

/* What connection tracking keeps of a walk's packets, and how it changes: conntrack.ts says when. */

/** One entry of a network namespace's connection table (struct nf_conn). */
export interface Connection {
  /** placeKey of the namespace. */
  readonly table: string;
  /** Zones of the two tuples; they differ where a zone was given for one direction alone. */
  readonly zones: { readonly original: number; readonly answer: number };
  readonly original: Tuple;
  /** The tuple that the answers bear; it differs from the turned original by what NAT did. */
  readonly answer: Tuple;
  readonly mark: number;
  readonly seenReply: boolean;
  readonly assured: boolean;
  /** In the table: its first packet has passed all hooks. */
  readonly confirmed: boolean;
  /** NAT of that kind was decided at its hook, perhaps to do nothing (IPS_SRC_NAT_DONE, IPS_DST_NAT_DONE). */
  readonly sourceDecided: boolean;
  readonly destinationDecided: boolean;
  /** Where NAT drew an unknown source port from. */
  readonly chosenFrom?: { readonly from: number; readonly to: number };
  /** The device that MASQUERADE took the address of. */
  readonly masqueradeDevice?: string;
  readonly tcp?: TcpTracking;
  /** ipvs has exchanged the destination, not NAT: no hook of NAT's turns it back. */
  readonly byIpvs?: boolean;
  /** Read from the kernel's table: the line that says it. */
  readonly text?: string;
}

export interface Tracking {
  /** Entries of all namespaces that the walk has been through. */
  readonly connections: readonly Connection[];
  /** The entry of the packet in hand (skb->_nfct). */
  readonly current?: { readonly connection: Connection; readonly reply: boolean };
  /** Sets that rules have added to: the namespace's placeKey, then the name as in HookInput.touched. */
  readonly touched?: readonly string[];
  /** Entries of ipvs's own tables. */
  readonly ipvs?: readonly IpvsConnection[];
}

export const NO_CONNECTIONS: Tracking = { connections: [] };

/** What meta says of a packet that entered a namespace and met no hook yet. */
export function untouched(mark = 0): Meta {
  return { mark, connmark: 0, conntrack: 'none', zone: 0, nat: [] };
}

/** What a rule sets as the connection's mark is the entry's at once; an unconfirmed one gets it when it is confirmed. */
export function withMark(tracking: Tracking, meta: Meta): Tracking {
  const { current } = tracking;
  if (!current?.connection.confirmed || current.connection.mark === meta.connmark) return tracking;
  const connection = { ...current.connection, mark: meta.connmark };
  const isThere = tracking.connections.some((one) => isSameEntry(one, connection));
  const connections = isThere ? [...without(tracking.connections, connection), connection] : tracking.connections;
  return { ...tracking, connections, current: { ...current, connection } };
}

/** A rule resets the connection of the packet in hand (nf_conntrack_tcp_set_closing). */
export function closing(tracking: Tracking): Tracking {
  const { current } = tracking;
  if (!current?.connection.confirmed || !current.connection.tcp) return tracking;
  const connection = { ...current.connection, tcp: { ...current.connection.tcp, state: 'CL' as const } };
  const connections = tracking.connections.map((one) => (isSameEntry(one, connection) ? connection : one));
  return { ...tracking, connections, current: { ...current, connection } };
}

/** The entry is taken out of the table (nf_ct_kill); the packet in hand keeps it. */
export function withoutCurrent(tracking: Tracking): Tracking {
  const { current, connections } = tracking;
  return current ? { ...tracking, connections: without(connections, current.connection) } : tracking;
}

export function without(connections: readonly Connection[], connection: Connection): readonly Connection[] {
  return connections.filter((one) => !isSameEntry(one, connection));
}

export function isSameEntry(a: Connection, b: Connection): boolean {
  return a.table === b.table && a.zones.original === b.zones.original && sameTuple(a.original, b.original);
}

/** The packet leaves the namespace, or is wrapped: its entry stays behind (nf_reset_ct). */
export function release(tracking: Tracking): Tracking {
  const { current: _left, ...rest } = tracking;
  return rest;
}

export function withTouched(tracking: Tracking, place: Place, sets: readonly string[]): Tracking {
  if (sets.length === 0) return tracking;
  const added = sets.map((set) => `${placeKey(place)} ${set}`);
  return { ...tracking, touched: [...new Set([...(tracking.touched ?? []), ...added])].toSorted() };
}

export function touchedAt({ touched }: Tracking, place: Place): readonly string[] {
  const start = `${placeKey(place)} `;
  return (touched ?? []).filter((set) => set.startsWith(start)).map((set) => set.slice(start.length));
}

export function withCurrent(tracking: Tracking, connection: Connection): Tracking {
  return { ...tracking, current: { connection, reply: tracking.current?.reply ?? false } };
}

type Translations = readonly ('source' | 'destination')[];

const NEITHER: Translations = [];
const SOURCE: Translations = ['source'];
const DESTINATION: Translations = ['destination'];
const BOTH: Translations = ['source', 'destination'];

/** What the answers' tuple differs in from the turned original. */
export function translationsOf({ original, answer, chosenFrom, byIpvs }: Connection): Translations {
  const source =
    original.source !== answer.destination ||
    original.sourcePort !== answer.destinationPort ||
    chosenFrom !== undefined;
  const destination =
    !byIpvs &&
    (original.destination !== answer.source ||
      (original.type === undefined && original.destinationPort !== answer.sourcePort));
  if (source) return destination ? BOTH : SOURCE;
  return destination ? DESTINATION : NEITHER;
}
