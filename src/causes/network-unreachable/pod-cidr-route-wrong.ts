import { defineCause } from '../../diagnose/cause.ts';
import { probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { networkOf } from '../../net/prefix.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { internalAddresses } from '../shared/cluster-pods.ts';
import { intendedRoute, isUnspecific, type PodRouting, podRoutings } from '../shared/pod-route.ts';
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
  needs: ['flows', 'links', 'api.pods', 'api.nodes'],
  check(given, place) {
    const wrong = podRoutings(given.flows, place, given['api.pods'].value, given['api.nodes'].value)
      .filter((routing) => !isUnspecific(routing.route))
      .filter((routing) => leadsElsewhere(routing, intendedRoute(routing, given.links.value)));
    if (wrong.length === 0)
      return {
        is: 'absent',
        because: `no route of ${place.node} to a pod that was asked about leads to another node than the pod’s`,
      };
    const routes = distinctBy(wrong, (routing) => textOf(routing));
    return present({
      claims: claimsOf(
        distinctBy(wrong, (routing) => JSON.stringify(routing.end.leaf.ref)).map((routing) => routing.end),
      ),
      evidence: [
        ...routes.map((routing) =>
          walkEvidence('route', place, routing.route, statementOf(routing, intendedRoute(routing, given.links.value))),
        ),
        ...probeEvidence(distinctBy(wrong, (routing) => routing.end.flow.id).map((routing) => routing.end.flow)),
      ],
      place: { ...place, object: `route ${routes.map(textOf).join('; ')}` },
      change: routes.flatMap((routing) => replaced(routing, place, intendedRoute(routing, given.links.value))),
      fix: {
        summary: `replace the route on ${place.node} by the one to ${routes[0]!.owner.metadata.name}, or delete it and restart the CNI’s agent there; find who wrote it`,
        commands: routes.flatMap((routing) => {
          const intended = intendedRoute(routing, given.links.value);
          return [
            `ip route del ${textOf(routing)}    # on ${place.node}`,
            ...(intended ? [`ip route replace ${intended}    # on ${place.node}`] : []),
          ];
        }),
      },
    });
  },
});

function textOf(routing: PodRouting): string {
  return String(routing.route.values['routeText'] ?? routing.route.text);
}

/** The chosen next hop is neither an address of the owner nor, for an overlay, the owner's subnet address, or another device is used than intended. */
function leadsElsewhere(routing: PodRouting, intended: string | undefined): boolean {
  const { via, device } = routing.route.values;
  const ownerAddresses = [
    ...internalAddresses(routing.owner),
    routing.owner.metadata.annotations?.['flannel.alpha.coreos.com/public-ip'],
    routing.podCidr && networkOf(routing.podCidr).address,
  ];
  if (intended) {
    const wanted = / via (?<via>\S+) dev (?<device>\S+)/.exec(intended)?.groups;
    return wanted !== undefined && (wanted['via'] !== via || wanted['device'] !== device);
  }
  return via !== undefined && !ownerAddresses.includes(String(via));
}

function statementOf(routing: PodRouting, intended: string | undefined): string {
  const meant = intended ? `; meant is “${intended}”` : '';
  return `“${textOf(routing)}” does not lead to ${routing.owner.metadata.name}, which owns ${routing.destination}${meant}`;
}

function replaced(routing: PodRouting, place: Place, intended: string | undefined): SnapshotChange[] {
  if (!intended) return [];
  return [
    { op: 'route', place, act: 'remove', line: textOf(routing), text: `without the route ${textOf(routing)}` },
    { op: 'route', place, act: 'add', line: intended, text: `ip route add ${intended}` },
  ];
}
