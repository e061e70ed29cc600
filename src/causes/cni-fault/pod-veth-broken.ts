import { defineCause } from '../../diagnose/cause.ts';
import { deadEnds, hopsTo, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { hostOf, type Place, placeKey } from '../../net/place.ts';
import { prefixContains } from '../../net/prefix.ts';
import type { Link } from '../../parse/ip-link.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * The cable between the pod and its node is broken: the pod's own interface is gone or down, its host side is gone, down,
 * or no port of the bridge that has the pod's gateway address.
 */
export const podVethBroken = defineCause({
  id: 'pod-veth-broken',
  class: 'cni-fault',
  title: 'The pod’s cable to its node is broken',
  gravity: 'fault',
  at: 'pod',
  needs: ['flows', 'links'],
  refines: ['link-down', 'neighbour-unresolved'],
  check({ flows, links }, place, ask) {
    const host = ask('links', hostOf(place.node));
    if (!isComplete(links) || !isComplete(host))
      return {
        is: 'unknown',
        because: `the devices of ${place.namespace} and ${place.node} were not both read wholly`,
      };
    const broken = whatIsBroken(links.value, host.value);
    if (!broken) return { is: 'absent', because: `${place.namespace} is wired to ${place.node}` };
    const dead = deadEnds(flows, {
      ends: [
        'link-down',
        'bridge-blocked',
        'neighbour-unresolved',
        'no-route',
        'route-unreachable',
        'not-for-this-mac',
        'insufficient-information',
      ],
    }).filter((end) => touchesPod(end.leaf, place, broken.hostSide));
    if (dead.length === 0)
      return { is: 'absent', because: `nothing that was walked dies between ${place.namespace} and ${place.node}` };
    return present({
      claims: claimsOf(dead),
      evidence: [
        stateEvidence('veth', broken.inPod ? place : hostOf(place.node), broken.inPod ? links : host, broken.statement),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: broken.device },
      change: broken.change.map(
        (change): SnapshotChange => ({
          ...change,
          place: broken.inPod ? { node: place.node, namespace: place.namespace } : hostOf(place.node),
        }),
      ),
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

type Change = SnapshotChange & { readonly op: 'link' };

interface Broken {
  readonly inPod: boolean;
  readonly device: string;
  readonly hostSide?: string;
  readonly statement: string;
  readonly change: readonly Omit<Change, 'place'>[];
  readonly commands: readonly string[];
}

function whatIsBroken(podLinks: readonly Link[], hostLinks: readonly Link[]): Broken | undefined {
  const own =
    podLinks.find((link) => link.name !== 'lo' && link.addresses.some((one) => one.scope === 'global')) ??
    podLinks.find((link) => link.kind === 'veth');
  if (!own)
    return {
      inPod: true,
      device: 'eth0',
      statement: 'the pod has no interface with an address but the loopback',
      change: [],
      commands: [],
    };
  if (own.kind !== 'veth') return undefined;
  if (!own.flags.includes('UP'))
    return {
      inPod: true,
      device: own.name,
      statement: `${own.name} of the pod is set down`,
      change: [up(own.name)],
      commands: [`ip link set ${own.name} up`],
    };
  const peer = hostLinks.find((link) => link.index === own.peerIndex && link.kind === 'veth');
  if (!peer)
    return {
      inPod: true,
      device: own.name,
      statement: `the host side of ${own.name} (index ${own.peerIndex ?? 'unknown'}) is not on the node`,
      change: [],
      commands: [],
    };
  if (!peer.flags.includes('UP'))
    return {
      inPod: false,
      device: peer.name,
      hostSide: peer.name,
      statement: `${peer.name}, the host side of the pod’s ${own.name}, is set down`,
      change: [up(peer.name)],
      commands: [`ip link set ${peer.name} up`],
    };
  const bridge = gatewayBridge(own, hostLinks);
  if (bridge && peer.master !== bridge.name) {
    const change = {
      op: 'link' as const,
      device: peer.name,
      set: { master: bridge.name },
      text: `${peer.name} a port of ${bridge.name}`,
    };
    return {
      inPod: false,
      device: peer.name,
      hostSide: peer.name,
      statement: `${peer.name}, the host side of the pod’s ${own.name}, is ${peer.master ? `a port of ${peer.master}` : 'no port of any bridge'}; the pod’s gateway is on ${bridge.name}`,
      change: [change],
      commands: [`ip link set ${peer.name} master ${bridge.name}`],
    };
  }
  return undefined;
}

function up(device: string): Omit<Change, 'place'> {
  return { op: 'link', device, set: { up: true }, text: `${device} up` };
}

/** The bridge that holds an address of the pod's own subnet; none where the CNI routes each pod (Calico, a VPC CNI). */
function gatewayBridge(own: Link, hostLinks: readonly Link[]): Link | undefined {
  const subnet = own.addresses.find((one) => one.scope === 'global')?.prefix;
  if (!subnet || subnet.length >= (subnet.address.includes(':') ? 128 : 32)) return undefined;
  return hostLinks.find(
    (link) => link.kind === 'bridge' && link.addresses.some((one) => prefixContains(subnet, one.prefix.address)),
  );
}

/** The packet died in the pod, or on its node on the way to or from it. */
function touchesPod(leaf: Parameters<typeof hopsTo>[0], place: Place, hostSide: string | undefined): boolean {
  const { end } = leaf;
  if (placeKey(end.place) === placeKey(place)) return true;
  if (end.place.node !== place.node) return false;
  const hops = hopsTo(leaf);
  return (
    hops.some((hop) => placeKey(hop.place) === placeKey(place)) ||
    hops.some((hop) => hop.output === hostSide || hop.input === hostSide) ||
    hops.at(-1)?.place.node === place.node
  );
}
