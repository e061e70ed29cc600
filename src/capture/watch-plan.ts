import type { Address } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { Disposition, RoundTrip } from '../simulate/trace.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { reversedTuple, type Tuple, type Visit } from './visit.ts';
import { type TraceWay, waysOfTrace } from './visits-of-trace.ts';

/** One device to watch. */
export interface CapturePoint {
  readonly place: Place;
  readonly device: string;
  /** Everything that is expected there, in both directions. */
  readonly tuples: readonly Tuple[];
  /** The device's own MAC, where it takes frames for no other one: it is no port of a bridge. */
  readonly mac?: string;
  /** The kind of its queueing discipline, where that may drop what a walk lets out: what it drops is seen no more at this device. */
  readonly shaper?: string;
}

/** A device on a way, by its point's number. */
export interface WayStep {
  readonly point: number;
  readonly way: 'in' | 'out';
  readonly tuple: Tuple;
}

/** One way that the packet may take there, or its answer back. */
export interface Way {
  readonly leg: 'there' | 'back';
  readonly steps: readonly WayStep[];
  /** How many of the steps the walk says are made. The others are where it would go on if it did not die. */
  readonly made: number;
  /** How the walk ends; undefined where there was nothing to walk. */
  readonly end?: Disposition;
  /** The last device leads out of all that can be watched, and not to where the packet is meant to end. */
  readonly leaves?: true;
}

export interface WatchPlan {
  readonly points: readonly CapturePoint[];
  readonly ways: readonly Way[];
  /** Devices that are on a way but are not watched, since they are more than can be. */
  readonly left: number;
}

export interface PlanInput {
  readonly snapshot: Snapshot;
  readonly trip: RoundTrip;
  /** By a destination's address, the walk of a first packet from there to the source: the devices behind the place where a packet dies. */
  readonly opposites?: ReadonlyMap<Address, RoundTrip>;
}

/** Enough for a client, its node, a tunnel, the other node and its pod, there and back, twice. */
export const POINTS_MAX = 24;

/** The devices to watch for a round trip, each once, in the order in which the packet meets them. */
export function watchPlan({ snapshot, trip, opposites }: PlanInput): WatchPlan {
  const there = waysOfTrace(trip.forward, snapshot);
  const behind = [...(opposites ?? [])].map(
    ([from, opposite]) => [from, reversed(waysOfTrace(opposite.forward, snapshot)[0]?.visits ?? [])] as const,
  );
  const fromOutside = trip.forward.from.node === '';
  const ways: PlannedWay[] = [];
  for (const way of there) {
    const delivered = trip.replies.find(({ leaf }) => leaf === way.leaf);
    const back = delivered ? waysOfTrace(delivered.trace, snapshot) : [];
    for (const visits of delivered ? [way.visits] : goingOn(way, behind)) {
      ways.push({ leg: 'there', visits, made: way.made, end: way.end.end, ...(isLeaving(way) && { leaves: true }) });
      if (back.length === 0) ways.push({ leg: 'back', visits: reversed(visits), made: 0 });
      for (const answer of back) {
        const isWhole = answer.end.end === 'delivered' || isLeaving(answer);
        const whole = isWhole ? answer.visits : continued(answer.visits, reversed(visits));
        const leaves = isLeaving(answer) && !fromOutside;
        ways.push({ leg: 'back', visits: whole, made: answer.made, end: answer.end.end, ...(leaves && { leaves }) });
      }
    }
  }
  return planOf(ways, snapshot);
}

interface PlannedWay extends Omit<Way, 'steps'> {
  readonly visits: readonly Visit[];
}

const isLeaving = ({ end }: TraceWay): boolean => end.end === 'left-the-cluster';

