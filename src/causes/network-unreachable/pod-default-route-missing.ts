import { defineCause } from '../../diagnose/cause.ts';
import { deadEnds, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import type { Address } from '../../net/address.ts';
import { hostOf } from '../../net/place.ts';
import { prefixContains } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/** The pod's own namespace has no default route (or none that reaches its gateway): the CNI plug-in writes it at ADD. */
export const podDefaultRouteMissing = defineCause({
  id: 'pod-default-route-missing',
  class: 'network-unreachable',
  title: 'The pod has no default route',
  gravity: 'fault',
  at: 'pod',
  needs: ['flows', 'routes', 'links'],
  check({ flows, routes, links }, place, ask) {
    const dead = deadEnds(flows, { ends: ['no-route', 'route-unreachable'], at: place });
    if (dead.length === 0)
      return { is: 'absent', because: `${place.namespace} has a route for every packet that was walked` };
    if (!isComplete(routes)) return { is: 'unknown', because: `the routes of ${place.namespace} were not read wholly` };
    const defaults = routes.value.filter((route) => route.destination.length === 0 && route.type === 'unicast');
    if (defaults.length > 0)
      return { is: 'absent', because: `${place.namespace} has the default route “${defaults[0]!.text}”` };
    const eth = links.value.find(
      (link) => link.type === 'ether' && link.addresses.some((one) => one.scope === 'global'),
    );
    const host = ask('links', hostOf(place.node));
    const gateway = eth && host.state === 'seen' ? gatewayFor(eth, host.value) : undefined;
    const line = gateway && eth ? `default via ${gateway} dev ${eth.name}` : undefined;
    return present({
      claims: claimsOf(dead),
      evidence: [
        stateEvidence(
          'route',
          place,
          routes,
          `${place.namespace} has ${routes.value.length} routes and no default one; nothing covers ${dead[0]!.leaf.end.packet.ip.destination}`,
        ),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: 'default route' },
      change:
        line === undefined
          ? []
          : [
              {
                op: 'route',
                place: { node: place.node, namespace: place.namespace },
                act: 'add',
                line,
                text: `ip route add ${line}`,
              },
            ],
      fix: {
        summary:
          'recreate the pod, so that the CNI wires it anew; something inside it (an init container, NET_ADMIN) may have removed the route',
        commands: [
          `kubectl -n ${place.namespace.split('/')[1]} delete pod ${place.namespace.split('/')[2]}`,
          ...(line ? [`ip route add ${line}    # in the pod’s network namespace, to keep it running`] : []),
        ],
      },
    });
  },
});

/** The host's address on the bridge (or veth) that the pod's own subnet holds. */
function gatewayFor(eth: Link, hostLinks: readonly Link[]): Address | undefined {
  const own = eth.addresses.find((one) => one.scope === 'global');
  if (!own) return undefined;
  const candidates = hostLinks
    .flatMap((link) => link.addresses)
    .filter((one) => one.scope === 'global')
    .map((one) => one.prefix.address);
  return candidates.find((address) => prefixContains(own.prefix, address));
}
