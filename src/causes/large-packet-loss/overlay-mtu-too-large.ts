import { defineCause } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import { deadEnds, hopsTo, stateEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { Link } from '../../parse/ip-link.ts';
import { claimsOf } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/** Bytes that a VXLAN tunnel adds before a packet of the pod: outer IP, UDP and VXLAN headers, inner Ethernet (RFC 7348 §5). */
const VXLAN_OVERHEAD = { 4: 50, 6: 70 } as const;

/**
 * A pod's largest packet plus the tunnel's headers is more than the network between the nodes carries. Not a tunnel
 * whose own NIC is smaller: the kernel then fragments the outer packet, which works. So it is decided by what is lost:
 * small packets pass, large ones of the pod do not, and neither does a packet of the NIC's MTU from node to node.
 */
export const overlayMtuTooLarge = defineCause({
  id: 'overlay-mtu-too-large',
  class: 'large-packet-loss',
  title: 'The pods’ MTU and the overlay’s headers together are more than the network between the nodes carries',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['links'],
  invariant: 'the network between the nodes carries a full packet of a pod in the overlay',
  check({ flows }, _place, ask) {
    const large = flows.find((flow) => flow.purpose === 'large');
    if (!large) return { is: 'absent', because: 'no large packet was sent' };
    if (large.probe?.passed !== 'no')
      return large.probe?.passed === 'yes'
        ? { is: 'absent', because: 'packets of the pod’s own MTU get through' }
        : { is: 'unknown', because: large.probe?.statement ?? 'no large packet was sent' };
    const tunnel = tunnelOf(large);
    if (!tunnel) return { is: 'absent', because: 'the large packet goes through no overlay' };
    const underlay = flows.filter((flow) => flow.purpose === 'underlay-large');
    if (underlay.length === 0)
      return {
        is: 'unknown',
        because: 'whether the nodes reach each other with packets of their own MTU was not tried',
      };
    const lost = underlay.filter((flow) => flow.probe?.passed === 'no');
    if (lost.length === 0)
      return {
        is: 'absent',
        because: `between the nodes packets of the NIC’s MTU pass (${underlay.map((flow) => flow.probe?.statement).join('; ')})`,
      };
    const links = ask('links', { node: tunnel.place.node, namespace: 'host' });
    const device = links.state === 'seen' ? links.value.find((link) => link.name === tunnel.device) : undefined;
    const sizes = mtusOf(large, lost[0]!, device);
    return present({
      claims: claimsOf(deadEnds([large])),
      evidence: [
        ...(large.probe ? [large.probe.evidence] : []),
        ...lost.flatMap((flow) => (flow.probe ? [flow.probe.evidence] : [])),
        ...flows.flatMap((flow) =>
          flow.purpose === 'underlay' && flow.probe?.passed === 'yes' ? [flow.probe.evidence] : [],
        ),
        ...(device && links.state === 'seen'
          ? [
              stateEvidence(
                'mtu',
                tunnel.place,
                links,
                `${tunnel.device} of ${tunnel.place.node} has MTU ${device.mtu}, so an outer packet has up to ${sizes.outer} bytes, as many as the NIC’s MTU allows`,
                { mtu: device.mtu },
              ),
            ]
          : []),
      ],
      place: { ...tunnel.place, object: `${tunnel.device} MTU` },
      fix: {
        summary:
          'give the network between the nodes the MTU that the nodes’ NICs have, or set the NICs (and the CNI) to what the network carries, and recreate the pods; find the value by the search below',
        commands: [
          `for s in 8972 1472 1422 1372 1322 1272; do ping -M do -c1 -W1 -s $s ${lost[0]!.destination} >/dev/null && { echo "network carries $((s+28))"; break; }; done    # on ${tunnel.place.node}`,
          `# the CNI’s MTU must be at most that minus ${sizes.overhead}: flannel takes the NIC’s MTU minus ${sizes.overhead} at its start (or "MTU" in net-conf.json)`,
        ],
      },
    });
  },
});

/** Where the large packet was put into a tunnel. */
function tunnelOf(flow: Flow): { readonly place: Place; readonly device: string } | undefined {
  for (const leaf of flow.leaves) {
    for (const hop of hopsTo(leaf)) {
      const step = hop.steps.find((one) => one.kind === 'tunnel' && one.values['act'] === 'encapsulate');
      if (step)
        return {
          place: { node: hop.place.node, namespace: hop.place.namespace },
          device: String(step.values['device'] ?? ''),
        };
    }
  }
  return undefined;
}

function mtusOf(large: Flow, underlay: Flow, device: Link | undefined) {
  const overhead = VXLAN_OVERHEAD[underlay.destination.includes(':') ? 6 : 4];
  return { overhead, outer: (device?.mtu ?? large.trip.forward.packet.lengthBytes) + overhead };
}
