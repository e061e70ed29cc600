import { placeKey } from '../net/place.ts';
import type { SeenConversation } from './conversations.ts';
import type { Sighting } from './sighting.ts';
import type { CapturePoint, Way, WayStep } from './watch-plan.ts';

/** One sending of one packet, on all devices. */
export interface FollowedPacket {
  readonly key: string;
  readonly leg: 'there' | 'back';
  /** 1 for the first sending, 2 for the first retransmission … */
  readonly sending: number;
  readonly sightings: readonly Sighting[];
  readonly fate: Fate;
  /** The first place on its way where it was seen: where it was made, if that is not the way's beginning. */
  readonly from?: WayStep;
}

export type Fate =
  | { readonly is: 'arrived'; readonly at: WayStep }
  /** It went out by the last device of a way that leads out of all that can be watched. */
  | { readonly is: 'left'; readonly at: WayStep }
  /** Seen at `after`, and at none of the watched devices behind it; `before` are the next ones, one for each way on. */
  | { readonly is: 'lost'; readonly after: WayStep; readonly before: readonly WayStep[] }
  | { readonly is: 'unknown'; readonly because: string };

/** The ways and what of them was watched. */
export interface Watch {
  readonly points: readonly CapturePoint[];
  readonly ways: readonly Way[];
  /** Whether nothing that passed the point can have been missed there. */
  readonly isWhole: (point: number) => boolean;
}

