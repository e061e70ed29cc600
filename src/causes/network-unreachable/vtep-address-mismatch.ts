import { defineCause } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import {
  type DeadEnd,
  deadEnds,
  hopsTo,
  probeEvidence,
  stateEvidence,
  walkEvidence,
} from '../../diagnose/evidence-of.ts';
import type { Address } from '../../net/address.ts';
import { hostOf, type Place, placeKey } from '../../net/place.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { Hop, Step } from '../../simulate/trace.ts';
import type { Node, Pod } from '../../snapshot/objects.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { nodeByName, podOfAddress } from '../shared/cluster-pods.ts';
import { present } from '../shared/present.ts';

/**
 * What the sending node holds of the peer's VXLAN device (its MAC in the neighbour table, the node behind that MAC in
 * the FDB) is not what the peer has: the device was rebuilt, systemd gave it another MAC, or an entry is stale or gone
 * (flannel-io/flannel#1155, #1330). The peer drops the inner frame, since its MAC is somebody else's.
 */
export const vtepAddressMismatch = defineCause({
  id: 'vtep-address-mismatch',
  class: 'network-unreachable',
  title: 'The VXLAN tunnel’s address of the other node is wrong here',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'links', 'neighbours', 'fdb', 'api.nodes', 'api.pods'],
  check(given, place, ask) {
    const vxlan = given.links.value.find((link) => link.kind === 'vxlan');
    if (!vxlan) return { is: 'absent', because: `${place.node} has no VXLAN device` };
    const dead = deadEnds(given.flows, {
      ends: ['not-for-this-mac', 'neighbour-unresolved', 'tunnel-dropped', 'no-listener', 'left-the-cluster'],
    }).flatMap((end) => tunnelled(end, place, vxlan, given['api.pods'].value));
    if (dead.length === 0)
      return { is: 'absent', because: `the tunnel entries of ${place.node} fit the nodes that were asked about` };
    const broken = dead.flatMap((one) => {
      const peer = nodeByName(given['api.nodes'].value, one.peer);
      if (!peer) return [];
      const theirs = ask('links', hostOf(one.peer));
      const device =
        theirs.state === 'seen'
          ? theirs.value.find((link) => link.kind === 'vxlan' && link.vxlan?.id === vxlan.vxlan?.id)
          : undefined;
      const truth = { mac: device?.mac ?? annotatedMac(peer), address: annotatedAddress(peer) };
      return isMismatch(one, truth) ? [{ ...one, node: peer, truth, theirs, device }] : [];
    });
    if (broken.length === 0)
      return { is: 'absent', because: 'the tunnel’s MAC and node address are those of the peer' };
    const evidence: Evidence[] = distinctBy(broken, (one) => one.peer).flatMap((one) => [
      walkEvidence('tunnel', place, one.step, mismatchStatement(one, one.truth, place)),
      ...(one.theirs.state === 'seen' && one.device
        ? [
            stateEvidence(
              'vtep',
              hostOf(one.peer),
              one.theirs,
              `${one.device.name} of ${one.peer} has the MAC ${one.device.mac}`,
            ),
          ]
        : []),
      stateEvidence(
        'vtep',
        hostOf(one.peer),
        given['api.nodes'],
        `${one.peer} announces the VTEP ${annotatedMac(one.node) ?? 'nothing'} at ${one.truth.address ?? 'no address'} (flannel’s annotations)`,
      ),
    ]);
    return present({
      claims: claimsOf(broken.map((one) => one.end)),
      evidence: [
        ...evidence,
        ...probeEvidence(distinctBy(broken, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: {
        ...place,
        object: `${vxlan.name} towards ${distinctBy(broken, (one) => one.peer)
          .map((one) => one.peer)
          .join(', ')}`,
      },
      change: distinctBy(broken, (one) => one.peer).flatMap((one) => corrected(one, one.truth, place, vxlan)),
      fix: {
        summary: `restart the CNI’s agent on ${broken.some((one) => one.device && one.device.mac !== annotatedMac(one.node)) ? `the peer, whose device is not the announced one, then on ${place.node}` : place.node}; keep systemd from changing the device’s MAC (MACAddressPolicy=none for flannel*)`,
        commands: distinctBy(broken, (one) => one.peer).flatMap((one) => [
          `ip -d link show ${vxlan.name}    # on ${one.peer}: the true MAC`,
          ...(one.truth.mac && one.gateway
            ? [
                `ip neigh replace ${one.gateway} lladdr ${one.truth.mac} dev ${vxlan.name} nud permanent    # on ${place.node}`,
              ]
            : []),
          ...(one.truth.mac && one.truth.address
            ? [
                `bridge fdb replace ${one.truth.mac} dev ${vxlan.name} dst ${one.truth.address} self permanent    # on ${place.node}`,
              ]
            : []),
        ]),
      },
    });
  },
});

interface Tunnelled {
  readonly end: DeadEnd;
  readonly step: Step;
  readonly hop: Hop;
  /** The node that owns the inner destination. */
  readonly peer: string;
  readonly gateway?: Address;
  readonly mac?: string;
  readonly remote?: Address;
}

interface Vtep {
  readonly mac?: string;
  readonly address?: Address;
}

/** A dead end of a packet that this node put, or failed to put, into the tunnel. */
function tunnelled(end: DeadEnd, place: Place, vxlan: Link, pods: readonly Pod[]): Tunnelled[] {
  const hop = hopsTo(end.leaf).findLast(
    (one) => placeKey(one.place) === placeKey(place) && one.steps.some((step) => step.values['device'] === vxlan.name),
  );
  const steps =
    hop?.steps.filter(
      (step) => step.values['device'] === vxlan.name && (step.kind === 'tunnel' || step.kind === 'neighbour'),
    ) ?? [];
  const step = steps.findLast((one) => one.kind === 'tunnel' && one.values['act'] !== 'decapsulate') ?? steps.at(-1);
  if (!hop || !step || step.values['act'] === 'decapsulate') return [];
  const inner = end.leaf.end.packet.inner ?? end.leaf.end.packet;
  const peer = podOfAddress(pods, inner.ip.destination)?.spec.nodeName;
  if (!peer || peer === place.node) return [];
  const neighbour = steps.find((one) => one.kind === 'neighbour');
  return [
    {
      end,
      step,
      hop,
      peer,
      ...text('gateway', neighbour?.values['address']),
      ...text('mac', step.values['mac'] ?? neighbour?.values['mac']),
      ...text('remote', step.values['remote']),
    },
  ];
}

function text<K extends string>(key: K, value: unknown): { [P in K]?: string } {
  return typeof value === 'string' && value !== '' ? ({ [key]: value } as { [P in K]?: string }) : {};
}

function isMismatch(one: Tunnelled, truth: Vtep): boolean {
  if (one.mac === undefined || one.remote === undefined) return truth.mac !== undefined;
  return (
    (truth.mac !== undefined && one.mac !== truth.mac) || (truth.address !== undefined && one.remote !== truth.address)
  );
}

function mismatchStatement(one: Tunnelled, truth: Vtep, place: Place): string {
  if (one.mac === undefined)
    return `${place.node} has no tunnel MAC for ${one.peer}${one.gateway ? ` (neighbour ${one.gateway})` : ''}; its device has ${truth.mac ?? 'an unknown one'}`;
  if (one.remote === undefined) return `${place.node} has no FDB entry for ${one.mac}, the tunnel MAC of ${one.peer}`;
  return `${place.node} sends to ${one.peer} by MAC ${one.mac} at ${one.remote}; its device is ${truth.mac ?? 'unknown'} at ${truth.address ?? 'an unknown address'}`;
}

/** flannel writes {"VNI":1,"VtepMAC":"…"} (pkg/backend/vxlan). */
function annotatedMac(node: Node): string | undefined {
  try {
    const data = JSON.parse(node.metadata.annotations?.['flannel.alpha.coreos.com/backend-data'] ?? 'null') as {
      VtepMAC?: string;
    } | null;
    return data?.VtepMAC?.toLowerCase();
  } catch {
    return undefined;
  }
}

function annotatedAddress(node: Node): Address | undefined {
  return node.metadata.annotations?.['flannel.alpha.coreos.com/public-ip'];
}

function corrected(one: Tunnelled, truth: Vtep, place: Place, vxlan: Link): SnapshotChange[] {
  const changes: SnapshotChange[] = [];
  if (truth.mac && one.gateway) {
    changes.push(
      {
        op: 'neighbour',
        place,
        act: 'remove',
        line: `${one.gateway} dev ${vxlan.name}`,
        text: `without the neighbour ${one.gateway}`,
      },
      {
        op: 'neighbour',
        place,
        act: 'add',
        line: `${one.gateway} dev ${vxlan.name} lladdr ${truth.mac} PERMANENT`,
        text: `${one.gateway} is at ${truth.mac}`,
      },
    );
  }
  if (truth.mac && truth.address) {
    changes.push(
      {
        op: 'fdb',
        place,
        act: 'remove',
        line: `${truth.mac} dev ${vxlan.name}`,
        text: `without the FDB entry of ${truth.mac}`,
      },
      {
        op: 'fdb',
        place,
        act: 'add',
        line: `${truth.mac} dev ${vxlan.name} dst ${truth.address} self permanent`,
        text: `${truth.mac} is behind ${truth.address}`,
      },
    );
  }
  return changes;
}
