import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { type Address, familyOf } from '../../net/address.ts';
import { hostOf, type Place } from '../../net/place.ts';
import { formatPrefix, prefixContains } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { Route } from '../../parse/ip-route.ts';
import { isComplete, type Seen, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * The pod's own namespace has no default route, or one by a next hop that is not its node and that nobody is: the CNI
 * plug-in writes it at ADD, and something in the pod took or changed it.
 */
export const podDefaultRouteMissing = defineCause({
  id: 'pod-default-route-missing',
  class: 'network-unreachable',
  title: 'The pod has no default route that leads out',
  gravity: 'fault',
  at: 'pod',
  needs: ['flows', 'routes', 'links'],
  check({ flows, routes, links }, place, ask) {
    const died = deadEnds(flows, {
      ends: ['no-route', 'route-unreachable', 'neighbour-unresolved', 'not-for-this-mac'],
      at: place,
    });
    const dead = died.filter((end) => diedOfDefault(end));
    const [first] = dead;
    if (!first) return absentFromWalks(flows, `no packet ended in ${place.namespace} for want of a default route`);
    if (!isComplete(routes)) return { is: 'unknown', because: `the routes of ${place.namespace} were not read wholly` };
    if (!isComplete(links)) return { is: 'unknown', because: `the devices of ${place.namespace} were not read wholly` };
    const { destination } = first.leaf.end.packet.ip;
    const eth = interfaceOf(links.value, destination);
    if (!eth?.flags.includes('UP'))
      return { is: 'absent', because: `the interface of ${place.namespace} is gone or down, and its routes with it` };
    const defaults = routes.value.filter((route) => route.destination.length === 0);
    const host = ask('links', hostOf(place.node));
    const gateway = host.state === 'seen' ? gatewayFor(eth, host.value, destination) : undefined;
    const wrong = defaults.find((route) => route.type !== 'unicast' || isWrong(route, first, gateway));
    if (defaults.length > 0 && !wrong)
      return gateway === undefined && first.leaf.end.end !== 'no-route'
        ? { is: 'unknown', because: `what the gateway of ${place.namespace} is meant to be is not known` }
        : { is: 'absent', because: `${place.namespace} has the default route “${defaults[0]!.text}”` };
    const line = gateway && `default via ${gateway} dev ${eth.name}`;
    return present({
      claims: claimsOf(dead),
      evidence: [
        stateEvidence('route', place, routes, statementOf(place, routes, wrong, destination, gateway)),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: 'default route' },
      change: line === undefined ? [] : replaced(place, wrong, line),
      fix: {
        summary:
          'recreate the pod, so that the CNI wires it anew; something inside it (an init container, NET_ADMIN) may have removed the route',
        commands: [
          `kubectl -n ${place.namespace.split('/')[1]} delete pod ${place.namespace.split('/')[2]}`,
          ...(line ? [`ip route replace ${line}    # in the pod’s network namespace, to keep it running`] : []),
        ],
      },
    });
  },
});

/** Nothing covered the destination, or what the packet followed was a default route. */
function diedOfDefault({ leaf, hop }: DeadEnd): boolean {
  const { destination } = leaf.end.packet.ip;
  const route = hop?.steps.findLast((step) => step.kind === 'route' && step.values['address'] === destination);
  if (!route) return false;
  if (leaf.end.end === 'no-route') return true;
  return ['0.0.0.0/0', '::/0'].includes(String(route.values['destination']));
}

/** The packet followed this default route to a next hop that is not the node's own address on the pod's network. */
function isWrong(route: Route, { leaf }: DeadEnd, gateway: Address | undefined): boolean {
  if (leaf.end.end === 'no-route' || gateway === undefined) return false;
  return route.nextHops.every((hop) => hop.via !== undefined && hop.via !== gateway);
}

function interfaceOf(links: readonly Link[], destination: Address): Link | undefined {
  const candidates = links.filter(
    (link) =>
      link.type === 'ether' &&
      link.addresses.some((one) => one.scope === 'global' && familyOf(one.prefix.address) === familyOf(destination)),
  );
  return candidates.find((link) => link.name === 'eth0') ?? candidates[0];
}

/** The host's address within the pod's own subnet: on the bridge, or on the host side of its veth. */
function gatewayFor(eth: Link, hostLinks: readonly Link[], destination: Address): Address | undefined {
  const own = eth.addresses.find(
    (one) => one.scope === 'global' && familyOf(one.prefix.address) === familyOf(destination),
  );
  if (!own) return undefined;
  const peer = hostLinks.find((link) => link.index === eth.peerIndex);
  const near = hostLinks.filter((link) => link === peer || link.name === peer?.master);
  return near
    .flatMap((link) => link.addresses)
    .filter((one) => one.scope === 'global')
    .map((one) => one.prefix.address)
    .find((address) => prefixContains(own.prefix, address));
}

function statementOf(
  place: Place,
  routes: Seen<readonly Route[]>,
  wrong: Route | undefined,
  destination: Address,
  gateway: Address | undefined,
): string {
  if (wrong && wrong.type !== 'unicast') return `the default route of ${place.namespace} is “${wrong.text}”`;
  if (wrong) return `“${wrong.text}” in ${place.namespace} leads to nobody: its node has ${gateway} there`;
  const others = routes.value
    .filter((route) => route.type === 'unicast')
    .map((route) => formatPrefix(route.destination));
  const has = others.length > 0 ? `routes to ${others.join(', ')} only` : 'no routes at all';
  return `${place.namespace} has ${has} and no default one; nothing covers ${destination}`;
}

function replaced(place: Place, wrong: Route | undefined, line: string): SnapshotChange[] {
  const at: Place = { node: place.node, namespace: place.namespace };
  return [
    ...(wrong
      ? [{ op: 'route', place: at, act: 'remove', line: wrong.text, text: `without the route ${wrong.text}` } as const]
      : []),
    { op: 'route', place: at, act: 'add', line, text: `ip route add ${line}` },
  ];
}
