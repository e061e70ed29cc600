import { placeKey } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Station } from './cables.ts';
import { type Frame, isGroup } from './frame.ts';
import { topologyOf } from './topology.ts';

/*
 * How macvlan devices share a lower one (drivers/net/macvlan.c): those in bridge mode reach each other directly, the
 * others only by way of the network outside; the lower device's own stack and its macvlans never reach each other.
 */

/** Other macvlans that a frame is handed to directly (macvlan_queue_xmit). */
export function macvlanSiblings(
  snapshot: Snapshot,
  sender: Station,
  lower: Station,
  destination: string,
): readonly Station[] {
  if (sender.link.macvlan?.mode !== 'bridge') return [];
  const uppers = topologyOf(snapshot).cablesOf(lower.place.node).uppersOf(lower.place, lower.link);
  return uppers.filter(({ place, link }) => {
    if (placeKey(place) === placeKey(sender.place) && link.name === sender.link.name) return false;
    if (link.macvlan?.mode !== 'bridge' || !link.flags.includes('UP')) return false;
    return isGroup(destination) || link.mac === destination;
  });
}

export interface MacvlanReception {
  readonly stations: readonly Station[];
  /** The lower device's own stack does not get it. */
  readonly consumed: boolean;
  /** A device in passthru mode takes every frame as its own: with this MAC. */
  readonly as?: string;
  /** Why it is not sure who takes it. */
  readonly unsure?: string;
}

/** Which macvlans take a frame that comes in by their lower device (macvlan_handle_frame). */
export function macvlanReceivers(uppers: readonly Station[], frame: Frame): MacvlanReception {
  const macvlans = uppers.filter(({ link }) => link.macvlan !== undefined && link.flags.includes('UP'));
  const source = macvlans.find(({ link }) => link.macvlan?.mode === 'source');
  if (source) {
    const unsure = `${source.link.name} takes frames by their source MAC: its list is not modelled`;
    return { stations: [], consumed: false, unsure };
  }
  if (isGroup(frame.destination)) {
    const sender = macvlans.find(({ link }) => link.mac === frame.source);
    const isReturned = sender && sender.link.macvlan?.mode !== 'vepa' && sender.link.macvlan?.mode !== 'bridge';
    if (isReturned) return { stations: [sender], consumed: true };
    return { stations: macvlans.filter((one) => mayHear(one, sender)), consumed: false };
  }
  const passthru = macvlans.find(({ link }) => link.macvlan?.mode === 'passthru');
  if (passthru) return { stations: [passthru], consumed: true, ...(passthru.link.mac && { as: passthru.link.mac }) };
  const own = macvlans.filter(({ link }) => link.mac === frame.destination);
  return { stations: own.slice(0, 1), consumed: own.length > 0 };
}

/** Those in bridge mode have heard one of theirs on its way out; the private ones hear nobody of this device (macvlan_multicast_rx). */
function mayHear(one: Station, sender: Station | undefined): boolean {
  if (!sender) return true;
  if (one === sender) return false;
  const { mode } = one.link.macvlan!;
  return mode === 'vepa' || (mode === 'bridge' && sender.link.macvlan?.mode === 'vepa');
}
