import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, hopsTo, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { type Address, familyOf } from '../../net/address.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { Node, Pod, Service } from '../../snapshot/objects.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { podOfAddress } from '../shared/cluster-pods.ts';
import { present } from '../shared/present.ts';

/**
 * A packet to the outside leaves the node with the pod's own address, which the network between does not route back:
 * no MASQUERADE or SNAT matched, though the CNI means to masquerade. On a VPC CNI the pod's address is routable by
 * design, and this is not a fault there. What leaves for an address of the cluster itself has lost its way: other causes.
 */
export const egressNotMasqueraded = defineCause({
  id: 'egress-not-masqueraded',
  class: 'network-unreachable',
  title: 'Traffic to the outside leaves with the pod’s own address',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'gate', 'api.pods', 'api.nodes', 'api.services'],
  optional: ['iptables.nft', 'iptables.legacy'],
  check(given, place) {
    if ((given.gate.podAddressesRoutableOutside ?? given.gate.podAddressesRoutable) === 'yes')
      return absentFromWalks(given.flows, 'pod addresses are routable outside by design here');
    const [pods, nodes, services] = [given['api.pods'], given['api.nodes'], given['api.services']];
    const bare = deadEnds(given.flows, { ends: ['left-the-cluster'], at: place }).filter(
      ({ leaf }) => leaf.ref.leg === 'forward' && podOfAddress(pods.value, leaf.end.packet.ip.source),
    );
    const isOutside = outsideOf(pods.value, nodes.value, services.value);
    const dead = bare.filter(({ leaf }) => isOutside(leaf.end.packet.ip.destination));
    if (dead.length === 0)
      return absentFromWalks(given.flows, `no packet left ${place.node} for the outside with a pod’s address`);
    if (!isComplete(pods) || !isComplete(nodes) || !isComplete(services))
      return { is: 'unknown', because: 'whether that is an address of the cluster is not known: not all were listed' };
    const tables = [given['iptables.nft'], given['iptables.legacy']];
    if (!tables.every(isComplete))
      return {
        is: 'unknown',
        because: `the rules of ${place.node} were not read wholly: a masquerade may be among them`,
      };
    const ways = distinctBy(dead, ({ leaf }) => `${leaf.end.packet.ip.source} ${leaf.end.packet.ip.destination}`);
    const isNft = tables[0]!.value.tables.length > 0 || tables[1]!.value.tables.length === 0;
    const family = familyOf(dead[0]!.leaf.end.packet.ip.source);
    const command = family === 6 ? 'ip6tables' : 'iptables';
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...ways.flatMap((end) =>
          end.step ? [walkEvidence('masquerade', place, end.step, statementOf(end, place))] : [],
        ),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: 'nat POSTROUTING' },
      change: ways.map((end) => masquerade(end, place, isNft ? 'iptables.nft' : 'iptables.legacy')),
      fix: {
        summary: `have the CNI masquerade again on ${place.node}: restart its agent, which writes the rule; check that masquerading is switched on (flannel --ip-masq, Calico natOutgoing, ip-masq-agent’s list)`,
        commands: [
          `${command}-save -t nat | grep -E 'MASQUERADE|SNAT'    # on ${place.node}`,
          `${command} -t nat -A POSTROUTING -s POD-CIDR ! -d CLUSTER-CIDR -j MASQUERADE    # on ${place.node}, until the agent is restarted`,
        ],
      },
    });
  },
});

function outsideOf(pods: readonly Pod[], nodes: readonly Node[], services: readonly Service[]) {
  const own = new Set<string>([
    ...pods.flatMap((pod) => (pod.status.podIPs ?? []).map((one) => one.ip)),
    ...nodes.flatMap((node) => (node.status.addresses ?? []).map((one) => one.address)),
    ...services.flatMap((service) => [
      ...(service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : [])),
      ...(service.spec.externalIPs ?? []),
      ...(service.status?.loadBalancer?.ingress ?? []).flatMap((one) => one.ip ?? []),
    ]),
  ]);
  return (address: Address): boolean => !own.has(address);
}

function statementOf(end: DeadEnd, place: Place): string {
  const { source, destination } = end.leaf.end.packet.ip;
  const device =
    hopsTo(end.leaf).findLast((hop) => placeKey(hop.place) === placeKey(place))?.output ??
    end.step?.values['device'] ??
    'the NIC';
  return `no rule of nat POSTROUTING translates ${source} → ${destination}; it leaves by ${device} with the pod’s address, which nobody outside can answer`;
}

function masquerade(end: DeadEnd, place: Place, backend: 'iptables.nft' | 'iptables.legacy'): SnapshotChange {
  const { source, destination } = end.leaf.end.packet.ip;
  const family = familyOf(source);
  const length = family === 6 ? 128 : 32;
  return {
    op: 'rule',
    place,
    backend,
    family,
    table: 'nat',
    chain: 'POSTROUTING',
    act: 'insert',
    number: 1,
    rule: `-A POSTROUTING -s ${source}/${length} -d ${destination}/${length} -j MASQUERADE`,
    text: `a MASQUERADE of ${source} → ${destination}`,
  };
}
