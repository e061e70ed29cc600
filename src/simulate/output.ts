import type { Address } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import {
  type Cursor,
  type Move,
  perhapsOtherwise,
  stop,
  unknownEnd,
  unseenEnd,
  type Walk,
  type Way,
} from './cursor.ts';
import { refusedEntry } from './enter-namespace.ts';
import { unreachableCode } from './error-packet.ts';
import { linkNamed, preferredAddress } from './hook-input.ts';
import { routeStep } from './route-step.ts';
import { keyOfPacket, lookupRoute, type RouteFound, type RouteKey } from './routes.ts';
import type { Step } from './trace.ts';

const UNSPECIFIED = new Set<Address>(['0.0.0.0', '::']);

/** A local socket sends (ip_queue_xmit, ip_make_skb): route, source address, the output hook. */
export function output(walk: Walk, cursor: Cursor): Move {
  const refused = refusedEntry(walk, cursor);
  if (refused) return stop(refused);
  const { packet } = cursor;
  const source = UNSPECIFIED.has(packet.ip.source) ? {} : { source: packet.ip.source };
  const { source: _chosen, ...rest } = keyOfPacket(packet, cursor.meta.mark, {});
  return routed(walk, cursor, { ...rest, ...source }, (found) => sent(walk, cursor, found));
}

function sent(walk: Walk, cursor: Cursor, found: RouteFound): Cursor {
  const packet = fitted(walk, cursor, found, withSourceAddress(walk, cursor, found));
  const { owner } = cursor.path;
  return {
    ...cursor,
    packet,
    path: { local: true, route: found, output: deviceOf(found), ...(owner ? { owner } : {}) },
    stage: { name: 'hook', hook: 'output', next: 0, after: { name: 'reroute' } },
  };
}

/** The route's `src`, else the device's nearest address (fib_result_prefsrc). */
function withSourceAddress(walk: Walk, cursor: Cursor, found: RouteFound): Cursor['packet'] {
  const { packet } = cursor;
  if (!UNSPECIFIED.has(packet.ip.source)) return packet;
  const source = chosenSource(walk, cursor.place, packet, found);
  return source === undefined ? packet : { ...packet, ip: { ...packet.ip, source } };
}

function chosenSource(walk: Walk, place: Place, packet: Packet, found: RouteFound): Address | undefined {
  if (found.type === 'local') return packet.ip.destination;
  const link = linkNamed(walk.world.snapshot, place, found.hop?.device);
  return found.route?.preferredSource ?? (link && preferredAddress(link, found.hop?.via ?? packet.ip.destination));
}

/** The address that a packet without one would be sent from. */
export function sourceFor(walk: Walk, place: Place, packet: Packet): Address | undefined {
  const { source: _open, ...key } = keyOfPacket(packet, 0, {});
  const lookup = lookupRoute(walk.world.snapshot, place, key);
  const found = lookup.state === 'found' ? lookup.ways[0]?.found : undefined;
  return found && chosenSource(walk, place, packet, found);
}

/** An application's answer is cut to what its own device carries. */
function fitted(walk: Walk, cursor: Cursor, found: RouteFound, packet: Cursor['packet']): Cursor['packet'] {
  if (cursor.stage.name !== 'output' || !cursor.stage.fit) return packet;
  const mtu = found.route?.mtu ?? linkNamed(walk.world.snapshot, cursor.place, deviceOf(found))?.mtu;
  return mtu === undefined || packet.lengthBytes <= mtu ? packet : { ...packet, lengthBytes: mtu };
}

/**
 * After the output hook: a packet that mangle's rules or NAT have changed is routed anew, by what it was at the last of
 * these changes (ip_route_me_harder); then comes postrouting.
 */
export function reroute(walk: Walk, cursor: Cursor): Move {
  const stage = { name: 'hook', hook: 'postrouting', next: 0, after: { name: 'finish' } } as const;
  const { reroute: changed, ...path } = cursor.path;
  if (!changed) return { ways: [{ chance: { min: 1, max: 1 }, steps: [], to: { ...cursor, stage } }] };
  const key = keyOfPacket(changed.packet, changed.mark, {});
  return routed(walk, cursor, key, (found) => ({
    ...cursor,
    path: { ...path, route: found, output: deviceOf(found) },
    stage,
  }));
}

/** A packet to an own address goes by `lo`, whatever device holds the address. */
export function deviceOf(found: RouteFound): string {
  return found.type === 'local' ? 'lo' : (found.hop?.device ?? 'lo');
}

function routed(walk: Walk, cursor: Cursor, key: RouteKey, onward: (found: RouteFound) => Cursor): Move {
  const { snapshot } = walk.world;
  const lookup = lookupRoute(snapshot, cursor.place, key);
  if (lookup.state === 'unseen') return stop(unseenEnd(cursor, lookup.unseen));
  const ways = lookup.ways.map(({ chance, found, doubt }): Way => {
    const step = routeStep(snapshot, cursor.place, key, found, 'output', doubt);
    const end = refusedRoute(cursor, found, doubt, step);
    return { chance, steps: [step], to: end ?? onward(found) };
  });
  const fork = lookup.ways.some((way) => way.fork === 'undecided') ? 'undecided' : 'multipath';
  return perhapsOtherwise(ways.length > 1 ? { fork, ways } : { ways }, cursor, lookup.cut);
}

/** What a socket's owner is told by connect(2) or send(2) stands here as the ICMP error of the same errno. */
function refusedRoute(cursor: Cursor, found: RouteFound, doubt: string | undefined, step: Step): Way['to'] | undefined {
  const reasons = { none: 'network', unreachable: 'host', prohibit: 'prohibited', blackhole: undefined } as const;
  if (!Object.hasOwn(reasons, found.type)) {
    if (found.hop?.encap) return unknownEnd(cursor, `the route's encapsulation ${found.hop.encap} is not modelled`);
    return found.type === 'multicast' ? unknownEnd(cursor, 'multicast is not modelled') : undefined;
  }
  if (doubt !== undefined) return unknownEnd(cursor, `${step.text}`);
  const what = reasons[found.type as keyof typeof reasons];
  const end = found.type === 'none' ? 'no-route' : 'route-unreachable';
  if (what === undefined) return { end, cursor, senderSees: 'nothing' };
  // What happens behind the output hook no longer reaches connect(2), which goes on trying (tcp_connect).
  const isTold = cursor.stage.name === 'output' || cursor.packet.l4.protocol !== 'tcp';
  const [type, code] = unreachableCode(cursor.packet, what);
  return { end, cursor, senderSees: isTold ? `icmp ${type}/${code}` : 'nothing' };
}
