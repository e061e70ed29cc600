import { defineCause, type Given } from '../../diagnose/cause.ts';
import { placesOfFlow } from '../../diagnose/check.ts';
import { type DeadEnd, deadEnds, probeEvidence, stateEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { parsePrefix, prefixContains } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { Step } from '../../simulate/trace.ts';
import type { Pod } from '../../snapshot/objects.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { podCidrsOf, podOfAddress } from '../shared/cluster-pods.ts';
import { intendedRoute, isUnspecific, podRoutings } from '../shared/pod-route.ts';
import { present } from '../shared/present.ts';

/**
 * A device of the node on the way is down or has no carrier (netdevice(7), IFF_UP, IFF_LOWER_UP). A device that is set
 * down takes its routes with it (fib_disable_ip in net/ipv4/fib_frontend.c), so that the packet may never come to it: it
 * follows the default route instead, or none; and a VXLAN device that is down closes its UDP port (vxlan_stop).
 */
export const linkDown = defineCause({
  id: 'link-down',
  class: 'network-unreachable',
  title: 'A network device on the way is down',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'links', 'gate', 'api.pods', 'api.nodes'],
  refines: ['no-listener'],
  check(given, place) {
    const links = given.links.value;
    const found: Found[] = [
      ...deadEnds(given.flows, { ends: ['link-down'], at: place }).flatMap((end) => metAt(end, links)),
      ...deadEnds(given.flows, { ends: ['no-route', 'left-the-cluster'], at: place })
        .filter((end) => !isForOtherNode(end, given['api.pods'].value, place))
        .flatMap((end) => lostConnectedRoute(end, links)),
      ...lostTunnelRoutes(given, place),
      ...deadEnds(given.flows, { ends: ['no-listener'], at: place }).flatMap((end) =>
        closedTunnelPort(end, given, place),
      ),
    ];
    if (found.length === 0) {
      if (!isComplete(given.links))
        return { is: 'unknown', because: `the devices of ${place.node} were not read wholly` };
      return absentFromWalks(given.flows, `no packet ended because a device of ${place.node} is down`);
    }
    const devices = distinctBy(found, (one) => one.device);
    return present({
      claims: claimsOf(distinctBy(found, (one) => JSON.stringify(one.end.leaf.ref)).map((one) => one.end)),
      evidence: [
        ...devices.map((one) =>
          one.isMet && one.end.step
            ? walkEvidence('link', place, one.end.step, one.statement)
            : stateEvidence('link', place, given.links, one.statement, { device: one.device, up: one.isUp }),
        ),
        ...probeEvidence(distinctBy(found, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: { ...place, object: devices.map((one) => one.device).join(', ') },
      // The ports of a bridge come back with it (snapshot/apply-link-change.ts).
      change: devices.flatMap((one) => broughtUp(one, place)),
      fix: {
        summary: fixSummary(devices, place),
        commands: devices.flatMap((one) => commandsFor(one, place)),
      },
    });
  },
});

interface Found {
  readonly end: DeadEnd;
  readonly device: string;
  readonly isUp: boolean;
  /** The packet came to the device; otherwise it never did, for what the device took with it. */
  readonly isMet: boolean;
  readonly isBridge: boolean;
  /** It is of a kind that sends nothing on: nothing of it is broken, what leads there is. */
  readonly isDiscarding?: boolean;
  readonly statement: string;
  /** Routes that its owner wrote and that do not come back by themselves. */
  readonly routes: readonly string[];
}

function metAt(end: DeadEnd, links: readonly Link[]): Found[] {
  if (!end.step) return [];
  const { values } = end.step;
  const device = String(values['device']);
  const isBridge = links.some((link) => link.name === device && link.kind === 'bridge');
  const isUp = values['up'] !== false;
  const statement = statementOf(end.step, { device, isUp, isBridge });
  const isDiscarding = values['reason'] === 'discards';
  return [{ end, device, isUp, isMet: true, isBridge, isDiscarding, statement, routes: [] }];
}

function statementOf(
  { values, text }: Step,
  { device, isUp, isBridge }: Pick<Found, 'device' | 'isUp' | 'isBridge'>,
): string {
  // A device that discards, a spare port, a peer that is gone: the walk has said it.
  if (values['reason'] !== 'down' && values['reason'] !== 'no-carrier') return text;
  if (!isUp) return `${device} is set down`;
  if (isBridge) return `${device} is up but has no carrier: none of its ports is up`;
  return `${device} is up but has no carrier (operstate ${values['operstate'] ?? 'unknown'}): its other end is down or gone`;
}

/** To another node's pods no connected route leads, whatever networks the devices here have. */
function isForOtherNode({ leaf }: DeadEnd, pods: readonly Pod[], place: Place): boolean {
  const node = podOfAddress(pods, leaf.end.packet.ip.destination)?.spec.nodeName;
  return node !== undefined && node !== place.node;
}

/** The packet took the default route, or found none, although a device that is down has the destination's own network. */
function lostConnectedRoute(end: DeadEnd, links: readonly Link[]): Found[] {
  const { destination } = end.leaf.end.packet.ip;
  const route = end.hop?.steps.findLast((step) => step.kind === 'route' && step.values['address'] === destination);
  const prefix = parsePrefix(String(route?.values['destination'] ?? ''));
  if (!route || (route.values['reason'] !== 'no-match' && prefix?.length !== 0)) return [];
  const down = links.find((link) => isDown(link) && hasNetworkOf(link, destination));
  if (!down) return [];
  return [
    {
      ...downDevice(end, down, `its route to the network of ${destination}`),
      isBridge: down.kind === 'bridge',
      routes: [],
    },
  ];
}

type Links = Given<'flows' | 'links' | 'gate' | 'api.pods' | 'api.nodes'>;

function lostTunnelRoutes(given: Links, place: Place): Found[] {
  const links = given.links.value;
  return podRoutings(given.flows, place, given['api.pods'].value, given['api.nodes'].value).flatMap((routing) => {
    const intended = intendedRoute(routing, links, given.gate);
    if (!intended || intended.isDeviceUp || !isUnspecific(routing, true)) return [];
    const down = links.find((link) => link.name === intended.device)!;
    const what = `its route to the pods of ${routing.owner.metadata.name}`;
    return [
      {
        ...downDevice(routing.end, down, what),
        isBridge: false,
        routes: routesThrough(down.name, given, place, [routing.owner.metadata.name]),
      },
    ];
  });
}

/** The routes that lead through this tunnel device to the pods of the other nodes on the way. */
function routesThrough(device: string, given: Links, place: Place, owners: readonly string[] = []): string[] {
  const onTheWay = new Set([...owners, ...given.flows.flatMap(placesOfFlow).map((one) => one.node)]);
  const others = given['api.nodes'].value.filter(({ metadata: { name } }) => name !== place.node && onTheWay.has(name));
  return others.flatMap((owner) =>
    podCidrsOf(owner).flatMap((podCidr) => {
      const intended = intendedRoute({ owner, podCidr }, given.links.value, given.gate);
      return intended?.device === device ? [intended.line] : [];
    }),
  );
}

/** The outer packet reached its node, where the VXLAN device that would take it is down and listens no more. */
function closedTunnelPort(end: DeadEnd, given: Links, place: Place): Found[] {
  const { inner, l4 } = end.leaf.end.packet;
  if (!inner || !('destinationPort' in l4)) return [];
  const down = given.links.value.find((link) => isDown(link) && link.vxlan?.port === l4.destinationPort);
  if (!down) return [];
  const what = `its UDP port ${l4.destinationPort}`;
  return [{ ...downDevice(end, down, what), isBridge: false, routes: routesThrough(down.name, given, place) }];
}

function isDown(link: Link): boolean {
  return !link.flags.includes('UP');
}

function hasNetworkOf(link: Link, address: string): boolean {
  const hostLength = address.includes(':') ? 128 : 32;
  return link.addresses.some(
    (one) => one.scope === 'global' && one.prefix.length < hostLength && prefixContains(one.prefix, address),
  );
}

function downDevice(end: DeadEnd, link: Link, what: string): Omit<Found, 'isBridge' | 'routes'> {
  const statement = `${link.name} is set down, and ${what} is gone with it`;
  return { end, device: link.name, isUp: false, isMet: false, statement };
}

/** Setting it up mends a device that was set down; a carrier comes from elsewhere. */
function broughtUp({ device, isUp, routes }: Found, place: Place): SnapshotChange[] {
  if (isUp) return [];
  return [
    { op: 'link', place, device, set: { up: true }, text: `${device} up` },
    ...routes.map((line): SnapshotChange => ({ op: 'route', place, act: 'add', line, text: `ip route add ${line}` })),
  ];
}

function commandsFor({ device, isUp, isBridge, isDiscarding, routes }: Found, place: Place): string[] {
  if (!isUp)
    return [
      `ip link set ${device} up    # on ${place.node}`,
      ...routes.map((line) => `ip route replace ${line}    # on ${place.node}, or restart the CNI’s agent there`),
    ];
  if (isDiscarding) return [`ip route show table all dev ${device}    # on ${place.node}: what leads there?`];
  if (isBridge) return [`ip -br link show master ${device}    # on ${place.node}: which ports are there, and up?`];
  return [
    `ip -d link show ${device}    # on ${place.node}`,
    `ethtool ${device}    # on ${place.node}: "Link detected"`,
  ];
}

function fixSummary(devices: readonly Found[], place: Place): string {
  const names = devices.map((one) => one.device).join(', ');
  if (devices.some((one) => !one.isUp))
    return `set ${names} up on ${place.node}, and find what set it down (a restart of the CNI's agent makes its own devices anew, with their routes)`;
  if (devices.some((one) => one.isDiscarding))
    return `lead these packets by another device of ${place.node}: ${names} sends nothing on`;
  return devices.some((one) => one.isBridge)
    ? `see why no port of ${names} is up on ${place.node}`
    : `mend the other end of ${names} on ${place.node}: cable, switch port, virtual NIC or peer device`;
}
