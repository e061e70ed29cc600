import type { Request } from '../host/host.ts';
import type { Address } from '../net/address.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { ConntrackEntry, ConntrackTuple } from '../parse/conntrack-list.ts';
import type { FactArgs } from '../snapshot/facts.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Cursor } from './cursor.ts';
import { readSysctl } from './sysctl.ts';
import type { TcpState } from './tcp-tracking.ts';
import type { Connection } from './tracking.ts';
import { sameTuple, type Tuple, tupleOf } from './tuple.ts';

function argsFor({ protocol, source, destination, sourcePort, destinationPort }: Tuple): FactArgs {
  return { protocol, source, destination, sourcePort: Number(sourcePort), destinationPort: Number(destinationPort) };
}

/**
 * The request for the entry that may be this packet's, where the walk would ask for it: only a source port that is known
 * can be in the table, since a new socket's is chosen from those that are free. Without the answer the packet is walked
 * as the first of a new connection. Entries of a zone can't be asked for. Undefined: there is nothing to ask, or it has
 * been asked.
 */
export function missingConnections(snapshot: Snapshot, cursor: Cursor): Request | undefined {
  const { l4 } = cursor.packet;
  if (!('sourcePort' in l4) || l4.sourcePort === 'ephemeral' || cursor.meta.zone !== 0) return undefined;
  const tuple = tupleOf(cursor.packet);
  if (!canBeListed(tuple)) return undefined;
  const count = readSysctl(snapshot, cursor.place, 'net.netfilter.nf_conntrack_count');
  if (count.state !== 'seen' || count.value === 0) return undefined;
  const observed = snapshot.fact('conntrack', cursor.place, argsFor(tuple));
  return observed.state === 'unseen' && observed.gap === 'not-asked' ? observed.want : undefined;
}

function canBeListed({ protocol, sourcePort, destinationPort }: Tuple): boolean {
  return (protocol === 'tcp' || protocol === 'udp') && sourcePort !== 'ephemeral' && destinationPort !== 'ephemeral';
}

/** The entry of the kernel's table with this original tuple or, for an answer, with this answer's. */
export function existingConnection(
  snapshot: Snapshot,
  place: Place,
  tuple: Tuple,
  zone: number,
): Connection | undefined {
  if (!canBeListed(tuple)) return undefined;
  const observed = snapshot.fact('conntrack', place, argsFor(tuple));
  if (observed.state === 'unseen') return undefined;
  for (const entry of observed.value) {
    const connection = connectionOf(entry, place);
    if (connection && connection.zones.original === zone && sameTuple(connection.original, tuple)) return connection;
  }
  return undefined;
}

const TCP_STATES: Readonly<Record<string, TcpState>> = {
  NONE: 'NO',
  SYN_SENT: 'SS',
  SYN_RECV: 'SR',
  ESTABLISHED: 'ES',
  FIN_WAIT: 'FW',
  CLOSE_WAIT: 'CW',
  LAST_ACK: 'LA',
  TIME_WAIT: 'TW',
  CLOSE: 'CL',
  SYN_SENT2: 'S2',
};

function connectionOf(entry: ConntrackEntry, place: Place): Connection | undefined {
  const original = tupleFrom(entry.protocol, entry.original);
  const answer = tupleFrom(entry.protocol, entry.answer);
  const state = entry.state === undefined ? undefined : TCP_STATES[entry.state];
  if (entry.protocol === 'tcp' && state === undefined) return undefined;
  return {
    table: placeKey(place),
    zones: { original: entry.zones.original, answer: entry.zones.answer },
    original,
    answer,
    mark: entry.mark,
    seenReply: entry.seenReply,
    assured: entry.assured,
    confirmed: true,
    sourceDecided: true,
    destinationDecided: true,
    ...(state === undefined ? {} : { tcp: { state, closing: isClosing(state) } }),
    text: entry.text,
  };
}

function isClosing(state: TcpState): boolean {
  return ['FW', 'CW', 'LA', 'TW'].includes(state);
}

function tupleFrom(protocol: string, part: ConntrackTuple): Tuple {
  const ends: { protocol: string; source: Address; destination: Address } = {
    protocol,
    source: part.source,
    destination: part.destination,
  };
  if (part.type !== undefined) {
    return { ...ends, sourcePort: part.id ?? 0, destinationPort: part.id ?? 0, type: part.type, code: part.code ?? 0 };
  }
  return part.sourcePort === undefined || part.destinationPort === undefined
    ? ends
    : { ...ends, sourcePort: part.sourcePort, destinationPort: part.destinationPort };
}
