import { type Connection, isSameEntry, type Tracking, translationsOf } from './tracking.ts';
import { sameTuple, type Tuple } from './tuple.ts';

/** Whether another entry of the same namespace and zone has this tuple of answers (nf_conntrack_tuple_taken). */
export function isTaken(tuple: Tuple, by: Connection, connections: readonly Connection[]): boolean {
  if (isOpen(tuple)) return false;
  const wanted = { ...by, answer: tuple };
  return connections.some((one) => one.table === by.table && !isSameEntry(one, by) && hasKey(one, wanted, 'answer'));
}

/**
 * Whether what stands in the way is the same flow turned round, of datagrams that nothing translates: NAT leaves the clash
 * to the confirmation (nf_nat_used_tuple_new in nf_nat_core.c, tried on Linux 6.18).
 */
export function hasTwin(connection: Connection, connections: readonly Connection[]): boolean {
  if (!MAY_CLASH.has(connection.original.protocol) || translationsOf(connection).length > 0) return false;
  return connections.some(
    (one) =>
      one.table === connection.table &&
      translationsOf(one).length === 0 &&
      sameTuple(one.original, connection.answer) &&
      sameTuple(one.answer, connection.original),
  );
}

/**
 * Whether another entry forbids that of the packet in hand, which is then dropped (nf_ct_resolve_clash). Zones of one
 * direction do so: what is not found as the answer of an entry begins one that contradicts it.
 */
export function isRefused({ current, connections }: Tracking): boolean {
  if (!current || current.connection.confirmed || current.reply || connections.length === 0) return false;
  const { connection } = current;
  const here = connections.filter((one) => one.table === connection.table);
  const known = isOpen(connection.original) || isOpen(connection.answer) ? mayShare(here, connection) : here;
  const answered = known.filter((one) => hasKey(one, connection, 'answer'));
  const begun = known.filter((one) => hasKey(one, connection, 'original'));
  const clashing = [...begun, ...answered][0];
  if (!clashing) return false;
  if (!MAY_CLASH.has(connection.original.protocol)) return true;
  // The same flow again, or turned round, joins the entry; one that differs in its answers alone stands beside it.
  const isJoined = (one: Connection): boolean => isSameFlow(one, connection) || isTurnedFlow(one, connection);
  return !isJoined(clashing) && answered.length > 0 && !isJoined(answered[0]!);
}

/**
 * Of ports that are not known only those of the latest entry can be the same; and a port that NAT has chosen for another
 * flow is another one (nf_nat_l4proto_unique_tuple).
 */
function mayShare(here: readonly Connection[], { original }: Connection): readonly Connection[] {
  return here.slice(-1).filter((one) => isOpen(original) || sameTuple(one.original, original));
}

/** Protocols whose entries may clash without a loss (allow_clash of their struct nf_conntrack_l4proto). */
const MAY_CLASH = new Set(['udp', '136', '47']);

/** Whether an entry has, in either direction, the tuple that another has in this one (nf_ct_key_equal, in its bucket). */
function hasKey(one: Connection, other: Connection, direction: 'original' | 'answer'): boolean {
  const tuple = other[direction];
  return (['original', 'answer'] as const).some(
    (way) =>
      sameTuple(one[way], tuple) && one.zones[way] === other.zones[direction] && one.zones[way] === other.zones[way],
  );
}

function isSameFlow(a: Connection, b: Connection): boolean {
  const isZoned = a.zones.original === b.zones.original && a.zones.answer === b.zones.answer;
  return isZoned && sameTuple(a.original, b.original) && sameTuple(a.answer, b.answer);
}

function isTurnedFlow(a: Connection, b: Connection): boolean {
  const isZoned = a.zones.original === b.zones.answer && a.zones.answer === b.zones.original;
  return isZoned && sameTuple(a.original, b.answer) && sameTuple(a.answer, b.original);
}

/** A port that is not known is another's each time. */
function isOpen({ sourcePort, destinationPort }: Tuple): boolean {
  return sourcePort === 'ephemeral' || destinationPort === 'ephemeral';
}