/** Every sending of every packet of a conversation, and what became of it. */
export function followPackets(conversation: SeenConversation, watch: Watch): FollowedPacket[] {
  const byKey = Map.groupBy(conversation.sightings, ({ key }) => key);
  const followed = [...byKey].flatMap(([key, sightings]) => {
    const leg = conversation.leg(sightings[0]!);
    return sendingsOf(sightings, leg, watch.ways).map((ofOne, index) => {
      const { fate, from } = fateOf(seenBy(ofOne, conversation, leg), leg, watch);
      return { key, leg, sending: index + 1, sightings: ofOne, fate, ...(from && { from }) };
    });
  });
  return followed.toSorted((a, b) => compare(a.sightings[0]!.atNs, b.sightings[0]!.atNs));
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** A retransmission is the same packet again: the device that saw most of them says how many there were. */
function sendingsOf(sightings: readonly Sighting[], leg: Way['leg'], ways: readonly Way[]): Sighting[][] {
  const byPoint = [...Map.groupBy(sightings, ({ point }) => point)].map(([point, seen]) => {
    return inRuns(seen, passesOf(point, leg, ways));
  });
  const reference = byPoint.reduce((most, runs) => (runs.length > most.length ? runs : most));
  const sendings = reference.map((run) => [...run]);
  for (const runs of byPoint) {
    if (runs === reference) continue;
    let from = 0;
    for (const [index, run] of runs.entries()) {
      // Enough must be left for those that follow.
      const last = sendings.length - (runs.length - index);
      const at = nearest(run[0]!.atNs, reference, from, last);
      sendings[at]!.push(...run);
      from = at + 1;
    }
  }
  return sendings.map((sending) => sending.toSorted((a, b) => compare(a.atNs, b.atNs)));
}

function nearest(atNs: bigint, reference: readonly (readonly Sighting[])[], from: number, last: number): number {
  const distance = (index: number): bigint => {
    const gap = reference[index]![0]!.atNs - atNs;
    return gap < 0n ? -gap : gap;
  };
  let best = from;
  for (let index = from; index <= last; index++) if (distance(index) < distance(best)) best = index;
  return best;
}

/** How often one packet passes a device: in and out again by the same one is twice. */
function passesOf(point: number, leg: Way['leg'], ways: readonly Way[]): number {
  const counts = ways
    .filter((way) => way.leg === leg)
    .map(({ steps }) => steps.filter((step) => step.point === point).length);
  return Math.max(1, ...counts);
}

function inRuns(seen: readonly Sighting[], length: number): Sighting[][] {
  const runs: Sighting[][] = [];
  for (let at = 0; at < seen.length; at += length) runs.push(seen.slice(at, at + length));
  return runs;
}

/**
 * How often the sending was seen at a point. Devices cut and join TCP segments (GSO, GRO), so that data counts as seen where
 * all of its bytes passed.
 */
function seenBy(sending: readonly Sighting[], { sightings, leg }: SeenConversation, ownLeg: Way['leg']) {
  const { packet } = sending[0]!;
  return (point: number): number => {
    const itself = sending.filter((one) => one.point === point && !one.forAnotherMac).length;
    if (itself > 0 || packet.l4?.protocol !== 'tcp' || packet.l4.payloadLength === 0) return itself;
    const others = sightings.filter((one) => one.point === point && leg(one) === ownLeg);
    return coversBytes(others, packet.l4.sequence, packet.l4.payloadLength) ? 1 : 0;
  };
}

/** Sequence numbers wrap at 2^32 (RFC 9293, 3.4). */
function coversBytes(sightings: readonly Sighting[], start: number, length: number): boolean {
  const spans = sightings
    .flatMap(({ packet: { l4 } }) =>
      l4?.protocol === 'tcp' && l4.payloadLength > 0
        ? [{ from: (l4.sequence - start) | 0, to: ((l4.sequence - start) | 0) + l4.payloadLength }]
        : [],
    )
    .toSorted((a, b) => a.from - b.from);
  let reached = 0;
  for (const { from, to } of spans) if (from <= reached) reached = Math.max(reached, to);
  return reached >= length;
}

interface Progress {
  readonly way: Way;
  /** Indices of the way's steps at which it was seen, in order. */
  readonly seen: readonly number[];
}

function fateOf(
  timesSeen: (point: number) => number,
  leg: Way['leg'],
  { ways, points, isWhole }: Watch,
): { readonly fate: Fate; readonly from?: WayStep } {
  const all = ways.filter((way) => way.leg === leg).map((way) => progressOn(way, timesSeen));
  const most = Math.max(0, ...all.map(({ seen }) => seen.length));
  if (most === 0) return { fate: { is: 'unknown', because: 'it was seen on none of the expected ways' } };
  const best = all.filter(({ seen }) => seen.length === most);
  const from = best[0]!.way.steps[best[0]!.seen[0]!]!;
  const arrived = best.find(({ way, seen }) => seen.at(-1) === way.steps.length - 1);
  if (arrived) {
    const at = arrived.way.steps.at(-1)!;
    return { fate: arrived.way.leaves ? { is: 'left', at } : { is: 'arrived', at }, from };
  }
  const { way, seen } = best[0]!;
  const after = way.steps[seen.at(-1)!]!;
  const next = best.map((one) => nextWatched(one, isWhole));
  if (next.some((step) => step === undefined)) {
    const { device, place } = points[after.point]!;
    return {
      fate: { is: 'unknown', because: `nothing behind ${device} (${placeKey(place)}) was watched wholly` },
      from,
    };
  }
  return { fate: { is: 'lost', after, before: uniqueSteps(next as readonly WayStep[]) }, from };
}

/** A point that the way passes twice counts twice only if it was seen twice there. */
function progressOn(way: Way, timesSeen: (point: number) => number): Progress {
  const used = new Map<number, number>();
  const seen: number[] = [];
  for (const [index, { point }] of way.steps.entries()) {
    const before = used.get(point) ?? 0;
    if (before >= timesSeen(point)) continue;
    used.set(point, before + 1);
    seen.push(index);
  }
  return { way, seen };
}

function nextWatched({ way, seen }: Progress, isWhole: Watch['isWhole']): WayStep | undefined {
  return way.steps.slice(seen.at(-1)! + 1).find(({ point }) => isWhole(point));
}

function uniqueSteps(steps: readonly WayStep[]): WayStep[] {
  return [...new Map(steps.map((step) => [`${step.point} ${step.way}`, step])).values()];
}
