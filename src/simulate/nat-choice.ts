import { type Address, addressToBits, bitsToAddress, familyOf } from '../net/address.ts';
import type { Port } from '../net/packet.ts';
import { hasTwin, isTaken } from './conntrack-clash.ts';
import type { HookOutcome, NatRange } from './hook.ts';
import { jenkinsHash } from './jenkins-hash.ts';
import type { Connection } from './tracking.ts';
import { reversed, type Tuple } from './tuple.ts';

type Nat = NonNullable<HookOutcome['nat']>;

/** One tuple that NAT may give a connection; `chosenFrom` where its source port was drawn. */
export interface NatChoice {
  readonly tuple: Tuple;
  readonly chosenFrom?: { readonly from: number; readonly to: number };
}

/** Ports of a random destination that are walked one by one; more are not. */
const PORTS_MAX = 16;
const WITH_PORTS = new Set(['tcp', 'udp', 'sctp', '136']);

/**
 * The tuple that the kernel makes of `now` (get_unique_tuple in nf_nat_core.c); several where a destination port is
 * drawn at random, undefined where these are too many. `range.address` has been filled in.
 */
export function natChoices(
  now: Tuple,
  nat: Nat,
  connection: Connection,
  connections: readonly Connection[],
): readonly NatChoice[] | undefined {
  const { kind, to } = nat;
  const isDrawn = nat.random === true || nat.fullyRandom === true;
  const isFree = (tuple: Tuple): boolean => !isTaken(reversed(tuple), connection, connections);
  if (kind === 'source' && !isDrawn) {
    const kept = keptSource(now, to, connection, connections);
    if (kept && (isFree(kept) || (kept === now && hasTwin(connection, connections)))) return [{ tuple: kept }];
  }
  const tuple = withAddress(now, kind, chosenAddress(now, nat, connection));
  const port = kind === 'source' ? tuple.sourcePort : tuple.destinationPort;
  if (!isDrawn) {
    if (to.port === undefined && isFree(tuple)) return [{ tuple }];
    const single = (to.portTo ?? to.port) === to.port;
    const stays = to.port !== undefined && to.portBase === undefined && isPortIn(port, to) === true;
    if (stays && (single || isFree(tuple))) return [{ tuple }];
  }
  return portChoices(tuple, nat, isFree);
}

/** The source as it is where the range holds it, else what the same source has been mapped to before. */
function keptSource(
  now: Tuple,
  to: NatRange,
  connection: Connection,
  connections: readonly Connection[],
): Tuple | undefined {
  if (isInRange(now, to)) return now;
  for (const other of connections) {
    const { original, answer } = other;
    const isSame =
      other.table === connection.table &&
      other.sourceDecided &&
      other.zones.original === connection.zones.original &&
      original.protocol === now.protocol &&
      original.source === now.source &&
      original.sourcePort === now.sourcePort;
    if (!isSame || now.sourcePort === 'ephemeral') continue;
    const mapped = withPort(withAddress(now, 'source', answer.destination), 'source', answer.destinationPort);
    if (isInRange(mapped, to)) return mapped;
  }
  return undefined;
}

function isInRange(tuple: Tuple, to: NatRange): boolean {
  if (to.address !== undefined && !isAddressIn(tuple.source, to.address, to.addressTo ?? to.address)) return false;
  return to.port === undefined || isPortIn(tuple.sourcePort, to) === true;
}

function isAddressIn(address: Address, from: Address, to: Address): boolean {
  if (from === to) return address === from;
  if (familyOf(address) !== familyOf(from)) return false;
  const bits = addressToBits(address);
  return bits >= addressToBits(from) && bits <= addressToBits(to);
}

/** Undefined: the port is not known. Of what has no ports every range is right (l4proto_in_range). */
function isPortIn(port: Port | undefined, { port: from = 0, portTo = from }: NatRange): boolean | undefined {
  if (port === undefined) return true;
  if (port === 'ephemeral') return undefined;
  return port >= from && port <= portTo;
}

/**
 * Which address of a range: the kernel hashes both ends' addresses without a secret, so that it is the same everywhere
 * (find_best_ips_proto). Words are as a little-endian machine has them.
 */
