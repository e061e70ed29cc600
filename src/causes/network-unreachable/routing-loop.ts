import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, hopsTo, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { Hop, Step } from '../../simulate/trace.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/** A place on the circle, and the route by which it sends the packet on. */
interface Turn {
  readonly place: Place;
  readonly route: Step;
}

/**
 * Two or more hosts lead the packet to each other, until its TTL is used up (RFC 1812, 5.3.1; ip_forward in net/ipv4/ip_forward.c).
 * Which of the routes is the wrong one their state does not tell, so that no change is offered to the counterfactual.
 */
export const routingLoop = defineCause({
  id: 'routing-loop',
  class: 'network-unreachable',
  title: 'Routes lead the packet in a circle',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  check({ flows }) {
    const circles = deadEnds(flows).flatMap((end) => {
      const turns = turnsOf(end);
      return isCircle(turns) ? [{ end, turns }] : [];
    });
    const [first] = circles;
    if (!first) return absentFromWalks(flows, 'no packet that was walked comes by the same routes twice');
    const turns = distinctBy(
      circles.flatMap((one) => one.turns),
      (turn) => `${placeKey(turn.place)} ${routeText(turn)}`,
    );
    const ends = circles.map(({ end }) => end);
    const destination = String(first.turns[0]!.route.values['address'] ?? first.end.leaf.end.packet.ip.destination);
    return present({
      claims: claimsOf(ends),
      evidence: [
        ...turns.map((turn) =>
          walkEvidence('route', turn.place, turn.route, `${nameOf(turn.place)} sends it on by “${routeText(turn)}”`),
        ),
        ...probeEvidence(distinctBy(ends, ({ flow }) => flow.id).map(({ flow }) => flow)),
      ],
      place: { ...first.turns[0]!.place, object: `routes to ${destination} at ${namesOf(turns)}` },
      fix: {
        summary: `find out who has ${destination}, and correct the route of the host that should not send it on; a route to nobody’s network is better a blackhole`,
        commands: turns.flatMap((turn) => [
          `ip route get ${destination}    # on ${nameOf(turn.place)}`,
          `ip route show ${String(turn.route.values['destination'] ?? destination)}    # on ${nameOf(turn.place)}`,
        ]),
      },
    });
  },
});

/**
 * The stays of one turn of the circle: from the first to the second time that a place sends it on by the same route. However it
 * ends then: what is masqueraded on each turn dies of its own connection before its TTL is used up.
 */
function turnsOf({ leaf }: DeadEnd): Turn[] {
  const hops = hopsTo(leaf).flatMap((hop) => {
    const route = routeOf(hop);
    return route ? [{ place: { node: hop.place.node, namespace: hop.place.namespace }, route }] : [];
  });
  const keyOf = ({ place, route }: Turn): string =>
    `${placeKey(place)} ${route.values['address']} ${route.source.text ?? route.text}`;
  const last = hops.findLastIndex((hop, index) => hops.findIndex((one) => keyOf(one) === keyOf(hop)) < index);
  if (last < 0) {
    // The walk ends as it comes back, before it looks the route up again.
    const back = hops.findIndex(({ place }) => placeKey(place) === placeKey(leaf.end.place));
    return leaf.end.end === 'loop' && back >= 0 ? hops.slice(back) : [];
  }
  return hops.slice(
    hops.findIndex((one) => keyOf(one) === keyOf(hops[last]!)),
    last,
  );
}

/** One host alone leads nothing in a circle: what comes back to it so was not routed on the way (a loop of bridges or tunnels). */
function isCircle(turns: readonly Turn[]): boolean {
  return new Set(turns.map(({ place }) => placeKey(place))).size > 1;
}

/** The look-up that sends the packet on; that of a reverse path is none. */
function routeOf({ steps }: Hop): Step | undefined {
  return steps.findLast(({ kind, values }) => kind === 'route' && values['purpose'] !== 'reverse');
}

function routeText({ route }: Turn): string {
  return String(route.values['routeText'] ?? route.source.text ?? route.text);
}

function nameOf({ node, namespace }: Place): string {
  return namespace === 'host' ? node : namespace;
}

function namesOf(turns: readonly Turn[]): string {
  return [...new Set(turns.map(({ place }) => nameOf(place)))].join(' and ');
}
