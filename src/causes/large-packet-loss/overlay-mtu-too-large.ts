import { defineCause } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { hopsTo, stateEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { present } from '../shared/present.ts';
import { exceedingSteps } from '../shared/silent-size-drop.ts';
import { bytesOf, sizeBounds, VXLAN_OVERHEAD } from '../shared/size-bounds.ts';
import { cutsOf } from './fragments-dropped.ts';

/**
 * A pod's largest packet plus the tunnel's headers is more than the network between the nodes carries. Not a tunnel
 * whose own NIC is smaller: the kernel then fragments the outer packet, which works. So it is decided by what is lost:
 * up to some size the pod's packets pass, above it none does, and every device of both nodes would take them.
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
    if (!large?.probe) return { is: 'unknown', because: 'no large packet was sent' };
    if (large.probe.passed === 'yes') return { is: 'absent', because: 'packets of the pod’s own MTU get through' };
    if (large.probe.passed === 'unknown') return { is: 'unknown', because: large.probe.statement };
    const [shown] = large.dead;
    if (shown)
      return {
        is: 'absent',
        because: `by the walk the large packet ends in ${shown.end.end} at ${shown.end.place.node}: it does not come to be lost between the nodes`,
      };
    const tunnels = tunnelsOf(large);
    const [tunnel] = tunnels;
    if (!tunnel || large.unknown.length > 0)
      return absentFromWalks([large], 'the large packet goes through no overlay');
    // Then every device does take them, in pieces: it is the pieces that are lost (fragments-dropped).
    if (cutsOf(large).length > 0)
      return { is: 'absent', because: 'the large packet travels in fragments that fit every device' };
    const [small] = exceedingSteps(large);
    if (small)
      return {
        is: 'unknown',
        because: `${small.step.text}: it need not be the network between the nodes`,
      };
    const overhead = VXLAN_OVERHEAD[large.destination.includes(':') ? 6 : 4];
    const bounds = sizeBounds(flows, large, large.probe);
    if (bounds === undefined)
      return { is: 'unknown', because: 'larger packets pass where smaller ones do not: it is not their size alone' };
    const underlay = flows.filter(
      (flow) => flow.purpose === 'underlay-large' && tunnels.some((one) => isOf(flow, one)),
    );
    // Of two sizes only the larger one is known not to pass: a smaller outer packet may.
    const refused = underlay.filter((flow) => flow.probe?.passed === 'no' && bytesOf(flow) <= bounds.lost + overhead);
    if (!bounds.isSearched && refused.length === 0)
      return { is: 'unknown', because: 'from which size on packets are lost was not tried, nor between the nodes' };
    const links = ask('links', tunnel.place);
    const device = links.state === 'seen' ? links.value.find((link) => link.name === tunnel.device) : undefined;
    const search: Evidence = {
      kind: 'size-search',
      plane: 'probe',
      place: large.probe.evidence.place,
      source: bounds.source,
      values: { passes: bounds.passes, lost: bounds.lost },
      statement: `packets of up to ${bounds.passes} bytes pass, those of ${bounds.lost} do not: in the overlay that is ${bounds.passes + overhead} and ${bounds.lost + overhead} bytes`,
    };
    return present({
      claims: [],
      evidence: [
        large.probe.evidence,
        ...(bounds.isSearched ? [search] : []),
        ...(device && links.state === 'seen'
          ? [
              stateEvidence(
                'mtu',
                tunnel.place,
                links,
                `${tunnel.device} of ${tunnel.place.node} has MTU ${device.mtu}, so that an outer packet has up to ${device.mtu + overhead} bytes; every device of both nodes takes it`,
                { mtu: device.mtu },
              ),
            ]
          : []),
        ...underlay.flatMap((flow) => (flow.probe ? [flow.probe.evidence] : [])),
      ],
      place: { ...tunnel.place, object: `${tunnel.device} MTU${device ? ` ${device.mtu}` : ''}` },
      fix: {
        summary: `have the network between the nodes carry ${(device?.mtu ?? bounds.lost) + overhead} bytes of the overlay, or set the CNI’s MTU to ${bounds.isSearched ? `${bounds.passes} or less` : 'what it carries'} and recreate the pods`,
        commands: [
          `# flannel: "MTU": ${bounds.isSearched ? bounds.passes : 'SIZE'} in the Backend of net-conf.json, then restart its DaemonSet and recreate the pods`,
          `ping -M do -c 1 -s ${bounds.lost - (large.destination.includes(':') ? 48 : 28)} ${large.destination}    # from the pod: must pass afterwards`,
        ],
      },
    });
  },
});

interface Entry {
  readonly place: Place;
  readonly device: string;
  readonly to: string | undefined;
}

/** Where the large packet, and its answer, are put into a tunnel, and which node they are sent to. */
function tunnelsOf(large: Flow): Entry[] {
  return large.leaves.flatMap((leaf) => {
    const hops = hopsTo(leaf);
    return hops.flatMap((hop, index): Entry[] => {
      const step = hop.steps.find((one) => one.kind === 'tunnel' && one.values['act'] === 'encapsulate');
      if (!step) return [];
      const to = hops.slice(index + 1).find((next) => next.place.node !== hop.place.node)?.place.node;
      const place: Place = { node: hop.place.node, namespace: hop.place.namespace };
      return [{ place, device: String(step.values['device'] ?? ''), to }];
    });
  });
}

/** A ping between these two nodes tells of both directions. */
function isOf(flow: Flow, { place, to }: Entry): boolean {
  return flow.from?.node === place.node && to !== undefined && flow.id.endsWith(`/${to}`);
}