export function chosenAddress(now: Tuple, nat: Nat, connection: Connection): Address | undefined {
  const { address: first, addressTo: last = first } = nat.to;
  if (first === undefined || last === undefined || first === last) return first;
  const family = familyOf(first);
  const [from, to] = [hostWords(first), hostWords(last)];
  const source = wordsOf(now.source);
  const destination = wordsOf(now.destination);
  const zone = Math.max(connection.zones.original, connection.zones.answer);
  const seed = nat.persistent ? 0 : destination.at(-1)! ^ zone;
  let hash = jenkinsHash([...source, 0, 0, 0].slice(0, 4), seed);
  let isFull = false;
  const chosen = from.map((low, index) => {
    const span = isFull ? 0xffff_ffff : (to[index]! - low + 1) >>> 0;
    const value = ((isFull ? 0 : low) + Number((BigInt(hash) * BigInt(span)) >> 32n)) >>> 0;
    if (value !== to[index]) isFull = true;
    // The destination's words are overwritten as they are chosen.
    const mixed = nat.kind === 'destination' ? swapped(value) : destination[index]!;
    if (!nat.persistent) hash = (hash ^ mixed) >>> 0;
    return value;
  });
  return bitsToAddress(
    chosen.reduce((bits, word) => (bits << 32n) | BigInt(word), 0n),
    family,
  );
}

function hostWords(address: Address): number[] {
  const count = familyOf(address) === 4 ? 1 : 4;
  const bits = addressToBits(address);
  return Array.from({ length: count }, (_, index) => Number((bits >> BigInt(32 * (count - 1 - index))) & 0xffff_ffffn));
}

function wordsOf(address: Address): number[] {
  return hostWords(address).map(swapped);
}

function swapped(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** A port that makes the tuple unique (nf_nat_l4proto_unique_tuple). */
function portChoices(tuple: Tuple, nat: Nat, isFree: (tuple: Tuple) => boolean): readonly NatChoice[] | undefined {
  const { kind, to } = nat;
  if (tuple.type !== undefined) return [{ tuple: withFreeId(tuple, isFree) }];
  if (!WITH_PORTS.has(tuple.protocol)) return [{ tuple }];
  const former = kind === 'source' ? tuple.sourcePort : tuple.destinationPort;
  if (former === undefined || (to.port === undefined && kind === 'destination')) return [{ tuple }];
  const { from, to: last } = portRange(former, to);
  const size = last - from + 1;
  const isDrawn = nat.random === true || nat.fullyRandom === true;
  const start = startOf(former, to, isDrawn, kind);
  if (size === 1) return [{ tuple: withPort(tuple, kind, from) }];
  if (start !== undefined) {
    for (let index = 0; index < size; index++) {
      const tried = withPort(tuple, kind, from + ((start + index) % size));
      if (isFree(tried)) return [{ tuple: tried }];
    }
    return [{ tuple: withPort(tuple, kind, from + (start % size)) }];
  }
  if (kind === 'source') {
    return [{ tuple: withPort(tuple, kind, 'ephemeral'), chosenFrom: { from, to: last } }];
  }
  if (size > PORTS_MAX) return undefined;
  const all = Array.from({ length: size }, (_, index) => withPort(tuple, kind, from + index));
  const free = all.filter(isFree);
  return (free.length > 0 ? free : all).map((one) => ({ tuple: one }));
}

/** Without a range, a source port stays among its kind: below 512, below 1024, or above. */
function portRange(former: Port, to: NatRange): { readonly from: number; readonly to: number } {
  if (to.port !== undefined) {
    const other = to.portTo ?? to.port;
    return { from: Math.min(to.port, other), to: Math.max(to.port, other) };
  }
  if (former === 'ephemeral' || former >= 1024) return { from: 1024, to: 65535 };
  return former < 512 ? { from: 1, to: 511 } : { from: 600, to: 1023 };
}

/** Where the search begins; undefined: at a random port. */
function startOf(former: Port, to: NatRange, isDrawn: boolean, kind: Nat['kind']): number | undefined {
  if (to.portBase !== undefined) {
    return former === 'ephemeral' ? undefined : (former - to.portBase + 0x10000) % 0x10000;
  }
  return isDrawn || kind === 'source' ? undefined : 0;
}

/** An ICMP id that is taken is drawn anew: the next free one stands for it, since no rule of note looks at it. */
function withFreeId(tuple: Tuple, isFree: (tuple: Tuple) => boolean): Tuple {
  if (typeof tuple.sourcePort !== 'number') return tuple;
  for (let offset = 0; offset < 0x1_0000; offset++) {
    const id = (tuple.sourcePort + offset) % 0x1_0000;
    const tried = { ...tuple, sourcePort: id, destinationPort: id };
    if (isFree(tried)) return tried;
  }
  return tuple;
}

function withAddress(tuple: Tuple, kind: Nat['kind'], address: Address | undefined): Tuple {
  if (address === undefined) return tuple;
  return kind === 'source' ? { ...tuple, source: address } : { ...tuple, destination: address };
}

function withPort(tuple: Tuple, kind: Nat['kind'], port: Port | undefined): Tuple {
  if (port === undefined) return tuple;
  if (tuple.type !== undefined) return { ...tuple, sourcePort: port, destinationPort: port };
  return kind === 'source' ? { ...tuple, sourcePort: port } : { ...tuple, destinationPort: port };
}
