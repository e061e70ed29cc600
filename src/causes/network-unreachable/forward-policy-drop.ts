import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { iptablesCommand, policyChange } from '../shared/iptables-change.ts';
import { policyRise } from '../shared/policy-rise.ts';
import { present } from '../shared/present.ts';

/**
 * The policy of iptables' filter FORWARD chain is DROP and no rule accepts the pod's packet (iptables(8), -P). Docker
 * sets it so since 1.13 (kubernetes/kubernetes#40182, #39823).
 */
export const forwardPolicyDrop = defineCause({
  id: 'forward-policy-drop',
  class: 'network-unreachable',
  title: 'The FORWARD chain’s policy is DROP, and no rule accepts the packet',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  optional: ['iptables.nft', 'iptables.legacy', 'question'],
  check({ flows, question }, place, ask) {
    const dead = deadEnds(flows, { ends: ['dropped-by-rule'], at: place }).filter(isForwardPolicy);
    if (dead.length === 0)
      return { is: 'absent', because: `no packet that was walked falls to the FORWARD policy of ${place.node}` };
    const family = question?.family ?? 4;
    const policies = distinctBy(dead, backendOf);
    const rises = policies.flatMap((end) => policyRise(ask, place, family, end.step!) ?? []);
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...policies.map((end) =>
          walkEvidence(
            'iptables-policy',
            place,
            end.step!,
            `filter FORWARD (${backendOf(end)}) has the policy DROP, and none of its rules accepts ${end.leaf.end.packet.ip.source} → ${end.leaf.end.packet.ip.destination}`,
          ),
        ),
        ...rises,
        ...probeEvidence(dead.map((end) => end.flow)),
      ],
      place: { ...place, object: 'iptables filter FORWARD policy' },
      change: policies.map((end) => acceptInstead(end, place)),
      fix: {
        summary: `accept pod traffic in FORWARD on ${place.node}; find what sets the policy (often Docker, or a firewall script)`,
        commands: [
          ...policies.map((end) => `${iptablesCommand(end.step!, family)} -P FORWARD ACCEPT    # on ${place.node}`),
          '# or keep the policy, and accept the pod network of the cluster only:',
          ...policies.flatMap((end) =>
            ['-s', '-d'].map(
              (side) =>
                `${iptablesCommand(end.step!, family)} -A FORWARD ${side} POD-CIDR -j ACCEPT    # on ${place.node}`,
            ),
          ),
        ],
      },
    });
  },
});

function isForwardPolicy(end: DeadEnd): boolean {
  const { step } = end;
  return (
    step?.kind === 'policy' &&
    step.values['chain'] === 'FORWARD' &&
    step.values['table'] === 'filter' &&
    String(step.values['backend']).startsWith('iptables')
  );
}

function backendOf(end: DeadEnd): string {
  return String(end.step?.values['backend']);
}

function acceptInstead(end: DeadEnd, place: Place): SnapshotChange {
  return policyChange(end.step!, place, 'accept', `${backendOf(end)} -P FORWARD ACCEPT`);
}
