import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, probeEvidence, stateEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { formatPrefix, prefixContains } from '../../net/prefix.ts';
import type { Route } from '../../parse/ip-route.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { podCidrsOf } from '../shared/cluster-pods.ts';
import {
  type AssumedRouting,
  assumedRoutings,
  intendedRoute,
  isFlannel,
  isUnspecific,
  podRoutings,
} from '../shared/pod-route.ts';
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
  explains: ['rp-filter-drop'],
  check(given, place) {
    const { routes, gate, flows } = given;
    const [pods, nodes] = [given['api.pods'], given['api.nodes']];
    const intended = (routing: Routing) => intendedRoute(routing, given.links.value, gate);
    const ended = podRoutings(flows, place, pods.value, nodes.value)
      .map((routing): Routing => ({ ...routing, flow: routing.end.flow }))
      // Where the network carries pod addresses, the default route is right, and only its lack is a fault.
      .filter((routing) => gate.podAddressesRoutable !== 'yes' || intended(routing) !== undefined);
    // A CNI that gives each node its own route does not leave it to the network, though that might carry it.
    const assumed: Routing[] = assumedRoutings(flows, place, pods.value, nodes.value).filter(
      (one) => intended(one) !== undefined,
    );
    const unspecific = [...ended, ...assumed].filter((one) => isUnspecific(one, intended(one) !== undefined));
    if (unspecific.length === 0) {
      if (!isComplete(pods) || !isComplete(nodes))
        return { is: 'unknown', because: 'the lists of pods and nodes were not read wholly' };
      return absentFromWalks(flows, `no packet to another node’s pod ended for want of a route of ${place.node}`);
    }
    if (!isComplete(routes)) return { is: 'unknown', because: `the routes of ${place.node} were not read wholly` };
    const missing = unspecific.filter((routing) => isMissing(routing, routes.value, isFlannel(gate)));
    const gone = missing.filter((routing) => intended(routing)?.isDeviceUp !== false);
    if (gone.length === 0) return { is: 'absent', because: whyNot(unspecific[0]!, missing, place) };
    const owners = distinctBy(gone, (routing) => routing.owner.metadata.name);
    return present({
      claims: claimsOf(
        distinctBy(
          gone.flatMap((routing) => routing.end ?? []),
          (end) => JSON.stringify(end.leaf.ref),
        ),
      ),
      evidence: [
        ...owners.map((routing) => walkEvidence('route', place, routing.route, statementOf(routing, place))),
        ...owners.map((routing) => stateEvidence('pod-cidr', place, routing.podCidr ? nodes : pods, ownerOf(routing))),
        ...probeEvidence(
          distinctBy(
            gone.map((routing) => routing.flow),
            (flow) => flow.id,
          ),
        ),
      ],
      place: { ...place, object: `route to ${owners.map(cidrOf).join(', ')}` },
      change: owners.flatMap((routing) => added(place, intended(routing)?.line)),
      fix: {
        summary: `restart the CNI’s agent on ${place.node}, which writes these routes; if it fails again, read its log (and, with cloud routes, their quota)`,
        commands: owners.flatMap((routing) => {
          const line = intended(routing)?.line;
          return [
            `ip route show ${cidrOf(routing)}    # on ${place.node}: empty`,
            ...(line ? [`ip route replace ${line}    # on ${place.node}, until the agent is restarted`] : []),
          ];
        }),
      },
    });
  },
});

/** With the end that the packet came to, or none where the walk assumes that the network beyond carried it. */
type Routing = AssumedRouting & { readonly end?: DeadEnd };

/**
 * Nothing in any table covers the pod: otherwise a routing rule led past the route, or its device is down. And flannel
 * means to have routes to pod CIDRs only, so that an address outside of them lacks none.
 */
function isMissing({ address, podCidr, owner }: Routing, routes: readonly Route[], isFlannels: boolean): boolean {
  if (isFlannels && !podCidr && podCidrsOf(owner).length > 0) return false;
  const least = isFlannels && podCidr ? podCidr.length : 1;
  return !routes.some(
    (route) =>
      route.destination.length >= least && route.type === 'unicast' && prefixContains(route.destination, address),
  );
}

function whyNot(routing: Routing, missing: readonly Routing[], place: Place): string {
  if (missing.length > 0) return `the tunnel device of ${place.node} is down, and its routes went with it`;
  if (!routing.podCidr)
    return `${routing.address} is in no pod CIDR of ${routing.owner.metadata.name}, to which routes would lead`;
  return `${place.node} has a route to ${routing.address}, which was not taken`;
}

function cidrOf({ podCidr, address }: Routing): string {
  return podCidr ? formatPrefix(podCidr) : `${address}/${address.includes(':') ? 128 : 32}`;
}

function statementOf(routing: Routing, place: Place): string {
  const { routeText, purpose } = routing.route.values;
  const instead = routeText
    ? `; ${purpose === 'reverse' ? 'an answer would take' : 'the packet takes'} “${routeText}”`
    : '';
  return `${place.node} has no route to ${cidrOf(routing)} (pods of ${routing.owner.metadata.name})${instead}`;
}

function ownerOf(routing: Routing): string {
  const { address, owner, podCidr } = routing;
  return podCidr
    ? `${address} is in ${cidrOf(routing)}, the pod CIDR of ${owner.metadata.name}`
    : `${address} is the address of a pod on ${owner.metadata.name}`;
}

function added(place: Place, line: string | undefined): SnapshotChange[] {
  return line === undefined ? [] : [{ op: 'route', place, act: 'add', line, text: `ip route add ${line}` }];
}
