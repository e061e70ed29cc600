import type { CaptureFile } from '../wire/capture-file.ts';
import { type Attempt, attemptOf } from './attempt.ts';
import { conversationsOf, type SeenConversation } from './conversations.ts';
import type { Watch } from './follow-packets.ts';
import type { PointWatch } from './read-captures.ts';
import { type Sighting, sightingsOf } from './sighting.ts';
import type { WatchPlan } from './watch-plan.ts';

/** What tells our own attempts from other traffic between the same ends. */
export interface OwnTraffic {
  /** Source ports that the probes had, where they are known. */
  readonly sourcePorts?: ReadonlySet<number>;
  /** How each probe's payload begins, where it has one. */
  readonly payloadPrefix?: string;
}

export interface CaptureAnalysis {
  /** In the order in which they began. */
  readonly attempts: readonly Attempt[];
  /** Conversations between the same ends that are not ours. */
  readonly others: number;
  /** Frames of each point that nothing tells apart. */
  readonly untold: readonly number[];
}

/** Follows each attempt from device to device. Without `own`, everything that was seen counts. */
export function analyseCapture(
  file: CaptureFile,
  plan: WatchPlan,
  watches: readonly PointWatch[],
  own?: OwnTraffic,
): CaptureAnalysis {
  const { seen, untold } = sightingsOf(file, plan.points);
  const starts = startingPoints(plan, watches);
  const conversations = conversationsOf(seen)
    .filter(({ sightings }) => !sightings.every(isLoneError))
    .filter(({ sightings }) => starts.size === 0 || sightings.some(({ point }) => starts.has(point)));
  const ours = own === undefined ? conversations : conversations.filter((one) => isOwn(one, own));
  const watch: Watch = {
    points: plan.points,
    ways: plan.ways,
    isWhole: (point) => watches[point]?.isWhole ?? false,
  };
  const attempts = ours
    .toSorted((a, b) => Number(a.sightings[0]!.atNs - b.sightings[0]!.atNs))
    .map((conversation) => attemptOf(conversation, watch));
  return { attempts, others: conversations.length - ours.length, untold };
}

/** What comes from the source passes the first device of its way; what was not seen there comes from elsewhere. Empty: that was not watched. */
function startingPoints({ ways }: WatchPlan, watches: readonly PointWatch[]): ReadonlySet<number> {
  const first = ways.filter(({ leg }) => leg === 'there').flatMap(({ steps }) => steps[0]?.point ?? []);
  return first.every((point) => watches[point]?.isWhole) ? new Set(first) : new Set();
}

/** An ICMP error about something that was not captured is about somebody else's packet. */
function isLoneError({ key }: Sighting): boolean {
  return key.includes(' about ');
}

function isOwn({ sightings, leg }: SeenConversation, { sourcePorts, payloadPrefix }: OwnTraffic): boolean {
  return sightings.some((sighting) => {
    const { l4 } = sighting.packet;
    if (leg(sighting) !== 'there' || !l4) return false;
    if (l4.protocol === 'tcp' || l4.protocol === 'sctp') return sourcePorts?.has(l4.sourcePort) ?? true;
    if (l4.protocol === 'udp')
      return payloadPrefix === undefined || new TextDecoder().decode(l4.payload).startsWith(payloadPrefix);
    return true;
  });
}
