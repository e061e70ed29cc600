import { familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { CondensedTrace } from './condense.ts';
import { closing, release, type Tracking } from './conntrack.ts';
import type { Cursor, End, Walk } from './cursor.ts';
import { sourceFor } from './output.ts';
import type { LeafEnd, Segment, Trace } from './trace.ts';
import { reversed, tupleOf } from './tuple.ts';
import { type WalkStart, walkFrom } from './walk-from.ts';

/**
 * The error that an end sends is a packet, too, and is walked: what the sender sees is what reaches it. An error about a
 * tunnel's outer packet goes to the tunnel's host and never to who sent the inner one.
 */
export function withErrors(walk: Walk, start: WalkStart, walked: CondensedTrace): CondensedTrace {
  const errors = new Map<number, CondensedTrace>();
  const segments = walked.trace.segments.map((segment, index): Segment => {
    const end = walked.ends.get(index);
    if (!end?.errorPacket || !('end' in segment.then) || end.cursor.packet.inner) return segment;
    const errorPacket = addressed(walk, end);
    const error = errorWalk(walk, start, end, errorPacket);
    errors.set(index, error);
    // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
    return { ...segment, then: leafWithError(segment.then, errorPacket, error.trace) };
  });
  return { ...walked, trace: { ...walked.trace, segments }, errors };
}

function leafWithError(leaf: LeafEnd, errorPacket: Packet, errorTrace: Trace): LeafEnd {
  return { ...leaf, errorPacket, errorTrace, ...(neverArrives(errorTrace) ? { senderSees: 'nothing' } : {}) };
}

/** A host answers from the address that was asked if it is its own; a router from the one that its route gives. */
function addressed(walk: Walk, { cursor, errorPacket }: End): Packet {
  const packet = errorPacket!;
  const isHere = cursor.stage.name === 'deliver' || (cursor.stage.name === 'hook' && cursor.stage.hook === 'input');
  if (isHere || packet.l4.protocol === 'tcp') return packet;
  const unspecified = familyOf(packet.ip.source) === 4 ? '0.0.0.0' : '::';
  const open = { ...packet, ip: { ...packet.ip, source: unspecified } };
  const source = sourceFor(walk, cursor.place, open);
  return source === undefined ? packet : { ...packet, ip: { ...packet.ip, source } };
}

function errorWalk(walk: Walk, start: WalkStart, { cursor }: End, packet: Packet): CondensedTrace {
  const expect = {
    tuple: reversed(tupleOf(start.packet)),
    ...(start.arrivesBy === undefined ? { place: start.from } : {}),
  };
  const bridged = bridgedReset(cursor, packet);
  const sender: WalkStart = bridged ?? { from: cursor.place, packet };
  const reset = packet.l4.protocol === 'tcp' ? closing(cursor.tracking) : cursor.tracking;
  const tracking = bridged ? release(reset) : attached(reset);
  return walkFrom({ world: walk.world, expect }, sender, tracking);
}

/** An error belongs to the connection of the packet that it is about, even an unconfirmed one (nf_ct_attach). */
function attached(tracking: Tracking): Tracking {
  const { current } = tracking;
  if (!current) return tracking;
  return { ...tracking, current: { connection: current.connection, reply: !current.reply } };
}

/**
 * REJECT's reset to a packet that came by a bridge port goes out by that port at once, past every hook, so that it is not
 * translated (nf_send_reset in nf_reject_ipv4.c).
 */
function bridgedReset(cursor: Cursor, packet: Packet): WalkStart | undefined {
  const { physicalInput } = cursor.path;
  const { macs } = cursor.packet;
  if (cursor.stage.name !== 'hook' || packet.l4.protocol !== 'tcp' || physicalInput === undefined) return undefined;
  const framed = macs ? { ...packet, macs: { source: macs.destination, destination: macs.source } } : packet;
  return { from: cursor.place, packet: framed, leavesBy: physicalInput };
}

/** True only where every way of the error is known and none reaches the sender. */
function neverArrives(trace: Trace): boolean {
  return trace.segments.every(({ then }) => {
    return !('end' in then) || (then.senderSees !== 'reply' && then.end !== 'insufficient-information');
  });
}
