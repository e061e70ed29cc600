import { type Ask, defineCause } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import { type DeadEnd, deadEnds, hopOf, probeEvidence, stateEvidence, stepOf } from '../../diagnose/evidence-of.ts';
import { type Address, familyOf } from '../../net/address.ts';
import { hostOf, type Place, placeKey } from '../../net/place.ts';
import { prefixContains } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { Disposition, Step } from '../../simulate/trace.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * The cable between the pod and its node is broken: the pod's own interface is gone or down, its host side is gone, down,
 * or no port of the bridge that has the pod's gateway address; or, where each pod has a host route, that route is gone.
 */
export const podVethBroken = defineCause({
  id: 'pod-veth-broken',
  class: 'cni-fault',
  title: 'The pod’s cable to its node is broken',
  gravity: 'fault',
  at: 'pod',
  needs: ['flows', 'links'],
  optional: ['routes'],
  refines: ['link-down', 'neighbour-unresolved'],
  check({ flows, links }, place, ask) {
    const host = ask('links', hostOf(place.node));
    if (!isComplete(links) || !isComplete(host))
      return {
        is: 'unknown',
        because: `the devices of ${place.namespace} and ${place.node} were not both read wholly`,
      };
    const wired = wiringOf(links.value, host.value, place);
    const wiring =
      wired.is === 'whole' && wired.routed ? routedTo(wired.routed, links.value, flows, place, ask) : wired;
    if (wiring.is === 'unknown') return wiring;
    if (wiring.is === 'whole') return { is: 'absent', because: wiring.because };
    const { broken } = wiring;
    const ends = [...deadEnds(flows), ...untoldEnds(flows)].filter((end) => diesOfIt(end, place, broken));
    if (ends.length === 0)
      return absentFromWalks(flows, `no packet ended between ${place.namespace} and ${place.node}`);
    const at = broken.inPod ? { node: place.node, namespace: place.namespace } : hostOf(place.node);
    return present({
      claims: claimsOf(ends),
      evidence: [
        stateEvidence('veth', broken.inPod ? place : hostOf(place.node), broken.inPod ? links : host, broken.statement),
        ...probeEvidence(distinctBy(ends, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: broken.device },
      change: broken.changes.map((change) => ({ ...change, place: at }) as SnapshotChange),
      fix: {
        summary:
          'recreate the pod, so that the CNI wires it anew; if it comes back, see who takes devices away (NetworkManager, a clean-up script)',
        commands: [
          `kubectl -n ${place.namespace.split('/')[1]} delete pod ${place.namespace.split('/')[2]}`,
          ...broken.commands.map(
            (command) =>
              `${command}    # ${broken.inPod ? 'in the pod’s network namespace' : `on ${place.node}`}, to keep it running`,
          ),
        ],
      },
    });
  },
});

/** Where who else is on the bridge was not looked at, the walk cannot tell; a probe that failed can. */
function untoldEnds(flows: readonly Flow[]): DeadEnd[] {
  return flows
    .filter((flow) => flow.probe?.passed === 'no')
    .flatMap((flow) => flow.unknown.map((leaf) => ({ flow, leaf, step: stepOf(leaf), hop: hopOf(leaf) })));
}

/** A change but for its place. */
type Change =
  | {
      readonly op: 'link';
      readonly device: string;
      readonly set: { readonly up?: true; readonly master?: string };
      readonly text: string;
    }
  | { readonly op: 'route'; readonly act: 'add'; readonly line: string; readonly text: string };

interface Broken {
  readonly inPod: boolean;
  readonly device: string;
  readonly hostSide?: string;
  readonly bridge?: string;
  /** The pod's interface is gone or down, so that its routes are gone too. */
  readonly hasNoRoutes: boolean;
  /** The cable is whole, and the node's route into it is gone. */
  readonly isRouteGone: boolean;
  readonly addresses: readonly Address[];
  readonly statement: string;
  readonly changes: readonly Change[];
  readonly commands: readonly string[];
}

type Wiring =
  | { readonly is: 'broken'; readonly broken: Broken }
  | {
      readonly is: 'whole';
      readonly because: string /** The host side, where no bridge leads to it. */;
      readonly routed?: Link;
    }
  | { readonly is: 'unknown'; readonly because: string };

function wiringOf(podLinks: readonly Link[], hostLinks: readonly Link[], place: Place): Wiring {
  const own = interfaceOf(podLinks);
  if (!own)
    return broken({
      inPod: true,
      device: 'eth0',
      hasNoRoutes: true,
      statement: 'the pod has no interface but the loopback',
    });
  if (own.kind !== 'veth')
    return { is: 'whole', because: `${own.name} of ${place.namespace} is no veth, but a ${own.kind ?? own.type}` };
  const addresses = globalAddresses(own);
  const peer = hostLinks.find((link) => link.kind === 'veth' && areEnds(link, own));
  if (!own.flags.includes('UP'))
    return broken({
      inPod: true,
      device: own.name,
      hasNoRoutes: true,
      addresses,
      statement: `${own.name} of the pod is set down`,
      changes: [up(own.name), ...routesOf(own, peer, hostLinks)],
      commands: [`ip link set ${own.name} up`],
    });
  if (own.peerIndex === undefined)
    return { is: 'unknown', because: `which device is the other end of ${own.name} was not told` };
  if (!peer)
    return broken({
      inPod: true,
      device: own.name,
      addresses,
      statement: `the host side of ${own.name} (index ${own.peerIndex}) is not on the node`,
    });
  return hostSideOf(own, peer, hostLinks, addresses, place);
}

function hostSideOf(
  own: Link,
  peer: Link,
  hostLinks: readonly Link[],
  addresses: readonly Address[],
  place: Place,
): Wiring {
  const bridge = gatewayBridge(own, peer, hostLinks);
  const base = {
    inPod: false,
    device: peer.name,
    hostSide: peer.name,
    addresses,
    ...(bridge && { bridge: bridge.name }),
  };
  if (!peer.flags.includes('UP'))
    return broken({
      ...base,
      statement: `${peer.name}, the host side of the pod’s ${own.name}, is set down`,
      changes: [up(peer.name)],
      commands: [`ip link set ${peer.name} up`],
    });
  if (!bridge || peer.master === bridge.name) {
    const because = `${place.namespace} is wired to ${place.node} by ${peer.name}`;
    return { is: 'whole', because, ...(!bridge && peer.master === undefined && { routed: peer }) };
  }
  return broken({
    ...base,
    statement: `${peer.name}, the host side of the pod’s ${own.name}, is ${peer.master ? `a port of ${peer.master}` : 'no port of any bridge'}; the pod’s gateway is on ${bridge.name}`,
    changes: [
      { op: 'link', device: peer.name, set: { master: bridge.name }, text: `${peer.name} a port of ${bridge.name}` },
    ],
    commands: [`ip link set ${peer.name} master ${bridge.name}`],
  });
}

function broken(parts: Pick<Broken, 'inPod' | 'device' | 'statement'> & Partial<Broken>): Wiring {
  return {
    is: 'broken',
    broken: { hasNoRoutes: false, isRouteGone: false, addresses: [], changes: [], commands: [], ...parts },
  };
}

/**
 * Where the CNI routes each pod by its own host route, that route is part of the cable: packets to the pod that its node
 * sent elsewhere, for want of it, died of this.
 */
function routedTo(
  peer: Link,
  podLinks: readonly Link[],
  flows: readonly Flow[],
  place: Place,
  ask: Ask<'links' | 'routes'>,
): Wiring {
  const because = `${place.namespace} is wired to ${place.node} by ${peer.name}`;
  const addresses = globalAddresses(interfaceOf(podLinks));
  const astray = deadEnds(flows, { at: hostOf(place.node) }).find((end) => isAstray(end, peer, addresses));
  if (!astray) return { is: 'whole', because };
  const { destination } = astray.leaf.end.packet.ip;
  const routes = ask('routes', hostOf(place.node), { family: familyOf(destination) });
  if (!isComplete(routes)) return { is: 'unknown', because: `the routes of ${place.node} were not read wholly` };
  const isThere = routes.value.some(
    (route) => prefixContains(route.destination, destination) && route.nextHops.some((hop) => hop.device === peer.name),
  );
  if (isThere) return { is: 'whole', because };
  const taken = routeOf(astray)?.values['routeText'];
  const line = `${destination} dev ${peer.name} scope link`;
  return broken({
    inPod: false,
    device: peer.name,
    hostSide: peer.name,
    addresses,
    isRouteGone: true,
    statement: `${place.node} has no route to ${destination} by ${peer.name}, the host side of the pod’s interface${taken ? `; the packet takes “${taken}”` : ''}`,
    changes: [{ op: 'route', act: 'add', line, text: `ip route add ${line}` }],
    commands: [`ip route replace ${line}`],
  });
}

const ASTRAY: ReadonlySet<Disposition> = new Set([
  'no-route',
  'route-unreachable',
  'left-the-cluster',
  'neighbour-unresolved',
]);

function isAstray(end: DeadEnd, peer: Link, addresses: readonly Address[]): boolean {
  if (!ASTRAY.has(end.leaf.end.end) || !addresses.includes(end.leaf.end.packet.ip.destination)) return false;
  const route = routeOf(end);
  return route !== undefined && route.values['device'] !== peer.name;
}

function routeOf({ leaf, hop }: DeadEnd): Step | undefined {
  const { destination } = leaf.end.packet.ip;
  return hop?.steps.findLast((step) => step.kind === 'route' && step.values['address'] === destination);
}

function globalAddresses(link: Link | undefined): Address[] {
  return (link?.addresses ?? []).filter((one) => one.scope === 'global').map((one) => one.prefix.address);
}

/** The one that the CNI made: a further network's interfaces (Multus) stand beside it. */
function interfaceOf(links: readonly Link[]): Link | undefined {
  const addressed = links.filter(
    (link) => link.type === 'ether' && link.addresses.some((one) => one.scope === 'global'),
  );
  return (
    addressed.find((link) => link.name === 'eth0') ??
    addressed[0] ??
    links.find((link) => link.name === 'eth0') ??
    links.find((link) => link.kind === 'veth')
  );
}

/** Indexes are each namespace's own: both ends must point at each other. */
function areEnds(a: Link, b: Link): boolean {
  return a.index === b.peerIndex && a.peerIndex === b.index;
}

function up(device: string): Change {
  return { op: 'link', device, set: { up: true }, text: `${device} up` };
}

/** The default route that went with the interface; its connected ones come back by themselves. */
function routesOf(own: Link, peer: Link | undefined, hostLinks: readonly Link[]): Change[] {
  const bridge = peer && gatewayBridge(own, peer, hostLinks);
  const subnets = own.addresses.filter((one) => one.scope === 'global').map((one) => one.prefix);
  return (bridge?.addresses ?? []).flatMap(({ prefix: { address } }): Change[] => {
    if (!subnets.some((subnet) => prefixContains(subnet, address))) return [];
    const line = `default via ${address} dev ${own.name}`;
    return [{ op: 'route', act: 'add', line, text: `ip route add ${line}` }];
  });
}

/**
 * The bridge that holds an address of the pod's own subnet, its gateway. None where the CNI routes each pod (Calico, a VPC
 * CNI: the pod's address stands alone), or where the host side itself has the gateway's address (the ptp plug-in).
 */
function gatewayBridge(own: Link, peer: Link, hostLinks: readonly Link[]): Link | undefined {
  const subnets = own.addresses
    .filter((one) => one.scope === 'global')
    .map((one) => one.prefix)
    .filter((prefix) => prefix.length < (familyOf(prefix.address) === 6 ? 128 : 32));
  const holds = (link: Link): boolean =>
    link.addresses.some((one) => subnets.some((subnet) => prefixContains(subnet, one.prefix.address)));
  if (holds(peer)) return undefined;
  return hostLinks.find((link) => link.kind === 'bridge' && holds(link));
}

/** The packet ended at this very cable: in the pod for want of it, or on its node on the last stretch to the pod. */
function diesOfIt({ leaf, step, hop }: DeadEnd, place: Place, broken: Broken): boolean {
  const { end, place: where, packet } = leaf.end;
  if (placeKey(where) === placeKey(place)) {
    if (end === 'no-route' || end === 'route-unreachable') return broken.hasNoRoutes;
    return end === 'link-down' || end === 'neighbour-unresolved' || end === 'insufficient-information';
  }
  if (placeKey(where) !== placeKey(hostOf(place.node))) return false;
  const device = String(step?.values['device'] ?? step?.values['port'] ?? '');
  if (end === 'link-down' && device !== '' && device === broken.hostSide) return true;
  const isForPod = broken.addresses.includes(packet.ip.destination);
  if (!isForPod) return false;
  if (broken.isRouteGone) return ASTRAY.has(end);
  if (end === 'link-down') return device === broken.bridge;
  if (end === 'neighbour-unresolved') return step?.values['address'] === packet.ip.destination;
  if (end === 'bridge-blocked' || end === 'not-for-this-mac') return step?.kind === 'bridge';
  // Untold: the packet was already on its way into the pod's bridge.
  return end === 'insufficient-information' && hop?.output === broken.bridge;
}
