import { defineCause } from '../../diagnose/cause.ts';
import { probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { intendedRoute, isUnspecific, leadsElsewhere, type PodRouting, podRoutings } from '../shared/pod-route.ts';
import { present } from '../shared/present.ts';

/**
 * A route to another node's pod CIDR exists, but its next hop or device is not the one that leads to the node that owns
 * the CIDR: a leftover of a removed node, a hand-made route, two nodes that were given one CIDR.
 */
export const podCidrRouteWrong = defineCause({
  id: 'pod-cidr-route-wrong',
  class: 'network-unreachable',
  title: 'The route to the other node’s pods leads elsewhere',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'gate', 'links', 'api.pods', 'api.nodes'],
  refines: ['routing-loop'],
  explains: ['rp-filter-drop'],
  check(given, place) {
    const pods = given['api.pods'];
    const nodes = given['api.nodes'];
    const links = given.links.value;
    const intended = (routing: PodRouting) => intendedRoute(routing, links, given.gate);
    const judged = podRoutings(given.flows, place, pods.value, nodes.value)
      .filter((routing) => !isUnspecific(routing, intended(routing) !== undefined))
      .map((routing) => ({ routing, elsewhere: leadsElsewhere(routing, links, nodes.value, given.gate) }));
    const wrong = judged.filter((one) => one.elsewhere === 'yes').map((one) => one.routing);
    if (wrong.length === 0) {
      const unsure = judged.find((one) => one.elsewhere === 'unknown')?.routing;
      if (unsure)
        return {
          is: 'unknown',
          because: `whether “${textOf(unsure)}” leads to ${unsure.owner.metadata.name} is not known for this CNI`,
        };
      if (!isComplete(pods) || !isComplete(nodes) || !isComplete(given.links))
        return { is: 'unknown', because: 'pods, nodes and devices were not all read wholly' };
      return absentFromWalks(
        given.flows,
        `no packet ended because a route of ${place.node} leads to another node than the pod’s`,
      );
    }
    const routes = distinctBy(wrong, textOf);
    return present({
      claims: claimsOf(
        distinctBy(wrong, (routing) => JSON.stringify(routing.end.leaf.ref)).map((routing) => routing.end),
      ),
      evidence: [
        ...routes.map((routing) =>
          walkEvidence('route', place, routing.route, statementOf(routing, intended(routing)?.line)),
        ),
        ...probeEvidence(distinctBy(wrong, (routing) => routing.end.flow.id).map((routing) => routing.end.flow)),
      ],
      place: { ...place, object: `route ${routes.map(textOf).join('; ')}` },
      change: routes.flatMap((routing) => replaced(routing, place, intended(routing)?.line)),
      fix: {
        summary: `replace the route on ${place.node} by the one to ${routes[0]!.owner.metadata.name}, or delete it and restart the CNI’s agent there; find who wrote it`,
        commands: routes.flatMap((routing) => {
          const line = intended(routing)?.line;
          return [
            `ip route del ${textOf(routing)}    # on ${place.node}`,
            ...(line ? [`ip route replace ${line}    # on ${place.node}`] : []),
          ];
        }),
      },
    });
  },
});

function textOf(routing: PodRouting): string {
  return String(routing.route.values['routeText'] ?? routing.route.text);
}

function statementOf(routing: PodRouting, intended: string | undefined): string {
  const meant = intended ? `; meant is “${intended}”` : '';
  const { address, owner, route } = routing;
  const what = route.values['purpose'] === 'reverse' ? ' (looked up for the reverse path)' : '';
  return `“${textOf(routing)}” does not lead to ${owner.metadata.name}, which owns ${address}${what}${meant}`;
}

function replaced(routing: PodRouting, place: Place, intended: string | undefined): SnapshotChange[] {
  if (!intended) return [];
  return [
    { op: 'route', place, act: 'remove', line: textOf(routing), text: `without the route ${textOf(routing)}` },
    { op: 'route', place, act: 'add', line: intended, text: `ip route add ${intended}` },
  ];
}
