import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import {
  deleteCommand,
  doubtBefore,
  familyOfStep,
  policyChange,
  ruleName,
  ruleRemoval,
  ruleText,
} from '../shared/iptables-change.ts';
import { isForeign, isForwardPolicy } from '../shared/is-foreign.ts';
import { policyRise } from '../shared/policy-rise.ts';
import { present } from '../shared/present.ts';

/**
 * A DROP or REJECT on the node that neither the CNI nor kube-proxy nor a NetworkPolicy wrote: firewalld, ufw, a
 * hand-written rule, or a native nftables base chain beside iptables (an accept in one does not bind the next:
 * nft(8), "accept"). REJECT answers ICMP 3/3 by default, which TCP reports as refused, like an RST.
 */
export const hostFirewallDrop = defineCause({
  id: 'host-firewall-drop',
  class: 'network-unreachable',
  title: 'A firewall rule on the node drops or rejects the packet',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  optional: ['iptables.nft', 'iptables.legacy'],
  check({ flows }, place, ask) {
    const dead = deadEnds(flows, { ends: ['dropped-by-rule', 'rejected-by-rule'], at: place }).filter(isHostFirewall);
    if (dead.length === 0) return absentFromWalks(flows, `no packet ended at a foreign rule of ${place.node}`);
    const rules = distinctBy(dead, keyOf);
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...rules.map((end) => walkEvidence('firewall-rule', place, end.step!, statementOf(end))),
        ...rules.flatMap((end) => policyRise(ask, place, familyOfStep(end.step!), end.step!) ?? []),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: rules.map(keyOf).join('; ') },
      change: rules.map((end) =>
        end.step!.kind === 'policy'
          ? policyChange(end.step!, place, 'accept', `${keyOf(end)} accept`)
          : ruleRemoval(end.step!, place),
      ),
      fix: fixFor(rules, place),
    });
  },
});

function isHostFirewall(end: DeadEnd): boolean {
  const { step } = end;
  if (!step || (step.kind !== 'rule' && step.kind !== 'policy')) return false;
  // The outer packet of a tunnel has causes of its own (overlay-port-blocked).
  if (end.leaf.end.packet.inner) return false;
  // forward-policy-drop is the name of that.
  return !isForwardPolicy(step) && isForeign(step);
}

function keyOf(end: DeadEnd): string {
  return ruleName(end.step!);
}

function statementOf(end: DeadEnd): string {
  const { packet, senderSees } = end.leaf.end;
  const act = end.leaf.end.end === 'rejected-by-rule' ? `rejects (the sender sees ${senderSees})` : 'drops';
  const what =
    end.step!.kind === 'policy'
      ? `the policy of ${keyOf(end).replace(/ policy$/, '')}`
      : `“${ruleText(end.step!)}” (${keyOf(end)})`;
  const question = questionOf(end);
  if (question) return `${what} drops a neighbour's question or answer: ${question} can't be resolved`;
  const doubt = doubtBefore(end);
  return `${what} ${act} ${packet.ip.source} → ${packet.ip.destination}${doubt ? `; ${doubt}` : ''}`;
}

/** ARP, or ICMPv6's neighbour discovery, is what the rule keeps: the packet itself is never sent. */
function questionOf({ step, hop }: DeadEnd): string | undefined {
  if (step?.values['question'] !== true) return undefined;
  const asked = hop?.steps.findLast((one) => one.kind === 'neighbour' && one.values['reason'] === 'filtered');
  return `${asked?.values['address'] ?? 'the next hop'} on ${asked?.values['device'] ?? 'its device'}`;
}

function fixFor(rules: readonly DeadEnd[], place: Place) {
  return {
    summary: `allow this traffic in the firewall of ${place.node}, in the tool that manages the rule (firewalld, ufw, nftables.conf, a script), or it comes back`,
    commands: rules.map((end) =>
      end.step!.kind === 'policy'
        ? `# on ${place.node}: accept the traffic in ${keyOf(end).replace(/ policy$/, '')}, whose policy is drop`
        : `${deleteCommand(end.step!, familyOfStep(end.step!))}    # on ${place.node}`,
    ),
  };
}
