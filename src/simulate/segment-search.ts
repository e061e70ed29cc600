import type { Request } from '../host/host.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { BridgeProxy, Question } from './bridge-proxy.ts';
import type { Station } from './cables.ts';
import type { Frame } from './frame.ts';
import type { NeighbourMessage } from './neighbour-message.ts';
import type { Step } from './trace.ts';

/** Whom one frame reaches on its segment, through veths, bridges, stacked devices and VXLAN. Rules are asked of a neighbour's message alone. */
export interface Reach {
  /** Devices whose namespace takes the frame for itself. */
  readonly arrivals: readonly Arrival[];
  /** NICs by which it leaves what was collected. */
  readonly outward: readonly Departure[];
  /** Where it goes out of sight. */
  readonly gaps: readonly SegmentGap[];
  /** Bridges that answered the question themselves. */
  readonly proxies: readonly BridgeProxy[];
  /** What the bridges on the way learnt of the sender. */
  readonly learnt: Learnt;
}

/** With the frame as it leaves. */
export interface Departure extends Arrival {
  readonly frame: Frame;
}

export interface Arrival extends Station {
  /** What would have stopped the frame on its way, in order; empty unless it was forced through. */
  readonly interruptions: readonly Interruption[];
  /** The message as it comes in, where one is followed. */
  readonly message?: NeighbourMessage;
  /** A rule on its way that may drop it. */
  readonly doubt?: string;
}

/** A device, bridge or rule that does not pass a frame on. */
export interface Interruption extends Station {
  readonly what: 'link' | 'bridge' | 'rule';
  readonly reason: string;
  readonly text: string;
  /** The bridge's name, where it is one. */
  readonly bridge?: string;
  /** What the rules say that drop it. */
  readonly steps?: readonly Step[];
}

export interface SegmentGap {
  readonly because: string;
  /** The device whose far end was not seen. */
  readonly behind?: Station;
  readonly wants: readonly Request[];
}

/** Port by bridge, VLAN and MAC. */
export type Learnt = ReadonlyMap<string, string>;

export function learntKey(place: Place, bridge: string, vlan: number, mac: string): string {
  return `${placeKey(place)} ${bridge} ${vlan} ${mac}`;
}

export interface ReachOptions {
  /** What bridges have learnt before. */
  readonly learnt?: Learnt;
  /** The frame asks for this address: a bridge may answer in its holder's place. */
  readonly question?: Question;
  /** Goes on where something stops the frame, and says what: to find out why an answer does not come. */
  readonly forced?: boolean;
  /** The frame is this message, which the rules on its way see. */
  readonly message?: NeighbourMessage | undefined;
}

const DEVICES_MAX = 4096;

/** How a frame goes on: out of a device, past its state, or into one. */
export interface Onward {
  readonly send: (search: Search, station: Station, frame: Frame) => void;
  readonly put: (search: Search, station: Station, frame: Frame) => void;
  readonly receive: (search: Search, station: Station, frame: Frame) => void;
}

/** One search under way. */
export interface Search extends Reach {
  readonly onward: Onward;
  readonly snapshot: Snapshot;
  readonly question: Question | undefined;
  readonly forced: boolean;
  /** Those of the way that is being followed. */
  interruptions: readonly Interruption[];
  message: NeighbourMessage | undefined;
  doubt: string | undefined;
  readonly arrivals: Arrival[];
  readonly outward: Departure[];
  readonly gaps: SegmentGap[];
  readonly proxies: BridgeProxy[];
  readonly learnt: Map<string, string>;
  readonly passed: Set<string>;
}

export function newSearch(snapshot: Snapshot, onward: Onward, options: ReachOptions): Search {
  const { learnt, question, forced, message } = options;
  return {
    snapshot,
    onward,
    question,
    forced: forced ?? false,
    interruptions: [],
    message,
    doubt: undefined,
    arrivals: [],
    outward: [],
    gaps: [],
    proxies: [],
    learnt: new Map(learnt),
    passed: new Set(),
  };
}

/** False where the frame has been through here: a loop, or the budget's end. */
export function passes(search: Search, way: 'in' | 'out', { place, link }: Station, frame: Frame): boolean {
  const key = `${way} ${placeKey(place)} ${link.name} ${frame.tag?.id ?? 0}`;
  if (search.passed.has(key) || search.passed.size > DEVICES_MAX) return false;
  search.passed.add(key);
  return true;
}

/** Something stops the frame: an end, unless it is forced through. */
export function stopped(search: Search, interruption: Interruption, onward: () => void): void {
  if (!search.forced) return;
  const former = search.interruptions;
  search.interruptions = [...former, interruption];
  onward();
  search.interruptions = former;
}

export function notUp(station: Station): Interruption {
  const reason = station.link.flags.includes('UP') ? 'no-carrier' : 'down';
  const text = reason === 'down' ? `${station.link.name} is down` : `${station.link.name} has no carrier`;
  return { ...station, what: 'link', reason, text };
}
