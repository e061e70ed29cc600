import { type Ask, defineCause, type Finding } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Packet } from '../../net/packet.ts';
import type { Place } from '../../net/place.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { deleteCommand, familyOfStep, policyChange, ruleRemoval, ruleText } from '../shared/iptables-change.ts';
import { lostOnTheWay, tunnelLoss, tunnelsFrom } from '../shared/overlay-loss.ts';
import { policyRise } from '../shared/policy-rise.ts';
import { present } from '../shared/present.ts';

/**
 * The packet that carries pod traffic between the nodes (VXLAN UDP 8472 or 4789, GENEVE 6081, WireGuard 51820, IPIP
 * protocol 4) is dropped by a rule of one of the nodes. Source: flannel, Documentation/troubleshooting.md ("Firewalls").
 */
export const overlayPortBlocked = defineCause({
  id: 'overlay-port-blocked',
  class: 'network-unreachable',
  title: 'The overlay’s packets are blocked between the nodes',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  optional: ['iptables.nft', 'iptables.legacy', 'links'],
  invariant: 'the nodes get each other’s overlay packets',
  check({ flows }, place, ask) {
    const dead = deadEnds(flows, { ends: ['dropped-by-rule', 'rejected-by-rule'], at: place }).filter(
      (end) => end.leaf.end.packet.inner,
    );
    if (dead.length === 0) return betweenTheNodes(flows, place, ask);
    const rules = distinctBy(
      dead.filter((end) => end.step),
      keyOf,
    );
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...rules.map((end) => walkEvidence('firewall-rule', place, end.step!, statementOf(end))),
        ...rules.flatMap((end) => policyRise(ask, place, familyOfStep(end.step!), end.step!) ?? []),
        ...probeEvidence(dead.map((end) => end.flow)),
      ],
      place: { ...place, object: rules.map(keyOf).join('; ') },
      change: rules.map((end) =>
        end.step!.kind === 'policy'
          ? policyChange(end.step!, place, 'accept', `${keyOf(end)} accept`)
          : ruleRemoval(end.step!, place),
      ),
      fix: {
        summary: `let ${overlayOf(rules[0]?.leaf.end.packet)} through between all nodes, in whatever manages this rule`,
        commands: rules.map((end) =>
          end.step!.kind === 'policy'
            ? `# on ${place.node}: accept ${overlayOf(end.leaf.end.packet)} from the other nodes`
            : `${deleteCommand(end.step!, familyOfStep(end.step!))}    # on ${place.node}`,
        ),
      },
    });
  },
});

/** No rule of a node drops it, yet it is lost: the network between drops the overlay's packets, and others pass. */
function betweenTheNodes(flows: readonly Flow[], place: Place, ask: Ask<'links'>): Finding {
  const lost = lostOnTheWay(flows);
  const tunnels = tunnelsFrom(lost, place);
  if (tunnels.length === 0)
    return { is: 'absent', because: `no overlay packet that was sent from ${place.node} is lost` };
  const blocked = tunnels.flatMap((tunnel) => {
    const evidence = tunnelLoss(tunnel, ask);
    const underlay = flows.find((flow) => flow.purpose === 'underlay' && flow.id.endsWith(`/${tunnel.to}`));
    return evidence && underlay?.probe?.passed === 'yes'
      ? [{ tunnel, evidence, underlay: underlay.probe.evidence }]
      : [];
  });
  const [first] = blocked;
  if (!first)
    return {
      is: 'unknown',
      because: `whether overlay packets of ${place.node} arrive at ${tunnels.map((one) => one.to).join(', ')} could not be told from the counters`,
    };
  return present({
    claims: [],
    evidence: [...blocked.flatMap((one) => [...one.evidence, one.underlay]), ...probeEvidence(lost)],
    place: { ...place, object: `overlay to ${blocked.map((one) => one.tunnel.to).join(', ')}` },
    fix: {
      summary: `let the overlay’s packets through between ${place.node} and ${first.tunnel.to}: security group, switch or router filter, hypervisor firewall; the nodes’ own rules let them pass`,
      commands: [
        `ip -d link show type vxlan    # on ${place.node}: "dstport" is the UDP port to open`,
        `tcpdump -p -ni NIC udp port PORT and host ${place.node}    # on ${first.tunnel.to}: nothing arrives`,
      ],
    },
  });
}

function keyOf(end: DeadEnd): string {
  const { values, kind } = end.step!;
  const chain = `${values['backend']} ${values['table']} ${values['chain']}`;
  return kind === 'policy' ? `${chain} policy` : `${chain} rule ${values['ruleNumber']}`;
}

function statementOf(end: DeadEnd): string {
  const { packet } = end.leaf.end;
  const what = end.step!.kind === 'policy' ? `the policy of ${keyOf(end)}` : `“${ruleText(end.step!)}” (${keyOf(end)})`;
  return `${what} drops the outer packet ${packet.ip.source} → ${packet.ip.destination}, ${overlayOf(packet)}, which carries ${packet.inner?.ip.source} → ${packet.inner?.ip.destination}`;
}

function overlayOf(packet: Packet | undefined): string {
  if (!packet) return 'the overlay’s traffic';
  const { l4 } = packet;
  return 'destinationPort' in l4 ? `${l4.protocol} port ${l4.destinationPort}` : `IP protocol ${l4.protocol}`;
}
