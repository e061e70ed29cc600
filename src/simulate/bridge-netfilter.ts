import type { Link } from '../parse/ip-link.ts';
import { type AtBridge, up } from './bridge-up.ts';
import { type Cursor, familyAt, go, type Move, prefixed, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { forwardingCheck } from './forwarding.ts';
import { martianCheck } from './martian.ts';
import { segmentOwner, wantsOf } from './neighbour.ts';
import { entryFor, isValid } from './neighbour-entry.ts';
import { questionFor } from './neighbour-question.ts';
import { netfilterCalled } from './netfilter-called.ts';
import { reversePathCheck } from './reverse-path.ts';
import { routeStep } from './route-step.ts';
import { keyOfPacket, lookupRoute } from './routes.ts';
import type { Truth } from './trace.ts';
import { withError } from './with-error.ts';

export function callsNetfilter(walk: Walk, cursor: Cursor, master: Link): Truth {
  const isTagged = cursor.packet.macs?.vlan !== undefined;
  return netfilterCalled(walk.world.snapshot, cursor.place, master, familyAt(cursor), isTagged);
}

/**
 * Prerouting has changed the destination of a bridged packet (br_nf_pre_routing_finish): where the route leads out by the
 * same bridge, the frame is bridged on to the new next hop's MAC; otherwise it goes up to the host to be routed. What
 * routing refuses is dropped here without a word.
 */
export function afterBridgePrerouting(
  walk: Walk,
  cursor: AtBridge,
  master: Link,
  bridged: (mac: string) => Move,
): Move {
  const { snapshot } = walk.world;
  const martian = martianCheck(walk, cursor, master.name);
  if (martian?.end) return stop(martian.end, martian.steps);
  const key = keyOfPacket(cursor.packet, cursor.meta.mark, { input: master.name });
  const lookup = lookupRoute(snapshot, cursor.place, key);
  if (lookup.state === 'unseen') return stop(unseenEnd(cursor, lookup.unseen));
  const { found, doubt } = lookup.ways[0]!;
  if (lookup.ways.length > 1 || doubt !== undefined) {
    return stop(unknownEnd(cursor, `the route to ${cursor.packet.ip.destination} is not sure`));
  }
  if (found.type !== 'unicast' || found.hop?.device !== master.name) return go(up(walk, cursor, master, true));
  const step = routeStep(snapshot, cursor.place, key, found, 'forward');
  const source = familyAt(cursor) === 4 ? reversePathCheck(walk, cursor, master.name) : { steps: [] };
  if (source.end) return stop(source.end, [step, ...source.steps]);
  // Without forwarding IPv4's route is an error, which the host then meets when it gets the packet; IPv6 asks later.
  const isStopped = familyAt(cursor) === 4 && forwardingCheck(walk, cursor, master.name).end !== undefined;
  if (isStopped) return go(up(walk, cursor, master, true), [step]);
  const address = found.hop.via ?? cursor.packet.ip.destination;
  return prefixed([step], towards(walk, cursor, master, address, bridged));
}

function towards(walk: Walk, cursor: AtBridge, master: Link, address: string, bridged: (mac: string) => Move): Move {
  const { snapshot } = walk.world;
  const entry = entryFor(snapshot, cursor.place, master.name, address);
  if (entry?.mac !== undefined && isValid(entry)) return bridged(entry.mac);
  const question = questionFor(snapshot, cursor.place, master, address, cursor.packet.ip.source);
  const owner = segmentOwner(walk, { place: cursor.place, link: master }, question);
  if (owner.state === 'owner' && owner.mac !== undefined) return bridged(owner.mac);
  if (owner.state === 'nobody') return stop(withError(cursor, 'neighbour-unresolved', 'host'));
  const wants = wantsOf(owner, (place) => wantsAt(snapshot, place, cursor));
  return stop(unknownEnd(cursor, `who holds ${address} on ${master.name} was not collected`, wants));
}
