import {
  type Cursor,
  type End,
  familyAt,
  go,
  type Move,
  perhapsOtherwise,
  prefixed,
  stop,
  unknownEnd,
  unseenEnd,
  type Walk,
  type Way,
} from './cursor.ts';
import { forward } from './forward.ts';
import { forwardingCheck } from './forwarding.ts';
import { martianCheck, martianDestination } from './martian.ts';
import { isDiscarding, refusalOf, toldBy } from './refusal.ts';
import { reversePathCheck } from './reverse-path.ts';
import type { RouteFound, RouteWay } from './route-lookup.ts';
import { routeStep } from './route-step.ts';
import { isMulticast, keyOfPacket, lookupRoute, type RouteKey } from './routes.ts';
import { interfaceKey, readSysctl, switchedOn } from './sysctl.ts';
import { withError } from './with-error.ts';

/**
 * After prerouting: for us, to be forwarded, or to be dropped (ip_route_input_slow, ip6_route_input). A packet that
 * came by `lo` keeps the route that it left with.
 */
export function routeInput(walk: Walk, cursor: Cursor): Move {
  const { input, kept } = cursor.path;
  if (input !== undefined && kept) return keptOn(walk, cursor, kept, input);
  if (input === 'lo') return go(toInput(cursor));
  if (input === undefined) return stop(unknownEnd(cursor, 'no input device'));
  const { destination } = cursor.packet.ip;
  if (isMulticast(destination)) {
    return stop(unknownEnd(cursor, `which multicast groups ${input} has joined was not collected`));
  }
  const martian = martianCheck(walk, cursor, input);
  if (martian) return stop(martian.end!, martian.steps);
  if (destination === BROADCAST || destination === '0.0.0.0') return toBroadcast(walk, cursor, input);
  return onRoutes(walk, cursor, input);
}

/** By such a route it goes round until its hops are used up. */
function keptOn(walk: Walk, cursor: Cursor, route: RouteFound, input: string): Move {
  const forwarding = familyAt(cursor) === 6 ? forwardingCheck(walk, cursor, input) : undefined;
  if (forwarding?.end) return stop(forwarding.end, forwarding.steps);
  return forward(walk, { ...cursor, path: { input, local: false, route, output: route.hop?.device ?? 'lo' } });
}

const BROADCAST = '255.255.255.255';

function onRoutes(walk: Walk, cursor: Cursor, input: string): Move {
  const key = inputKey(cursor, input);
  const lookup = lookupRoute(walk.world.snapshot, cursor.place, key);
  if (lookup.state === 'unseen') return stop(unseenEnd(cursor, lookup.unseen));
  const [only] = lookup.ways;
  if (lookup.ways.length === 1) return perhapsOtherwise(onRoute(walk, cursor, key, only!), cursor, lookup.cut);
  const ways = lookup.ways.flatMap((way) => {
    const move = onRoute(walk, cursor, key, way);
    return move.ways.map((one): Way => ({ ...one, chance: way.chance }));
  });
  const fork = lookup.ways.some((way) => way.fork === 'undecided') ? 'undecided' : 'multipath';
  return perhapsOtherwise({ fork, ways }, cursor, lookup.cut);
}

/** What comes in is nobody's here, which is user 0's (sock_net_uid). */
function inputKey({ packet, meta }: Cursor, input: string): RouteKey {
  return { ...keyOfPacket(packet, meta.mark, { input }), user: 0 };
}

function toInput(cursor: Cursor): Cursor {
  return { ...cursor, stage: { name: 'hook', hook: 'input', next: 0, after: { name: 'deliver' } } };
}

/** To all on this wire: taken by this host if the source may come from there. */
function toBroadcast(walk: Walk, arrived: Cursor, input: string): Move {
  const cursor: Cursor = { ...arrived, path: { ...arrived.path, route: { type: 'broadcast' } } };
  if (cursor.packet.ip.source === '0.0.0.0') return go(toInput(cursor));
  const check = reversePathCheck(walk, cursor, input, { broadcast: true });
  return check.end ? stop(check.end, check.steps) : go(toInput(cursor), check.steps);
}

