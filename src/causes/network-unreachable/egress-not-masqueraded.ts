import { defineCause } from '../../diagnose/cause.ts';
import { deadEnds, hopsTo, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { placeKey } from '../../net/place.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { podOfAddress } from '../shared/cluster-pods.ts';
import { present } from '../shared/present.ts';

/**
 * A packet to the outside leaves the node with the pod's own address, which the network between does not route back:
 * no MASQUERADE or SNAT matched, though the CNI means to masquerade. On a VPC CNI the pod's address is routable by
 * design, and this is not a fault there.
 */
export const egressNotMasqueraded = defineCause({
  id: 'egress-not-masqueraded',
  class: 'network-unreachable',
  title: 'Traffic to the outside leaves with the pod’s own address',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'gate', 'api.pods'],
  optional: ['iptables.nft', 'iptables.legacy', 'question', 'nft.tables'],
  check(given, place) {
    if (given.gate.podAddressesRoutable === 'yes')
      return { is: 'absent', because: 'pod addresses are routable outside by design here' };
    const dead = deadEnds(given.flows, { ends: ['left-the-cluster'], at: place }).filter(
      (end) => end.leaf.ref.leg === 'forward' && podOfAddress(given['api.pods'].value, end.leaf.end.packet.ip.source),
    );
    if (dead.length === 0)
      return { is: 'absent', because: `no packet left ${place.node} for the outside with a pod’s address` };
    const tables = [given['iptables.nft'], given['iptables.legacy']].filter((one) => one !== undefined);
    if (!tables.every(isComplete))
      return {
        is: 'unknown',
        because: `the rules of ${place.node} were not read wholly: a masquerade may be among them`,
      };
    const source = dead[0]!.leaf.end.packet.ip.source;
    const destination = dead[0]!.leaf.end.packet.ip.destination;
    const device =
      hopsTo(dead[0]!.leaf).findLast((hop) => placeKey(hop.place) === placeKey(place))?.output ?? 'the NIC';
    const used = tables.find((one) => isComplete(one) && one.value.tables.some((table) => table.name === 'nat'));
    const backend = used === given['iptables.legacy'] ? ('iptables.legacy' as const) : ('iptables.nft' as const);
    const family = given.question?.family ?? 4;
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...(used && isComplete(used)
          ? [
              stateEvidence(
                'masquerade',
                place,
                used,
                `no rule of nat POSTROUTING translates ${source} → ${destination}; it leaves by ${device} with the pod’s address, which nobody outside can answer`,
                { source, destination, device },
              ),
            ]
          : []),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: 'nat POSTROUTING' },
      change: [
        {
          op: 'rule',
          place,
          backend,
          family,
          table: 'nat',
          chain: 'POSTROUTING',
          act: 'insert',
          number: 1,
          rule: `-A POSTROUTING -s ${source}/32 -d ${destination}/32 -j MASQUERADE`,
          text: `a MASQUERADE of ${source} → ${destination}`,
        },
      ],
      fix: {
        summary: `have the CNI masquerade again on ${place.node}: restart its agent, which writes the rule; check that masquerading is switched on (flannel --ip-masq, Calico natOutgoing, ip-masq-agent’s list)`,
        commands: [
          `iptables-save -t nat | grep -E 'MASQUERADE|SNAT'    # on ${place.node}`,
          `${family === 6 ? 'ip6tables' : 'iptables'} -t nat -A POSTROUTING -s POD-CIDR ! -d CLUSTER-CIDR -j MASQUERADE    # on ${place.node}, until the agent is restarted`,
        ],
      },
    });
  },
});
