import type { Packet } from '../../src/net/packet.ts';
import type { Place } from '../../src/net/place.ts';
import type { CondensedTrace } from '../../src/simulate/condense.ts';
import { type Connection, release, type Tracking } from '../../src/simulate/conntrack.ts';
import type { World } from '../../src/simulate/cursor.ts';
import { sourceFor } from '../../src/simulate/output.ts';
import { answerTo } from '../../src/simulate/simulate-round-trip.ts';
import { reversed, tupleOf } from '../../src/simulate/tuple.ts';
import { walkWithErrors } from '../../src/simulate/walk.ts';

/** What the simulator says of one packet, and of what follows from it: the answer, and of TCP the third packet. */
export interface Talk {
  readonly walked: CondensedTrace;
  /** By the segment of the leaf that was a delivery. */
  readonly next: ReadonlyMap<number, Talk>;
}

export interface TalkQuestion {
  readonly from: Place;
  readonly packet: Packet;
  readonly connections: readonly Connection[];
  /** Whether what listens at the end answers. */
  readonly answers: boolean;
  /** The socket's mark. */
  readonly mark?: number;
}

export function simulateTalk(world: World, question: TalkQuestion): Talk {
  const packet = withSource(world, question.from, question.packet);
  const { from } = question;
  const walked = walkWithErrors(
    { world },
    { from, packet, ...marked(question) },
    { connections: question.connections },
  );
  const expect = { tuple: reversed(tupleOf(packet)), place: from };
  const next = new Map<number, Talk>();
  for (const [leaf, end] of walked.ends) {
    if (end.end !== 'delivered' || !question.answers) continue;
    const { cursor } = end;
    next.set(
      leaf,
      answered({ world, expect }, cursor.place, cursor.packet, release(cursor.tracking), packet, question),
    );
  }
  return { walked, next };
}

type AnswerWalk = Parameters<typeof walkWithErrors>[0];

function answered(
  walk: AnswerWalk,
  server: Place,
  arrived: Packet,
  tracking: Tracking,
  asked: Packet,
  question: TalkQuestion,
): Talk {
  const walked = walkWithErrors(walk, { from: server, packet: answerTo(arrived), fit: true }, tracking);
  const next = new Map<number, Talk>();
  if (asked.l4.protocol === 'tcp') {
    for (const [leaf, end] of walked.ends) {
      if (end.end !== 'delivered') continue;
      const third = walkWithErrors(
        { world: walk.world },
        { from: question.from, packet: acknowledging(asked), ...marked(question) },
        release(end.cursor.tracking),
      );
      next.set(leaf, { walked: third, next: new Map() });
    }
  }
  return { walked, next };
}

function marked({ mark }: TalkQuestion): { readonly mark?: number } {
  return mark === undefined ? {} : { mark };
}

/** The client's ACK that ends the handshake: 20 bytes of TCP and its timestamps. */
function acknowledging(asked: Packet): Packet {
  if (asked.l4.protocol !== 'tcp' || !('sourcePort' in asked.l4)) throw new Error('no TCP packet');
  const { mss: _, ...l4 } = asked.l4;
  const header = asked.ip.source.includes(':') ? 40 : 20;
  return { ...asked, l4: { ...l4, flags: ['ack'] }, lengthBytes: header + 32 };
}

function withSource(world: World, from: Place, packet: Packet): Packet {
  if (packet.ip.source !== '0.0.0.0' && packet.ip.source !== '::') return packet;
  const source = sourceFor({ world }, from, packet);
  return source === undefined ? packet : { ...packet, ip: { ...packet.ip, source } };
}
