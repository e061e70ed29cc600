import type { Packet, Port } from '../net/packet.ts';
import type { Connection } from './conntrack.ts';
import { translationsOf } from './conntrack.ts';
import type { HookName, HookOutcome } from './hook.ts';
import type { Step } from './trace.ts';
import { formatEnd, reversed, type Tuple, withDestination, withSource } from './tuple.ts';

export type NatKind = 'source' | 'destination';

/** Which end the hooks translate (HOOK2MANIP in nf_nat_core.c). */
export function natKindAt(hook: HookName): NatKind {
  return hook === 'prerouting' || hook === 'output' ? 'destination' : 'source';
}

export function isDecided(connection: Connection, kind: NatKind): boolean {
  return kind === 'source' ? connection.sourceDecided : connection.destinationDecided;
}

/** Binds a connection without a translation of this kind (nf_nat_alloc_null_binding). */
export function decided(connection: Connection, kind: NatKind): Connection {
  return kind === 'source' ? { ...connection, sourceDecided: true } : { ...connection, destinationDecided: true };
}

/**
 * Sets up a translation (nf_nat_setup_info): the answers' tuple changes. Of a range the first address and port stand
 * for all, since which one the kernel takes does not change the way. An unknown address gives undefined.
 */
export function bind(
  connection: Connection,
  nat: NonNullable<HookOutcome['nat']>,
  ownAddress: () => string | undefined,
): Connection | undefined {
  const { to, kind } = nat;
  const isOwn = nat.redirect === true || nat.masquerade === true;
  const address = to.address ?? (isOwn ? ownAddress() : undefined);
  if (address === undefined && (isOwn || to.port === undefined)) return undefined;
  const { answer } = connection;
  const bound: Tuple =
    kind === 'destination'
      ? { ...answer, source: address ?? answer.source, ...withPort('sourcePort', answer.sourcePort, to.port) }
      : {
          ...answer,
          destination: address ?? answer.destination,
          ...withPort('destinationPort', answer.destinationPort, chosenPort(answer.destinationPort, to)),
        };
  return { ...decided(connection, kind), answer: bound };
}

function withPort(name: 'sourcePort' | 'destinationPort', former: Port | undefined, port: Port | undefined): object {
  if (former === undefined) return {};
  return { [name]: port ?? former };
}

/** A source port is kept where it lies in the range that is asked for, else the kernel chooses one from it. */
function chosenPort(former: Port | undefined, to: NonNullable<HookOutcome['nat']>['to']): Port | undefined {
  if (to.port === undefined || former === undefined) return undefined;
  const last = to.portTo ?? to.port;
  if (typeof former === 'number' && former >= to.port && former <= last) return former;
  return last > to.port ? 'ephemeral' : to.port;
}

/** Rewrites the packet as its connection wants it at this hook (nf_nat_packet): it shall look like the other direction turned. */
export function translate(packet: Packet, connection: Connection, reply: boolean, hook: HookName): Packet {
  const kind = natKindAt(hook);
  const affected: NatKind = reply ? (kind === 'source' ? 'destination' : 'source') : kind;
  if (!translationsOf(connection).includes(affected)) return packet;
  const wanted = reversed(reply ? connection.original : connection.answer);
  if ('about' in packet.l4 && packet.l4.about) return translateError(packet, packet.l4.about, wanted, kind);
  return kind === 'source'
    ? withSource(packet, wanted.source, wanted.sourcePort)
    : withDestination(packet, wanted.destination, wanted.destinationPort);
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
  return (['source', 'destination'] as const).flatMap((end) => {
    const from = formatEnd(before.ip[end], portAt(before, end));
    const to = formatEnd(after.ip[end], portAt(after, end));
    return from === to ? [] : [{ field: `${prefix}${end}`, from, to }];
  });
}

function portAt(packet: Packet, end: 'source' | 'destination'): Port | undefined {
  if (!('sourcePort' in packet.l4)) return undefined;
  return end === 'source' ? packet.l4.sourcePort : packet.l4.destinationPort;
}
