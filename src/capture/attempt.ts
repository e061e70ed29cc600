import type { WirePacket } from '../wire/wire-packet.ts';
import type { SeenConversation } from './conversations.ts';
import { type Fate, type FollowedPacket, followPackets, type Watch } from './follow-packets.ts';

export type AttemptOutcome =
  /** Its answer came all the way back. */
  | 'answered'
  /** An answer came, from another address or port than was asked: the client, which waits for that one, does not take it. */
  | 'mismatched'
  /** It was answered, and then data was sent again and again and did not come through. */
  | 'stalled'
  /** A reset came back. */
  | 'refused'
  /** An ICMP error came back. */
  | 'icmp-error'
  /** The request was last seen at a device on its way. */
  | 'lost-there'
  /** The request arrived, an answer was made, and was last seen at a device on its way back. */
  | 'lost-back'
  /** The request arrived, or left the cluster, and nothing came of it. */
  | 'unanswered'
  | 'unknown';

/** One connection or exchange that was tried, and what became of it. */
export interface Attempt {
  readonly outcome: AttemptOutcome;
  readonly packets: readonly FollowedPacket[];
  /** The packet that decides the outcome. */
  readonly deciding?: FollowedPacket;
  /** Sendings of the request beyond the first. */
  readonly retransmissions: number;
}

export function attemptOf(conversation: SeenConversation, watch: Watch): Attempt {
  const packets = followPackets(conversation, watch);
  const requests = packets.filter(
    ({ leg, key }) => leg === 'there' && key === packets.find((one) => one.leg === 'there')?.key,
  );
  const retransmissions = Math.max(0, requests.length - 1);
  const decided = decide(packets, requests, watch);
  return { ...decided, packets, retransmissions };
}

function decide(
  packets: readonly FollowedPacket[],
  requests: readonly FollowedPacket[],
  watch: Watch,
): { readonly outcome: AttemptOutcome; readonly deciding?: FollowedPacket } {
  const back = packets.filter(({ leg }) => leg === 'back');
  const came = (kind: AnswerKind): FollowedPacket | undefined =>
    back.find((one) => kindOf(one) === kind && one.fate.is === 'arrived');
  const answered = came('answer');
  if (answered && requests[0] && isMismatched(requests[0], answered, watch))
    return { outcome: 'mismatched', deciding: answered };
  const stalled = answered && stalledData(packets);
  if (stalled) return { outcome: 'stalled', deciding: stalled };
  if (answered) return { outcome: 'answered', deciding: answered };
  const refused = came('reset');
  if (refused) return { outcome: 'refused', deciding: refused };
  const error = came('icmp-error');
  if (error) return { outcome: 'icmp-error', deciding: error };
  const lostAnswer = worst(back);
  if (lostAnswer) return { outcome: outcomeOfAnswer(lostAnswer.fate), deciding: lostAnswer };
  const request = requests.find(({ fate }) => fate.is === 'arrived' || fate.is === 'left') ?? worst(requests);
  if (!request) return { outcome: 'unknown' };
  return { outcome: outcomeOfRequest(request.fate), deciding: request };
}

/**
 * Whether the answer comes from elsewhere than was asked, both as the asking pod's own device shows them: nothing translates
 * between that and its socket. A node's devices may show either before its translation.
 */
function isMismatched(request: FollowedPacket, { fate, sightings }: FollowedPacket, { points }: Watch): boolean {
  const at = fate.is === 'arrived' ? fate.at.point : undefined;
  if (at === undefined || points[at]?.place.namespace === 'host') return false;
  const asked = request.sightings.find(({ point }) => point === at)?.packet;
  const came = sightings.find(({ point }) => point === at)?.packet;
  if (!asked || !came) return false;
  if (came.ip.source !== asked.ip.destination) return true;
  const [to, from] = [asked.l4, came.l4];
  return (
    to !== undefined &&
    from !== undefined &&
    'sourcePort' in from &&
    'destinationPort' in to &&
    from.sourcePort !== to.destinationPort
  );
}

/**
 * Data that was sent more than once and was lost every time. What was sent once only may have been cut off by the end of the
 * capture.
 */
function stalledData(packets: readonly FollowedPacket[]): FollowedPacket | undefined {
  const data = packets.filter(({ sightings }) => {
    const { l4 } = sightings[0]!.packet;
    return l4?.protocol === 'tcp' && l4.payloadLength > 0;
  });
  const bySending = [...Map.groupBy(data, ({ key }) => key).values()];
  return bySending.find((sendings) => sendings.length > 1 && sendings.every(({ fate }) => fate.is === 'lost'))?.[0];
}

/** Of packets that did not arrive, one that is known to be lost rather than one of which that is unknown. */
function worst(packets: readonly FollowedPacket[]): FollowedPacket | undefined {
  return packets.find(({ fate }) => fate.is === 'lost') ?? packets[0];
}

function outcomeOfAnswer(fate: Fate): AttemptOutcome {
  return fate.is === 'lost' || fate.is === 'left' ? 'lost-back' : 'unknown';
}

function outcomeOfRequest(fate: Fate): AttemptOutcome {
  if (fate.is === 'lost') return 'lost-there';
  return fate.is === 'unknown' ? 'unknown' : 'unanswered';
}

type AnswerKind = 'answer' | 'reset' | 'icmp-error';

function kindOf({ sightings }: FollowedPacket): AnswerKind {
  const { l4 } = sightings[0]!.packet;
  if (l4?.protocol === 'tcp') return l4.flags.includes('rst') ? 'reset' : 'answer';
  if (l4?.protocol === 'sctp') return l4.chunks.includes(SCTP_ABORT) ? 'reset' : 'answer';
  return l4 && 'about' in l4 && l4.about !== undefined ? 'icmp-error' : 'answer';
}

/** RFC 9260, 3.3.7. */
const SCTP_ABORT = 6;

/** What a packet is, in the words of who reads captures: `SYN`, `SYN ACK`, `udp 21 bytes`, `icmp 3/3 from 10.0.0.1`. */
export function packetLabel({ ip, l4 }: WirePacket): string {
  switch (l4?.protocol) {
    case 'tcp': {
      const flags = l4.flags.filter((flag) => flag !== 'psh').map((flag) => flag.toUpperCase());
      const data = l4.payloadLength > 0 ? [`${l4.payloadLength} bytes`] : [];
      return [...flags, ...data].join(' ');
    }
    case 'udp':
      return `udp ${l4.length - 8} bytes`;
    case 'icmp':
    case 'icmpv6':
      return icmpLabel(ip.source, l4);
    case 'sctp':
      return `sctp chunks ${l4.chunks.join(',')}`;
    default:
      return `protocol ${ip.protocol}`;
  }
}

function icmpLabel(source: string, l4: WirePacket['l4'] & { readonly protocol: 'icmp' | 'icmpv6' }): string {
  if (l4.about) return `${l4.protocol} ${l4.type}/${l4.code} from ${source}`;
  const asks = l4.type === 8 || l4.type === 128;
  return `${asks ? 'echo request' : 'echo reply'} ${l4.sequence ?? ''}`.trim();
}
