import type { Packet } from '../../src/net/packet.ts';
import type { Place } from '../../src/net/place.ts';
import type { CondensedTrace } from '../../src/simulate/condense.ts';
import type { End, SocketOwner, Walk, World } from '../../src/simulate/cursor.ts';
import { sourceFor } from '../../src/simulate/output.ts';
import { walkBack } from '../../src/simulate/simulate-round-trip.ts';
import { type Connection, release } from '../../src/simulate/tracking.ts';
import { reversed, tupleOf } from '../../src/simulate/tuple.ts';
import { type WalkStart, walkWithErrors } from '../../src/simulate/walk.ts';

/** What the simulator says of one packet, and of what follows from it: the answer, and of TCP the third packet. */
export interface Talk {
  readonly walked: CondensedTrace;
  /** By the segment of the leaf that was a delivery. */
  readonly next: ReadonlyMap<number, Talk>;
}

/** What the packets before have left behind. */
export interface Left {
  readonly connections: readonly Connection[];
  /** What rules have added to sets. */
  readonly touched?: readonly string[];
  /** What bridges and neighbours have learnt. */
  readonly learnt: readonly string[];
}

export interface TalkQuestion {
  readonly from: Place;
  readonly packet: Packet;
  readonly left: Left;
  /** Whether what listens at the end answers. */
  readonly answers: boolean;
  /** The socket's mark. */
  readonly mark?: number;
  /** The device that the socket is bound to. */
  readonly device?: string;
  /** Whether the socket may send to all. */
  readonly broadcast?: boolean;
  /** Whose socket it is; root's unless told. */
  readonly owner?: SocketOwner;
}

/** All of the sockets are this process's. */
const ROOT: SocketOwner = { uid: 0, gid: 0 };

export function simulateTalk(world: World, question: TalkQuestion): Talk {
  const packet = withSource(world, question);
  const { connections, touched, learnt } = question.left;
  const walked = walkWithErrors({ world, learnt }, startOf(question, packet), {
    connections,
    ...(touched && { touched }),
  });
  const { device } = question;
  const expect = {
    tuple: reversed(tupleOf(packet)),
    place: question.from,
    ...(device === undefined ? {} : { device }),
  };
  const next = new Map<number, Talk>();
  for (const [leaf, end] of walked.ends) {
    if (end.end !== 'delivered' || !question.answers) continue;
    next.set(leaf, answered({ world, expect, learnt }, end, packet, question));
  }
  return { walked, next };
}

function startOf(question: TalkQuestion, packet: Packet): WalkStart {
  const { from, mark, owner, device, broadcast } = question;
  const isOpen = isUnspecified(question.packet);
  // IPv4's connect(2) looks up a second time with the address that it got (ip_route_connect).
  const unbound = isOpen && (packet.ip.source.includes(':') || packet.l4.protocol === 'icmp');
  return {
    from,
    packet,
    owner: owner ?? ROOT,
    ...(mark === undefined ? {} : { mark }),
    ...(device === undefined ? {} : { device }),
    ...(unbound ? { unbound } : {}),
    ...(broadcast === undefined ? {} : { broadcast }),
  };
}

function answered(walk: Walk, end: End, asked: Packet, question: TalkQuestion): Talk {
  const walked = walkBack(walk, end, { owner: ROOT, fit: 'pieces' });
  const next = new Map<number, Talk>();
  if (asked.l4.protocol !== 'tcp') return { walked, next };
  for (const [leaf, { end: how, cursor }] of walked.ends) {
    if (how !== 'delivered') continue;
    const learnt = [...(walk.learnt ?? []), ...end.cursor.visited, ...cursor.visited];
    // A connection keeps its route; IPv6 found it without the address.
    const start = startOf(question, acknowledging(asked));
    const third = walkWithErrors({ world: walk.world, learnt }, start, release(cursor.tracking));
    next.set(leaf, { walked: third, next: new Map() });
  }
  return { walked, next };
}

/** The client's ACK that ends the handshake: 20 bytes of TCP and its timestamps. */
function acknowledging(asked: Packet): Packet {
  if (asked.l4.protocol !== 'tcp' || !('sourcePort' in asked.l4)) throw new Error('no TCP packet');
  const { mss: _, ...l4 } = asked.l4;
  const header = asked.ip.source.includes(':') ? 40 : 20;
  return { ...asked, l4: { ...l4, flags: ['ack'] }, lengthBytes: header + 32 };
}

function withSource(world: World, { from, packet, device, mark, owner = ROOT }: TalkQuestion): Packet {
  if (!isUnspecified(packet)) return packet;
  const source = sourceFor({ world }, from, packet, {
    ...(owner.uid === undefined ? {} : { user: owner.uid }),
    ...(device === undefined ? {} : { device }),
    ...(mark === undefined ? {} : { mark }),
  });
  return source === undefined ? packet : { ...packet, ip: { ...packet.ip, source } };
}

function isUnspecified({ ip }: Packet): boolean {
  return ip.source === '0.0.0.0' || ip.source === '::';
}
