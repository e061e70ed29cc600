import type { Address } from '../net/address.ts';
import type { Packet, Port } from '../net/packet.ts';
import type { HookName, HookOutcome } from './hook.ts';
import { type NatChoice, natChoices } from './nat-choice.ts';
import type { Step } from './trace.ts';
import type { Connection } from './tracking.ts';
import { translationsOf } from './tracking.ts';
import { formatEnd, reversed, type Tuple, withDestination, withSource } from './tuple.ts';

export type NatKind = 'source' | 'destination';
type Nat = NonNullable<HookOutcome['nat']>;

/** Which end the hooks translate (HOOK2MANIP in nf_nat_core.c). */
export function natKindAt(hook: HookName): NatKind {
  return hook === 'prerouting' || hook === 'output' ? 'destination' : 'source';
}

export function isDecided(connection: Connection, kind: NatKind): boolean {
  return kind === 'source' ? connection.sourceDecided : connection.destinationDecided;
}

/** What NAT makes of a connection at a hook: several ways where a port is drawn at random. */
export type Binding =
  | { readonly kind: 'bound'; readonly ways: readonly Connection[] }
  /** MASQUERADE and REDIRECT find no address: the packet is dropped. */
  | { readonly kind: 'dropped'; readonly because: string }
  | { readonly kind: 'unknown'; readonly because: string };

/** The address that MASQUERADE or REDIRECT takes; undefined: not known. */
export type OwnAddress = () => Address | 'none' | undefined;

/** Sets up a translation (nf_nat_setup_info): the answers' tuple changes. */
export function bind(
  connection: Connection,
  nat: Nat,
  own: OwnAddress,
  connections: readonly Connection[] = [],
): Binding {
  const isOwn = nat.redirect === true || nat.masquerade === true;
  const address = isOwn && (nat.to.address === undefined || nat.masquerade) ? own() : nat.to.address;
  if (isOwn && address === undefined)
    return { kind: 'unknown', because: 'the address that NAT would take is not known' };
  if (address === 'none') {
    return { kind: 'dropped', because: 'no address of the device serves for the translation' };
  }
  if (address === undefined && nat.to.port === undefined) {
    return { kind: 'unknown', because: 'where NAT translates to is not known' };
  }
  const to = address === undefined || address === nat.to.address ? nat.to : { ...nat.to, address };
  const choices = natChoices(reversed(connection.answer), { ...nat, to }, connection, connections);
  if (!choices) return { kind: 'unknown', because: 'which port NAT draws at random is not known' };
  return { kind: 'bound', ways: choices.map((choice) => boundTo(connection, nat.kind, choice)) };
}

/** Without a translation the ends stay, but for a source port that another connection has (nf_nat_alloc_null_binding). */
export function bindNull(connection: Connection, kind: NatKind, connections: readonly Connection[]): Connection {
  const now = reversed(connection.answer);
  const address = kind === 'source' ? now.source : now.destination;
  const choice = natChoices(now, { kind, to: { address } }, connection, connections)?.[0] ?? { tuple: now };
  return boundTo(connection, kind, choice);
}

function boundTo(connection: Connection, kind: NatKind, { tuple, chosenFrom }: NatChoice): Connection {
  const answer = { ...reversed(tuple), ...(chosenFrom ? { chosenFrom } : {}) };
  return {
    ...connection,
    answer,
    ...(kind === 'source' ? { sourceDecided: true } : { destinationDecided: true }),
    ...(chosenFrom ? { chosenFrom } : {}),
  };
}

/** Rewrites the packet as its connection wants it at this hook (nf_nat_packet): it shall look like the other direction turned. */
export function translate(packet: Packet, connection: Connection, reply: boolean, hook: HookName): Packet {
  const kind = natKindAt(hook);
  const affected: NatKind = reply ? (kind === 'source' ? 'destination' : 'source') : kind;
  if (!translationsOf(connection).includes(affected)) return packet;
  const wanted = reversed(reply ? connection.original : connection.answer);
  if ('about' in packet.l4 && packet.l4.about) return translateError(packet, packet.l4.about, wanted, kind);
  if (kind === 'destination') {
    const moved = withDestination(packet, wanted.destination, wanted.destinationPort);
    return reply ? withRange(moved, connection.original.chosenFrom) : moved;
  }
  const moved = withSource(packet, wanted.source, wanted.sourcePort);
  if (!connection.chosenFrom || reply || !('sourcePort' in moved.l4)) return moved;
  return withRange(moved, connection.chosenFrom);
}

/** What a port that is not known was chosen from: the client's own range again, where NAT drew another. */
function withRange(packet: Packet, chosenFrom: Tuple['chosenFrom']): Packet {
  if (!('sourcePort' in packet.l4)) return packet;
  const { chosenFrom: _former, ...l4 } = packet.l4;
  return { ...packet, l4: { ...l4, ...(chosenFrom === undefined ? {} : { chosenFrom }) } };
}

/** An ICMP error changes its own address and the opposite end of the packet that it quotes (nf_nat_icmp_reply_translation). */
function translateError(packet: Packet, about: Packet, wanted: Tuple, kind: NatKind): Packet {
  const inner =
    kind === 'source'
      ? withDestination(about, wanted.source, wanted.sourcePort)
      : withSource(about, wanted.destination, wanted.destinationPort);
  const outer = kind === 'source' ? withSource(packet, wanted.source) : withDestination(packet, wanted.destination);
  return { ...outer, l4: { ...outer.l4, about: inner } as Packet['l4'] };
}

/** The changes between two forms of a packet's ends, also of the packet that an error quotes, and a sentence. */
export function natChanges(before: Packet, after: Packet): { changes: Step['changes']; text: string } {
  const changes = [...endChanges(before, after, ''), ...quotedChanges(before, after)];
  return { changes, text: changes.map((one) => `${one.field} ${one.from} becomes ${one.to}`).join(', ') };
}

function quotedChanges(before: Packet, after: Packet): Step['changes'] {
  const from = 'about' in before.l4 ? before.l4.about : undefined;
  const to = 'about' in after.l4 ? after.l4.about : undefined;
  return from && to ? endChanges(from, to, 'quoted ') : [];
}

function endChanges(before: Packet, after: Packet, prefix: string): Step['changes'] {
  return ENDS.flatMap((end) => {
    if (before.ip[end] === after.ip[end] && portAt(before, end) === portAt(after, end)) return [];
    const from = formatEnd(before.ip[end], portAt(before, end));
    const to = formatEnd(after.ip[end], portAt(after, end));
    return [{ field: `${prefix}${end}`, from, to }];
  });
}

const ENDS = ['source', 'destination'] as const;

function portAt(packet: Packet, end: 'source' | 'destination'): Port | undefined {
  if (!('sourcePort' in packet.l4)) return undefined;
  return end === 'source' ? packet.l4.sourcePort : packet.l4.destinationPort;
}