/** Each way is one: the checks end it or let it through. */
function onRoute(walk: Walk, cursor: Cursor, key: RouteKey, way: RouteWay): Move {
  const { snapshot } = walk.world;
  const { found, doubt } = way;
  const input = key.input!;
  const isHere = found.type === 'local' || (found.type === 'anycast' && familyAt(cursor) === 6);
  const isBroadcast = found.type === 'broadcast' && !forwardsBroadcasts(walk, cursor, input);
  const step = routeStep(snapshot, cursor.place, key, found, isHere || isBroadcast ? 'input' : 'forward', doubt);
  if (isBroadcast) return prefixed([step], toBroadcast(walk, cursor, input));
  if (isHere) {
    const source = reversePathCheck(walk, cursor, input);
    return source.end ? stop(source.end, [step, ...source.steps]) : go(toInput(cursor), [step, ...source.steps]);
  }
  return prefixed(
    [step],
    familyAt(cursor) === 4 ? forwardIpv4(walk, cursor, input, way) : forwardIpv6(walk, cursor, input, way),
  );
}

/** Directed broadcasts are forwarded where `all` and the input device both say so (IN_DEV_BFORWARD). */
function forwardsBroadcasts(walk: Walk, { place }: Cursor, input: string): boolean {
  return ['all', input].every((name) => {
    return switchedOn(readSysctl(walk.world.snapshot, place, interfaceKey(4, name, 'bc_forwarding'))) === 'yes';
  });
}

/** Forwarding is looked at before an error route, whose error then is not sent (ip_error). */
function forwardIpv4(walk: Walk, cursor: Cursor, input: string, way: RouteWay): Move {
  const { found } = way;
  if (found.type !== 'broadcast') {
    const forwarding = forwardingCheck(walk, cursor, input);
    if (forwarding.end) return stop(forwarding.end, forwarding.steps);
  }
  const refused = refusedRoute(cursor, way);
  if (refused) return stop(refused);
  if (found.type !== 'unicast' && found.type !== 'broadcast') {
    const martian = martianDestination(walk, cursor, input);
    return stop(martian.end!, martian.steps);
  }
  const output = found.hop?.device ?? '';
  const source = reversePathCheck(walk, cursor, input, { output });
  if (source.end) return stop(source.end, source.steps);
  return prefixed(source.steps, forward(walk, routed(cursor, way)));
}

/** An error route is an error wherever it is met, also where nothing is forwarded (ip6_pkt_discard). */
function forwardIpv6(walk: Walk, cursor: Cursor, input: string, way: RouteWay): Move {
  const refused = refusedRoute(cursor, way);
  if (refused) return stop(refused);
  const forwarding = forwardingCheck(walk, cursor, input);
  if (forwarding.end) return stop(forwarding.end, forwarding.steps);
  return forward(walk, routed(cursor, way));
}

function routed(cursor: Cursor, { found }: RouteWay): Cursor {
  return { ...cursor, path: { ...cursor.path, route: found, output: found.hop?.device ?? '' } };
}

function refusedRoute(cursor: Cursor, { found, doubt, fork }: RouteWay): End | undefined {
  const refusal = refusalOf(found) ?? (isDiscarding(found) ? 'network' : undefined);
  if (refusal === undefined) {
    const encap = found.hop?.encap;
    return encap === undefined ? undefined : unknownEnd(cursor, `the route's encapsulation ${encap} is not modelled`);
  }
  // Of a fork the other ways are walked as well; else what was not read may be a route.
  if (doubt !== undefined && fork !== 'undecided') return unknownEnd(cursor, `the route is not sure: ${doubt}`);
  const end = found.type === 'none' ? 'no-route' : 'route-unreachable';
  const told = toldBy(refusal, familyAt(cursor));
  return told === undefined ? { end, cursor, senderSees: 'nothing' } : withError(cursor, end, told);
}
