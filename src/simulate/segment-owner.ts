import type { Request } from '../host/host.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { Station } from './cables.ts';
import type { NeighbourAnswer } from './neighbour-answer.ts';
import type { Hearer } from './neighbour-learning.ts';
import type { Arrival, Interruption } from './segment-search.ts';

/** Who would answer an ARP request or neighbour solicitation for an address on a device's segment. */
export type SegmentOwner =
  | {
      readonly state: 'owner';
      readonly mac?: string;
      readonly place: Place;
      readonly proxy?: boolean;
      /** The device on which it was asked; absent where that is not known. */
      readonly device?: string;
    }
  /** Everybody on the segment was seen, and nobody answers for it; `because`: its holder does not. */
  | {
      readonly state: 'nobody';
      readonly because?: string;
      /** Who would answer has got the question. */
      readonly heardBy?: Hearer;
      /** What keeps the question, or the answer, from getting through: a link, a bridge, a rule. */
      readonly interruption?: Interruption;
    }
  /** Hosts outside the cluster, or namespaces that were not collected. */
  | {
      readonly state: 'unknown';
      readonly wants: readonly Place[];
      readonly asks?: readonly Request[];
      readonly because?: string;
    };

export const UNKNOWN: SegmentOwner = { state: 'unknown', wants: [] };

/** A rule may keep the question or the answer. */
export function undecided(because: string): SegmentOwner {
  return { state: 'unknown', wants: [], because };
}

export function isSame(a: Station, b: Station): boolean {
  return a.link.name === b.link.name && placeKey(a.place) === placeKey(b.place);
}

export function ownerOf({ place, link }: Station, proxy: boolean): SegmentOwner {
  const { mac, name } = link;
  return { state: 'owner', ...(mac !== undefined && { mac }), place, device: name, ...(proxy && { proxy: true }) };
}

export function unsure({ place }: Station, because?: string): SegmentOwner {
  return { state: 'unknown', wants: [place], ...(because !== undefined && { because }) };
}

export interface Answered {
  readonly station: Arrival;
  readonly answer: NeighbourAnswer;
}
