import type { Ask } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { type DeadEnd, deadEnds, hopsTo, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { Step } from '../../simulate/trace.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';

/**
 * A frame that is longer than the MTU of the device that gets it, which drops it and tells nobody (is_skb_forwardable in
 * net/core/dev.c for a veth, br_dev_queue_push_xmit for a bridge's port).
 */
export interface SilentSizeDrop extends DeadEnd {
  readonly step: Step;
  /** The device that is too small. */
  readonly place: Place;
  readonly device: string;
  readonly mtu: number;
  readonly lengthBytes: number;
  /** Where the frame came from. */
  readonly sender: { readonly place: Place; readonly device: string };
}

/** The largest packets last, which `distinctBy` keeps. */
export function silentSizeDrops(flows: readonly Flow[]): SilentSizeDrop[] {
  const drops = deadEnds(flows, { ends: ['packet-too-big'] }).flatMap((end): SilentSizeDrop[] => {
    const { step, hop, leaf } = end;
    if (!step || !hop || step.kind !== 'mtu' || step.values['act'] !== 'dropped-silently') return [];
    const { node, namespace } = leaf.end.place;
    return [
      {
        ...{ ...end, step, place: { node, namespace }, device: String(step.values['device']) },
        ...{ mtu: Number(step.values['mtu']), lengthBytes: Number(step.values['lengthBytes']) },
        sender: { place: hop.place, device: hop.output ?? '' },
      },
    ];
  });
  return drops.sort((a, b) => a.lengthBytes - b.lengthBytes);
}

/** NICs that are sent more than their MTU, there and back; whether one takes it all the same, its driver decides. */
export function exceedingSteps(flow: Flow): { readonly step: Step; readonly sender: Place }[] {
  return flow.leaves.flatMap((leaf) =>
    hopsTo(leaf).flatMap(({ place, steps }) =>
      steps
        .filter(({ kind, values }) => kind === 'mtu' && values['act'] === 'exceeds')
        .map((step) => ({ step, sender: place })),
    ),
  );
}

/** What the probe of the largest packet saw stands for those of all the sizes that were searched. */
export function probeOfLargest(ends: readonly DeadEnd[]): Evidence[] {
  const flows = [...new Set(ends.map(({ flow }) => flow))];
  const telling = flows.filter(({ purpose }) => purpose !== 'size' && purpose !== 'underlay-large');
  return probeEvidence(telling.length > 0 ? telling : flows.slice(-1));
}

/** The MTU of the device that the frame came from. */
export function senderEvidence({ sender }: SilentSizeDrop, ask: Ask<'links'>): Evidence[] {
  const links = ask('links', sender.place);
  const link = links.state === 'seen' ? links.value.find(({ name }) => name === sender.device) : undefined;
  if (links.state === 'unseen' || !link) return [];
  const statement = `${link.name} of ${sender.place.node}, which sends to it, has MTU ${link.mtu}`;
  return [stateEvidence('mtu', sender.place, links, statement, { mtu: link.mtu })];
}

export function isBetweenNodes({ place, sender }: SilentSizeDrop): boolean {
  return place.node !== sender.place.node;
}

/** The device made as large as what it is sent. */
export function mtuChange({ place, device, lengthBytes }: SilentSizeDrop): SnapshotChange {
  return { op: 'link', place, device, set: { mtu: lengthBytes }, text: `ip link set ${device} mtu ${lengthBytes}` };
}
