import type { Check } from './check.ts';
import {
  type Cursor,
  type End,
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
import { martianCheck } from './martian.ts';
import { reversePathCheck } from './reverse-path.ts';
import { routeStep } from './route-step.ts';
import { keyOfPacket, lookupRoute, type RouteWay } from './routes.ts';
import { withError } from './with-error.ts';

/**
 * After prerouting: for us, to be forwarded, or to be dropped (ip_route_input_slow, ip6_input_finish). A packet that
 * came by `lo` keeps the route that it left with.
 */
export function routeInput(walk: Walk, cursor: Cursor): Move {
  const { input } = cursor.path;
  if (input === 'lo') return go(toInput(cursor));
  if (input === undefined) return stop(unknownEnd(cursor, 'no input device'));
  const martian = martianCheck(walk, cursor, input);
  if (martian) return ended(martian);
  const { snapshot } = walk.world;
  const key = keyOfPacket(cursor.packet, cursor.meta.mark, { input });
  const lookup = lookupRoute(snapshot, cursor.place, key);
  if (lookup.state === 'unseen') return stop(unseenEnd(cursor, lookup.unseen));
  const moves = lookup.ways.map((way) => ({ way, move: onRoute(walk, cursor, input, way) }));
  if (moves.length === 1) return perhapsOtherwise(moves[0]!.move, cursor, lookup.cut);
  const ways = moves.flatMap(({ way, move }) => move.ways.map((one): Way => ({ ...one, chance: way.chance })));
  const fork = lookup.ways.some((way) => way.fork === 'undecided') ? 'undecided' : 'multipath';
  return perhapsOtherwise({ fork, ways }, cursor, lookup.cut);
}

function toInput(cursor: Cursor): Cursor {
  return { ...cursor, stage: { name: 'hook', hook: 'input', next: 0, after: { name: 'deliver' } } };
}

function ended(check: Check): Move {
  return stop(check.end!, check.steps);
}

/** Each way is one: the checks end it or let it through. */
function onRoute(walk: Walk, cursor: Cursor, input: string, way: RouteWay): Move {
  const { snapshot } = walk.world;
  const { found, doubt } = way;
  const isHere = found.type === 'local' || found.type === 'broadcast' || found.type === 'anycast';
  const key = keyOfPacket(cursor.packet, cursor.meta.mark, { input });
  const step = routeStep(snapshot, cursor.place, key, found, isHere ? 'input' : 'forward', doubt);
  if (isHere) {
    const source = reversePathCheck(walk, cursor, input);
    if (source.end) return stop(source.end, [step, ...source.steps]);
    return go(toInput(cursor), [step, ...source.steps]);
  }
  // Forwarding is looked at before an unreachable route, whose error then is not sent (ip_error).
  const forwarding = forwardingCheck(walk, cursor, input);
  if (forwarding.end) return stop(forwarding.end, [step, ...forwarding.steps]);
  const refused = refusedRoute(cursor, way);
  if (refused) return stop(refused, [step]);
  const source = reversePathCheck(walk, cursor, input);
  if (source.end) return stop(source.end, [step, ...source.steps]);
  const routed: Cursor = { ...cursor, path: { ...cursor.path, route: found, output: found.hop?.device ?? '' } };
  return prefixed([step, ...source.steps], forward(walk, routed));
}

function refusedRoute(cursor: Cursor, { found, doubt }: RouteWay): End | undefined {
  if (found.type === 'unicast') {
    return found.hop?.encap === undefined
      ? undefined
      : unknownEnd(cursor, `the route's encapsulation ${found.hop.encap} is not modelled`);
  }
  if (doubt !== undefined) return unknownEnd(cursor, `the route is not sure: ${doubt}`);
  switch (found.type) {
    case 'none':
      return withError(cursor, 'no-route', 'network');
    case 'unreachable':
      return withError(cursor, 'route-unreachable', 'host');
    case 'prohibit':
      return withError(cursor, 'route-unreachable', 'prohibited');
    case 'blackhole':
      return { end: 'route-unreachable', cursor, senderSees: 'nothing' };
    default:
      return unknownEnd(cursor, `a route of type ${found.type} is not modelled`);
  }
}
