import type { Request } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { DropEvent, DropEvents } from '../parse/drop-events.ts';
import type { OwnTraffic } from './analyse-capture.ts';

/** One node's watch over what its kernel dropped. */
export interface NodeDrops {
  readonly node: string;
  readonly request: Request;
  readonly seen?: DropEvents;
  /** Why nothing, or not all, was seen. */
  readonly gap?: string;
}

/** Packets of the flow that met the same end. */
export interface KernelDrop {
  readonly place: Place;
  /** The packet's device; where it had none yet, the one that it was to go out by. */
  readonly device?: string;
  readonly leg: 'there' | 'back';
  readonly as: DropEvent['as'];
  readonly reason: string;
  readonly function: string;
  readonly packets: number;
  readonly request: Request;
}

/** Which network namespace of a node an inode is; undefined: none of its own, or of its pods. */
export type PlaceOfInode = (node: string, inode: number) => Place | undefined;

/**
 * The own attempts among what was dropped, in the order in which they were first seen. Of TCP the client's port tells whose it was.
 * Events in namespaces that are none of the node's (of another container runtime, of another node of a lab) are not its own.
 */
export function dropSightings(
  watches: readonly NodeDrops[],
  placeOf: PlaceOfInode,
  own: OwnTraffic | undefined,
): KernelDrop[] {
  const drops = watches.flatMap(({ node, request, seen }) =>
    (seen?.events ?? [])
      .filter((event) => isOwnEvent(event, own))
      .flatMap((event) => {
        const place = placeOf(node, event.namespace);
        return place ? [dropOf(event, place, request)] : [];
      }),
  );
  return [...Map.groupBy(drops, (drop) => JSON.stringify(drop)).values()].map((alike) => ({
    ...alike[0]!,
    packets: alike.length,
  }));
}

/** Whether a packet is of an attempt of ours: the client's port is one of ours. */
export function isOwnEvent({ isTurned, sourcePort, destinationPort }: DropEvent, own: OwnTraffic | undefined): boolean {
  return own?.sourcePorts?.has(isTurned ? destinationPort : sourcePort) ?? true;
}

function dropOf(
  event: DropEvent,
  place: Place,
  request: Request,
): Omit<KernelDrop, 'packets'> & { readonly packets: 1 } {
  const isBack = event.isTurned !== (event.as === 'quoted');
  const { device, as, reason } = event;
  const named = device === undefined ? {} : { device };
  return { place, ...named, leg: isBack ? 'back' : 'there', as, reason, function: event.function, packets: 1, request };
}
