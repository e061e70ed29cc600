import { defineCause } from '../../diagnose/cause.ts';
import { probeEvidence, stateEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { formatPrefix } from '../../net/prefix.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { intendedRoute, isUnspecific, type PodRouting, podRoutings } from '../shared/pod-route.ts';
import { present } from '../shared/present.ts';

/**
 * The node has no route to another node's pod CIDR, so that packets to its pods take the default route, or none. Where
 * the network itself is meant to know pod addresses (a VPC CNI) the default route is right, and this is not checked.
 */
export const podCidrRouteMissing = defineCause({
  id: 'pod-cidr-route-missing',
  class: 'network-unreachable',
  title: 'The node has no route to the other node’s pods',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'gate', 'routes', 'links', 'api.pods', 'api.nodes'],
  check(given, place) {
    if (given.gate.podAddressesRoutable === 'yes')
      return { is: 'absent', because: 'the network between the nodes routes pod addresses itself' };
    const missing = podRoutings(given.flows, place, given['api.pods'].value, given['api.nodes'].value).filter(
      (routing) => isUnspecific(routing.route),
    );
    if (missing.length === 0)
      return { is: 'absent', because: `${place.node} has a route to each pod that was asked about` };
    if (!isComplete(given.routes))
      return { is: 'unknown', because: `the routes of ${place.node} were not read wholly` };
    const owners = distinctBy(missing, (routing) => routing.owner.metadata.name);
    return present({
      claims: claimsOf(
        distinctBy(missing, (routing) => JSON.stringify(routing.end.leaf.ref)).map((routing) => routing.end),
      ),
      evidence: [
        ...owners.map((routing) => walkEvidence('route', place, routing.route, statementOf(routing, place))),
        ...owners.map((routing) =>
          stateEvidence(
            'pod-cidr',
            place,
            given['api.nodes'],
            `${routing.destination} is in ${cidrOf(routing)}, the pod CIDR of ${routing.owner.metadata.name}`,
          ),
        ),
        ...probeEvidence(distinctBy(missing, (routing) => routing.end.flow.id).map((routing) => routing.end.flow)),
      ],
      place: { ...place, object: `route to ${owners.map(cidrOf).join(', ')}` },
      change: owners.flatMap((routing) => added(place, intendedRoute(routing, given.links.value))),
      fix: {
        summary: `restart the CNI’s agent on ${place.node}, which writes these routes; if it fails again, read its log (and, with cloud routes, their quota)`,
        commands: owners.flatMap((routing) => {
          const intended = intendedRoute(routing, given.links.value);
          return [
            `ip route show ${cidrOf(routing)}    # on ${place.node}: empty`,
            ...(intended ? [`ip route replace ${intended}    # on ${place.node}, until the agent is restarted`] : []),
          ];
        }),
      },
    });
  },
});

function cidrOf(routing: PodRouting): string {
  return routing.podCidr ? formatPrefix(routing.podCidr) : `${routing.destination}/32`;
}

function statementOf(routing: PodRouting, place: Place): string {
  const taken = routing.route.values['routeText'];
  const instead = taken ? `; the packet takes “${taken}”` : '';
  return `${place.node} has no route to ${cidrOf(routing)} (pods of ${routing.owner.metadata.name})${instead}`;
}

function added(place: Place, line: string | undefined): SnapshotChange[] {
  return line === undefined ? [] : [{ op: 'route', place, act: 'add', line, text: `ip route add ${line}` }];
}
