import { type Ask, defineCause, type Finding } from '../../diagnose/cause.ts';
import type { Flow, FlowProbe } from '../../diagnose/derived.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Packet } from '../../net/packet.ts';
import type { Place } from '../../net/place.ts';
import type { Step } from '../../simulate/trace.ts';
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
import {
  capturedFate,
  lostOnTheWay,
  type Tunnel,
  type TunnelFate,
  tunnelFate,
  tunnelsFrom,
} from '../shared/overlay-loss.ts';
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
  optional: ['iptables.nft', 'iptables.legacy', 'links', 'counters'],
  invariant: 'the nodes get each other’s overlay packets',
  check({ flows }, place, ask) {
    const dead = deadEnds(flows, { ends: ['dropped-by-rule', 'rejected-by-rule'], at: place }).flatMap(
      (end): Dropped[] => (end.leaf.end.packet.inner && end.step ? [{ ...end, step: end.step }] : []),
    );
    if (dead.length === 0) return betweenTheNodes(flows, place, ask);
    const rules = distinctBy(dead, (end) => ruleName(end.step));
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...rules.map((end) => walkEvidence('firewall-rule', place, end.step, statementOf(end))),
        ...rules.flatMap((end) => policyRise(ask, place, familyOfStep(end.step), end.step) ?? []),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: rules.map((end) => ruleName(end.step)).join('; ') },
      change: rules.map((end) =>
        end.step.kind === 'policy'
          ? policyChange(end.step, place, 'accept', `${ruleName(end.step)} accept`)
          : ruleRemoval(end.step, place),
      ),
      fix: {
        summary: `let ${overlayOf(rules[0]!.leaf.end.packet)} through between all nodes, in whatever manages this rule`,
        commands: rules.map((end) =>
          end.step.kind === 'policy'
            ? `# on ${place.node}: accept ${overlayOf(end.leaf.end.packet)} from the other nodes`
            : `${deleteCommand(end.step, familyOfStep(end.step))}    # on ${place.node}`,
        ),
      },
    });
  },
});

type Dropped = DeadEnd & { readonly step: Step };

/** No rule of a node drops it, yet it is lost: the network between drops the overlay's packets, and others pass. */
function betweenTheNodes(flows: readonly Flow[], place: Place, ask: Ask<'links' | 'counters'>): Finding {
  const lost = lostOnTheWay(flows);
  const fates = tunnelsFrom(lost, place).map((tunnel) => {
    const counted = tunnelFate(tunnel, ask);
    const captured = capturedFate(tunnel, lost);
    // Both tell the same where the counters tell at all; a capture knows our own packets from others'.
    if (captured?.is === 'lost' && counted.is === 'lost')
      return { tunnel, fate: { ...captured, evidence: [...captured.evidence, ...counted.evidence] } };
    return { tunnel, fate: captured ?? counted };
  });
  if (fates.length === 0) return absentFromWalks(flows, `no overlay packet that was sent from ${place.node} was lost`);
  const blocked = fates.flatMap(({ tunnel, fate }) => {
    const underlay = underlayOf(flows, tunnel);
    return fate.is === 'lost' && underlay ? [{ tunnel, evidence: [...fate.evidence, underlay.evidence] }] : [];
  });
  const [first] = blocked;
  if (!first) return { is: 'unknown', because: fates.map(({ tunnel, fate }) => whyUnsure(tunnel, fate)).join('; ') };
  const { from, to, port } = first.tunnel;
  return present({
    claims: [],
    evidence: [...blocked.flatMap((one) => one.evidence), ...probeEvidence(lost)],
    place: { ...place, object: `overlay to ${blocked.map((one) => one.tunnel.to).join(', ')} (UDP port ${port})` },
    fix: {
      summary: `let the overlay’s packets, UDP port ${port}, through between ${from} and ${to}: security group, switch or router filter, hypervisor firewall; the nodes’ own rules let them pass`,
      commands: [
        `tcpdump -p -ni any udp port ${port}    # on ${from}: they leave`,
        `tcpdump -p -ni any udp port ${port} and host ${first.tunnel.remote}    # on ${to}: nothing arrives`,
      ],
    },
  });
}

/** A ping between the two nodes, whichever sent it, to the very address that the tunnel goes to or comes from. */
function underlayOf(flows: readonly Flow[], { from, to, remote }: Tunnel): FlowProbe | undefined {
  return flows.find(
    (flow) =>
      flow.purpose === 'underlay' &&
      flow.probe?.passed === 'yes' &&
      ((flow.from?.node === from && flow.destination === remote) ||
        (flow.from?.node === to && flow.source === remote && flow.id.endsWith(`/${from}`))),
  )?.probe;
}

function whyUnsure({ from, to }: Tunnel, fate: TunnelFate): string {
  const what = `whether overlay packets of ${from} arrive at ${to} could not be told`;
  if (fate.is === 'lost') return `${what}: whether others pass between the nodes was not tried`;
  return fate.is === 'arrives' ? `${what} from the counters: ${fate.because}, of whomever` : `${what}: ${fate.because}`;
}

function statementOf(end: Dropped): string {
  const { packet } = end.leaf.end;
  const name = ruleName(end.step);
  const what = end.step.kind === 'policy' ? `the ${name}` : `“${ruleText(end.step)}” (${name})`;
  const doubt = doubtBefore(end);
  return `${what} drops the outer packet ${packet.ip.source} → ${packet.ip.destination}, ${overlayOf(packet)}, which carries ${packet.inner?.ip.source} → ${packet.inner?.ip.destination}${doubt ? `; ${doubt}` : ''}`;
}

function overlayOf(packet: Packet): string {
  const { l4 } = packet;
  return 'destinationPort' in l4 ? `${l4.protocol} port ${l4.destinationPort}` : `IP protocol ${l4.protocol}`;
}
