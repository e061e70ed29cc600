import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { Step } from '../../simulate/trace.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { doubtBefore, familyOfStep, iptablesCommand, policyChange } from '../shared/iptables-change.ts';
import { isForwardPolicy } from '../shared/is-foreign.ts';
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
  optional: ['iptables.nft', 'iptables.legacy'],
  check({ flows }, place, ask) {
    const dead = deadEnds(flows, { ends: ['dropped-by-rule'], at: place }).flatMap((end): Dropped[] =>
      // The outer packet of a tunnel has a cause of its own (overlay-port-blocked).
      end.step && isForwardPolicy(end.step) && !end.leaf.end.packet.inner ? [{ ...end, step: end.step }] : [],
    );
    if (dead.length === 0) return absentFromWalks(flows, `no packet fell to the FORWARD policy of ${place.node}`);
    const policies = distinctBy(dead, backendOf);
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...policies.map((end) => walkEvidence('iptables-policy', place, end.step, statementOf(end))),
        ...policies.flatMap((end) => policyRise(ask, place, familyOfStep(end.step), end.step) ?? []),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: 'iptables filter FORWARD policy' },
      change: policies.map((end) => acceptInstead(end, place)),
      fix: {
        summary: `accept pod traffic in FORWARD on ${place.node}; find what sets the policy (often Docker, or a firewall script)`,
        commands: [
          ...policies.map((end) => `${commandOf(end)} -P FORWARD ACCEPT    # on ${place.node}`),
          '# or keep the policy, and accept the pod network of the cluster only:',
          ...policies.flatMap((end) =>
            ['-s', '-d'].map((side) => `${commandOf(end)} -A FORWARD ${side} POD-CIDR -j ACCEPT    # on ${place.node}`),
          ),
        ],
      },
    });
  },
});

type Dropped = DeadEnd & { readonly step: Step };

function backendOf(end: Dropped): string {
  return String(end.step.values['backend']);
}

function commandOf(end: Dropped): string {
  return iptablesCommand(end.step, familyOfStep(end.step));
}

function statementOf(end: Dropped): string {
  const { source, destination } = end.leaf.end.packet.ip;
  const doubt = doubtBefore(end);
  return `filter FORWARD (${backendOf(end)}) has the policy DROP, and none of its rules accepts ${source} → ${destination}${doubt ? `, ${doubt}` : ''}`;
}

function acceptInstead(end: Dropped, place: Place): SnapshotChange {
  return policyChange(end.step, place, 'accept', `${backendOf(end)} -P FORWARD ACCEPT`);
}
