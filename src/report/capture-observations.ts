import type { Attempt } from '../capture/attempt.ts';
import type { FollowedPacket } from '../capture/follow-packets.ts';
import type { WatchPlan } from '../capture/watch-plan.ts';
import { wrongChecksums } from '../capture/wrong-checksums.ts';
import type { CaptureSeen } from './build-capture-report.ts';
import { shortPlace } from './end-text.ts';

/** What else was seen, each in one sentence. */
export function captureObservations({ plan, analysis, watches }: CaptureSeen): string[] {
  const { attempts, others, untold } = analysis;
  return [
    ...strangeMacs(attempts, plan),
    ...badChecksums(attempts, plan),
    ...retransmissions(attempts),
    ...plan.points.flatMap((point, index) => {
      const count = untold[index] ?? 0;
      const where = `${point.device} of ${shortPlace(point.place)}`;
      return count > 0 ? [`${count} frames at ${where} could not be told apart (fragments, encrypted, or no IP)`] : [];
    }),
    ...plan.points.flatMap((point, index) => {
      const { gap } = watches[index]!;
      return gap === undefined ? [] : [`${point.device} of ${shortPlace(point.place)} was not watched wholly: ${gap}`];
    }),
    ...(others > 0 ? [`conversations of others between the same ends, seen and left out: ${others}`] : []),
    ...answerTimes(attempts, plan),
  ];
}

/** Frames that come by but are for nobody here. */
function strangeMacs(attempts: readonly Attempt[], plan: WatchPlan): string[] {
  const strange = attempts.flatMap(({ packets }) =>
    packets.flatMap(({ sightings }) => sightings.filter(({ forAnotherMac }) => forAnotherMac !== undefined)),
  );
  return [...Map.groupBy(strange, ({ point, forAnotherMac }) => `${point} ${forAnotherMac}`).values()].map((alike) => {
    const { point, forAnotherMac } = alike[0]!;
    const { device, place, mac } = plan.points[point]!;
    return `${alike.length} packets come by ${device} of ${shortPlace(place)} in frames for the MAC ${forAnotherMac}; its own is ${mac}, so that it does not take them`;
  });
}

function badChecksums(attempts: readonly Attempt[], plan: WatchPlan): string[] {
  return wrongChecksums(attempts, plan).map(({ point, whose, header, packets }) => {
    const { device, place } = plan.points[point]!;
    const what = header === 'ip' ? 'checksum of the IP header' : `${header} checksum`;
    return `packets that come in by ${device} of ${shortPlace(place)} with a wrong ${whose === 'outer' ? 'outer ' : ''}${what}: ${packets}`;
  });
}

function retransmissions(attempts: readonly Attempt[]): string[] {
  const again = attempts.filter(({ retransmissions: count }) => count > 0);
  if (again.length === 0) return [];
  const times = again.reduce((sum, { retransmissions: count }) => sum + count, 0);
  return [`first packets sent again: ${times}, in ${again.length} of ${attempts.length} attempts`];
}

/**
 * How long after the request each device saw the answer, by its own clock: where this grows smaller from one device to the
 * next, the time is spent between them. It needs no common clock.
 */
function answerTimes(attempts: readonly Attempt[], plan: WatchPlan): string[] {
  const answered = attempts.filter(({ outcome }) => outcome === 'answered');
  const perPoint = plan.points.map((_, point) => {
    const times = answered.flatMap(({ packets }) => answerTime(packets, point));
    return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
  });
  const told = plan.points.flatMap(({ device, place }, index) => {
    const ms = perPoint[index];
    return ms === undefined ? [] : [`${device} of ${shortPlace(place)} ${ms.toFixed(2)} ms`];
  });
  return told.length < 2 ? [] : [`from request to answer, median, by each device’s own clock: ${told.join(', ')}`];
}

function answerTime(packets: readonly FollowedPacket[], point: number): number[] {
  const at = (leg: FollowedPacket['leg']): bigint | undefined =>
    packets.find((one) => one.leg === leg)?.sightings.find((one) => one.point === point)?.atNs;
  const [request, answer] = [at('there'), at('back')];
  return request === undefined || answer === undefined ? [] : [Number(answer - request) / 1e6];
}