function planOf(ways: readonly PlannedWay[], snapshot: Snapshot): WatchPlan {
  const points = new Map<string, { place: Place; device: string; tuples: Map<string, Tuple> }>();
  const order = new Map<string, number>();
  const left = new Set<string>();
  const numbered = ways.map(({ visits, ...way }): Way => {
    const steps: WayStep[] = [];
    let madeSteps = 0;
    for (const [at, visit] of visits.entries()) {
      const key = `${placeKey(visit.place)}|${visit.device}`;
      if (!points.has(key) && points.size >= POINTS_MAX) {
        left.add(key);
        continue;
      }
      const point = points.get(key) ?? { place: visit.place, device: visit.device, tuples: new Map() };
      points.set(key, point);
      if (!order.has(key)) order.set(key, order.size);
      for (const tuple of [visit.tuple, ...(visit.also ? [visit.also] : [])])
        point.tuples.set(JSON.stringify(tuple), tuple);
      steps.push({ point: order.get(key)!, way: visit.way, tuple: visit.tuple });
      if (at < way.made) madeSteps = steps.length;
    }
    return { ...way, steps, made: madeSteps };
  });
  return {
    points: [...points.values()].map(({ place, device, tuples }) => {
      const mac = ownMac(snapshot, place, device);
      const shaper = shaperOf(snapshot, place, device);
      return {
        place,
        device,
        tuples: [...tuples.values()],
        ...(mac !== undefined && { mac }),
        ...(shaper !== undefined && { shaper }),
      };
    }),
    ways: unique(numbered),
    left: left.size,
  };
}

/** A port of a bridge, and what other devices stand on, takes frames for other MACs as well. */
function ownMac(snapshot: Snapshot, place: Place, device: string): string | undefined {
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return undefined;
  const link = links.value.find(({ name }) => name === device);
  if (link?.type !== 'ether' || link.master !== undefined || link.flags.includes('PROMISC')) return undefined;
  const carries = links.value.some(({ lower, kind }) => lower === device && kind !== 'vxlan');
  return carries ? undefined : link.mac;
}

/** Disciplines that hold packets back or drop them on purpose (tc(8)); not those that only order them. */
const SHAPERS: ReadonlySet<string> = new Set(['tbf', 'htb', 'hfsc', 'cake', 'cbq', 'netem', 'red', 'sfb', 'pie']);

function shaperOf(snapshot: Snapshot, place: Place, device: string): string | undefined {
  const qdiscs = snapshot.fact('qdiscs', place);
  if (qdiscs.state === 'unseen') return undefined;
  return qdiscs.value.find((one) => one.device === device && SHAPERS.has(one.kind))?.kind;
}

function unique(ways: readonly Way[]): Way[] {
  return [...new Map(ways.map((way) => [JSON.stringify(way), way])).values()];
}

/** A way that ends too early, as it would go on to where its packet is addressed; to every known destination if that is still a Service. */
function goingOn(way: TraceWay, behind: readonly (readonly [Address, readonly Visit[]])[]): (readonly Visit[])[] {
  // Where it goes then nobody can look.
  if (isLeaving(way)) return [way.visits];
  const { destination } = innermost(way.end.packet).ip;
  const own = behind.filter(([from]) => from === destination);
  const ways = (own.length > 0 ? own : behind).map(([, visits]) => continued(way.visits, visits));
  return ways.length > 0 ? ways : [way.visits];
}

function innermost(packet: Packet): Packet {
  return packet.inner ? innermost(packet.inner) : packet;
}

/** The same devices from the other end. */
function reversed(visits: readonly Visit[]): Visit[] {
  return visits
    .map(
      ({ place, device, way, tuple, also }): Visit => ({
        place,
        device,
        way: way === 'in' ? 'out' : 'in',
        tuple: reversedTuple(tuple),
        ...(also && { also: reversedTuple(also) }),
      }),
    )
    .reverse();
}

/** `visits`, and then what of `whole` lies behind the last device that both pass. */
function continued(visits: readonly Visit[], whole: readonly Visit[]): readonly Visit[] {
  const keyOf = ({ place, device, way }: Visit): string => `${placeKey(place)}|${device}|${way}`;
  const at = new Map(whole.map((visit, index) => [keyOf(visit), index]));
  for (let last = visits.length - 1; last >= 0; last--) {
    const met = at.get(keyOf(visits[last]!));
    if (met !== undefined) return [...visits.slice(0, last + 1), ...whole.slice(met + 1)];
  }
  return [...visits, ...whole];
}
