import type { Attempt } from '../capture/attempt.ts';
import type { Fate, FollowedPacket } from '../capture/follow-packets.ts';
import type { WatchPlan, Way, WayStep } from '../capture/watch-plan.ts';
import { placeKey } from '../net/place.ts';
import type { Flow } from './derived.ts';
import { isCertain } from './leaves.ts';

export type Agreement = 'yes' | 'no' | 'unknown';

/** Whether what a capture saw of all attempts is what the walk through the rules says. */
export function captureAgreement(attempts: readonly Attempt[], flow: Flow, plan: WatchPlan): Agreement {
  const verdicts = attempts.map((attempt) => agreementOf(attempt, flow, plan));
  if (verdicts.includes('no')) return 'no';
  return verdicts.length > 0 && verdicts.every((one) => one === 'yes') ? 'yes' : 'unknown';
}

function agreementOf({ outcome, deciding }: Attempt, flow: Flow, plan: WatchPlan): Agreement {
  const fate = deciding?.fate;
  // The walk is about the first packet alone.
  if (outcome === 'unknown' || outcome === 'stalled' || !fate || (fate.is === 'lost' && hasWrongSum(deciding)))
    return 'unknown';
  if (fate.is === 'lost') return agreementOnLoss(fate, deciding.leg, flow, plan);
  if (fate.is === 'left') return agreementOnLeaving(flow);
  const meetsEnd = (isWhat: (sees: string) => boolean): Agreement => {
    if (flow.leaves.some(({ end }) => isWhat(end.senderSees))) return 'yes';
    return flow.unknown.length > 0 ? 'unknown' : 'no';
  };
  switch (outcome) {
    case 'mismatched':
      if (flow.leaves.some(({ end }) => end.end === 'reply-not-matched')) return 'yes';
      return flow.unknown.length > 0 ? 'unknown' : 'no';
    case 'answered':
      return agreementOnAnswer(flow);
    case 'refused':
      return meetsEnd((sees) => sees === 'reset');
    case 'icmp-error':
      return meetsEnd((sees) => sees.startsWith('icmp'));
    default:
      // That a datagram is delivered says nothing of an answer.
      if (flow.protocol === 'udp' && flow.leaves.some(({ end }) => end.end === 'delivered')) return 'yes';
      return meetsEnd((sees) => sees === 'nothing');
  }
}

/** Checksums are none of a walk's: it takes them to be right. */
function hasWrongSum({ sightings }: FollowedPacket): boolean {
  return sightings.some(({ packet, outer }) =>
    [packet, ...(outer ? [outer] : [])].some(({ ip, l4 }) => ip.checksum === 'bad' || l4?.checksum === 'bad'),
  );
}

/** Some way there and back must be free; what happens outside of the cluster the walk leaves open. */
function agreementOnAnswer({ leaves, dead, unknown }: Flow): Agreement {
  const isFree = leaves.some((leaf) => !dead.includes(leaf) && !unknown.includes(leaf));
  if (dead.some(({ chance }) => isCertain(chance)) || (!isFree && unknown.length === 0)) return 'no';
  return isFree ? 'yes' : 'unknown';
}

/** Out there the walk sees nothing, but it may know that nobody there can answer. */
function agreementOnLeaving({ dead, leaves }: Flow): Agreement {
  if (dead.some(({ end }) => end.end === 'left-the-cluster')) return 'yes';
  return leaves.some(({ end }) => end.end === 'left-the-cluster') ? 'unknown' : 'no';
}

/** The walk ends where the packet was lost; or all of its ways pass there. */
function agreementOnLoss(
  fate: Fate & { readonly is: 'lost' },
  leg: Way['leg'],
  flow: Flow,
  plan: WatchPlan,
): Agreement {
  const { points, ways } = plan;
  const { after, before } = fate;
  const walked = ways.filter((way) => way.leg === leg && way.end !== undefined);
  const nodeOf = ({ point }: WayStep): string => points[point]!.place.node;
  const isDeath = ({ end }: Way): boolean =>
    end !== 'delivered' && end !== 'left-the-cluster' && end !== 'insufficient-information';
  if (walked.some((way) => isDeath(way) && diesBetween(way, after, before, plan))) return 'yes';
  // A walk knows no queues.
  if (before.every(({ point, way }) => way === 'out' && points[point]!.shaper !== undefined)) return 'unknown';
  // What lies between two nodes no walk can see.
  if (before.every((step) => nodeOf(step) !== nodeOf(after))) return 'unknown';
  return flow.unknown.length > 0 || walked.length === 0 ? 'unknown' : 'no';
}

/**
 * A walk dies somewhere in its last stay: behind the last device that it certainly passed, and before the first one of the next
 * network namespace.
 */
function diesBetween({ steps, made }: Way, after: WayStep, before: readonly WayStep[], { points }: WatchPlan): boolean {
  const placeOf = ({ point }: WayStep): string => placeKey(points[point]!.place);
  const indexOf = ({ point, way }: WayStep): number =>
    steps.findIndex((step) => step.point === point && step.way === way);
  const [from, to] = [indexOf(after), Math.max(...before.map(indexOf))];
  const dying = steps[made];
  const beyond = steps.findIndex((step, index) => index >= made && placeOf(step) !== placeOf(dying!));
  const end = beyond < 0 ? steps.length : Math.max(beyond, made);
  return from >= 0 && Math.max(from, made - 1) < Math.min(to < 0 ? steps.length : to, end);
}
