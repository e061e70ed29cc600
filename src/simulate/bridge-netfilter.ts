import type { Link } from '../parse/ip-link.ts';
import { type AtBridge, handedUp } from './bridge-up.ts';
import { familyAt, go, type Move, prefixed, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { forwardingCheck } from './forwarding.ts';
import { entryFor, segmentOwner, wantsOf } from './neighbour.ts';
import { reversePathCheck } from './reverse-path.ts';
import { routeStep } from './route-step.ts';
import { keyOfPacket, lookupRoute } from './routes.ts';
import { withError } from './with-error.ts';

/**
 * Prerouting has changed the destination of a bridged packet (br_nf_pre_routing_finish): where the route leads out by the
 * same bridge, the frame is bridged on to the new next hop's MAC; otherwise it goes up to the host to be routed.
 */
export function afterBridgePrerouting(
  walk: Walk,
  cursor: AtBridge,
  master: Link,
  bridged: (mac: string) => Move,
): Move {
  const { snapshot } = walk.world;
  const key = keyOfPacket(cursor.packet, cursor.meta.mark, { input: master.name });
  const lookup = lookupRoute(snapshot, cursor.place, key);
  if (lookup.state === 'unseen') return stop(unseenEnd(cursor, lookup.unseen));
  const { found, doubt } = lookup.ways[0]!;
  if (lookup.ways.length > 1 || doubt !== undefined) {
    return stop(unknownEnd(cursor, `the route to ${cursor.packet.ip.destination} is not sure`));
  }
  if (found.type !== 'unicast' || found.hop?.device !== master.name) return go(handedUp(cursor, master));
  const step = routeStep(snapshot, cursor.place, key, found, 'forward');
  const source = familyAt(cursor) === 4 ? reversePathCheck(walk, cursor, master.name) : { steps: [] };
  if (source.end) return stop(source.end, [step, ...source.steps]);
  // Without forwarding the route is an error, which the host then meets when it gets the packet.
  if (forwardingCheck(walk, cursor, master.name).end) return go(handedUp(cursor, master), [step]);
  const address = found.hop.via ?? cursor.packet.ip.destination;
  return prefixed([step], towards(walk, cursor, master, address, bridged));
}

function towards(walk: Walk, cursor: AtBridge, master: Link, address: string, bridged: (mac: string) => Move): Move {
  const { snapshot } = walk.world;
  const entry = entryFor(snapshot, cursor.place, master.name, address);
  if (entry?.mac !== undefined && entry.states.includes('PERMANENT')) return bridged(entry.mac);
  const owner = segmentOwner(snapshot, cursor.place, master, address);
  const mac = owner.state === 'owner' ? owner.mac : undefined;
  if (mac !== undefined) return bridged(mac);
  if (entry?.mac !== undefined && !entry.states.includes('FAILED')) return bridged(entry.mac);
  if (owner.state === 'nobody') return stop(withError(cursor, 'neighbour-unresolved', 'host'));
  const wants = wantsOf(owner, (place) => wantsAt(snapshot, place, cursor));
  return stop(unknownEnd(cursor, `who holds ${address} on ${master.name} was not collected`, wants));
}
