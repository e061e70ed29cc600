import { type Address, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { CondensedTrace } from './condense.ts';
import type { Cursor, End, Walk } from './cursor.ts';
import { sourceFor } from './output.ts';
import { ipv6SourceFor } from './output-route.ts';
import { deviceHolding } from './own-addresses.ts';
import { selectIpv4Address } from './route-source.ts';
import { addressTypeOf, lookupRoute } from './routes.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { LeafEnd, Segment, Trace } from './trace.ts';
import { closing, release, type Tracking } from './tracking.ts';
import { reversed, tupleOf } from './tuple.ts';
import { type WalkStart, walkFrom } from './walk-from.ts';

/**
 * The error that an end sends is a packet, too, and is walked: what the sender sees is what reaches it. An error about a
 * tunnel's outer packet goes to the tunnel's host, whose kernel takes it, and never to who sent the inner one.
 */
export function withErrors(walk: Walk, start: WalkStart, walked: CondensedTrace): CondensedTrace {
  return withErrorsOf(walk, start, walked, 0);
}

/** An error that is itself sent through a tunnel, or a reset, can meet an error in its turn; about errors themselves none are sent. */
const ERRORS_DEEP_MAX = 4;

function withErrorsOf(walk: Walk, start: WalkStart, walked: CondensedTrace, depth: number): CondensedTrace {
  if (depth >= ERRORS_DEEP_MAX) return walked;
  const errors = new Map<number, CondensedTrace>();
  const segments = walked.trace.segments.map((segment, index): Segment => {
    const end = walked.ends.get(index);
    if (!end?.errorPacket || !('end' in segment.then)) return segment;
    const told = addressed(walk, end);
    const error = errorWalk(walk, start, end, told, depth);
    errors.set(index, error);
    // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
    return { ...segment, then: leafWithError(segment.then, told.packet, error.trace) };
  });
  return { ...walked, trace: { ...walked.trace, segments }, errors };
}

function leafWithError(leaf: LeafEnd, errorPacket: Packet, errorTrace: Trace): LeafEnd {
  return { ...leaf, errorPacket, errorTrace, ...(neverArrives(errorTrace) ? { senderSees: 'nothing' } : {}) };
}

interface Addressed {
  readonly packet: Packet;
  /** The route is looked up without the source, which it gives. */
  readonly isOpen: boolean;
}

/**
 * A host answers from the address that was asked if it is its own. A router answers from the one that its route gives
 * (__icmp_send), by icmp_errors_use_inbound_ifaddr from one of the device where the packet came in; over IPv6 from such a
 * one always, unless the route says otherwise (icmp6_send).
 */
function addressed(walk: Walk, { cursor, errorPacket }: End): Addressed {
  const packet = errorPacket!;
  if (packet.l4.protocol === 'tcp' || isForThisHost(walk, cursor)) return { packet, isOpen: false };
  const inbound = inboundSource(walk, cursor, packet);
  if (inbound !== undefined) return { packet: from(packet, inbound), isOpen: false };
  const unspecified = familyOf(packet.ip.source) === 4 ? '0.0.0.0' : '::';
  const source = sourceFor(walk, cursor.place, from(packet, unspecified), { user: 0, ...markOf(walk, cursor) });
  return source === undefined ? { packet, isOpen: false } : { packet: from(packet, source), isOpen: true };
}

/** ipv6_chk_acast_addr_src */
function isKernelAnycast(snapshot: Snapshot, place: Place, address: Address): boolean {
  return addressTypeOf(snapshot, place, address) === 'anycast';
}

function from(packet: Packet, source: Address): Packet {
  return { ...packet, ip: { ...packet.ip, source } };
}

function isForThisHost({ world }: Walk, { stage, place, packet, path }: Cursor): boolean {
  const { destination } = packet.ip;
  const isDelivered = stage.name === 'deliver' || (stage.name === 'hook' && stage.hook === 'input');
  if (familyOf(destination) === 4) return isDelivered || path.route?.type === 'local';
  // Of a local route without such an address it is no address to speak from (ipv6_chk_addr).
  const links = world.snapshot.fact('links', place);
  if (links.state === 'unseen') return addressTypeOf(world.snapshot, place, destination) === 'local';
  return deviceHolding(links.value, destination) !== undefined || isKernelAnycast(world.snapshot, place, destination);
}

/** The address by which the device where the packet came in would answer its sender, where that is how it is chosen. */
function inboundSource({ world }: Walk, { place, path }: Cursor, { ip }: Packet): Address | undefined {
  const { snapshot } = world;
  const { input, local } = path;
  if (local || input === undefined) return undefined;
  if (familyOf(ip.destination) === 4) {
    const isWanted = readSysctl(snapshot, place, 'net.ipv4.icmp_errors_use_inbound_ifaddr');
    return switchedOn(isWanted) === 'yes' ? selectIpv4Address(snapshot, place, input, ip.destination, 253) : undefined;
  }
  const key = { destination: ip.destination, tos: 0, mark: 0, user: 0 };
  const lookup = lookupRoute(snapshot, place, key);
  const found = lookup.state === 'found' ? lookup.ways[0]?.found : undefined;
  if (found?.route?.preferredSource !== undefined) return undefined;
  return ipv6SourceFor(snapshot, place, ip.destination, { type: 'none', hop: { device: input, weight: 1, flags: [] } });
}

function errorWalk(walk: Walk, start: WalkStart, { cursor }: End, told: Addressed, depth: number): CondensedTrace {
  const { packet, isOpen } = told;
  const back = backOf(walk, start, cursor);
  const bridged = bridgedReset(cursor, packet);
  const sender: WalkStart = bridged ?? {
    from: cursor.place,
    packet,
    byKernel: packet.l4.protocol === 'tcp' && cursor.stage.name !== 'deliver' ? true : 'stack',
    ...(isOpen ? { unbound: true } : {}),
    ...markOf(walk, cursor),
  };
  const reset = packet.l4.protocol === 'tcp' ? closing(cursor.tracking) : cursor.tracking;
  const tracking = bridged ? release(reset) : attached(reset);
  const walked = walkFrom(back, sender, tracking);
  const { world, aside } = walk;
  return withErrorsOf({ world, ...(aside && { aside }) }, sender, walked, depth + 1);
}

/** No process waits for what is told of a tunnel's outer packet. On its way the bridges and neighbours have learnt. */
function backOf({ world, learnt = [], aside }: Walk, start: WalkStart, { packet, visited }: Cursor): Walk {
  const known = { world, learnt: [...learnt, ...visited], ...(aside && { aside }) };
  if (packet.inner) return known;
  const place = start.arrivesBy === undefined ? { place: start.from } : {};
  return { ...known, expect: { tuple: reversed(tupleOf(start.packet)), ...place } };
}

/** fwmark_reflect: the answer bears the mark of what it is about (IP4_REPLY_MARK). */
function markOf({ world }: Walk, { place, meta, packet }: Cursor): Pick<WalkStart, 'mark'> {
  const key = `net.ipv${familyOf(packet.ip.destination)}.fwmark_reflect`;
  if (meta.mark === 0 || switchedOn(readSysctl(world.snapshot, place, key)) !== 'yes') return {};
  return { mark: meta.mark };
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
