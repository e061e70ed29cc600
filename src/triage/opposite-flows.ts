import type { Address } from '../net/address.ts';
import type { L4 } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { ownerOfAddress } from '../target/address-owner.ts';
import { type PlannedFlow, plannedFlows } from '../target/flows.ts';
import { placeOfPod } from '../target/pod-endpoint.ts';
import type { Question } from '../target/question.ts';

/** Destinations whose way to the source is walked. */
const OPPOSITES_MAX = 4;

/**
 * A first packet from each place that the main flow may lead to, back to its source. Walking it names the devices near the
 * destination, also where the main flow's own walk dies long before.
 */
export function oppositeFlows(snapshot: Snapshot, question: Question, main: PlannedFlow): PlannedFlow[] {
  const backends = plannedFlows(snapshot, question).filter(({ purpose }) => purpose === 'endpoint');
  return (backends.length > 0 ? backends : [main]).slice(0, OPPOSITES_MAX).flatMap(({ packet }) => {
    const from = placeOfAddress(snapshot, packet.ip.destination);
    if (from === undefined || !('node' in main.from)) return [];
    const { ip, l4 } = packet;
    const opposite = { ...packet, ip: { ...ip, source: ip.destination, destination: ip.source }, l4: turned(l4) };
    const id = `opposite/${ip.destination}`;
    return [{ id, purpose: main.purpose, from, packet: opposite, protocol: main.protocol }];
  });
}

function placeOfAddress(snapshot: Snapshot, address: Address): Place | undefined {
  const owner = ownerOfAddress(snapshot, address);
  if (owner?.kind === 'node') return { node: owner.node.metadata.name, namespace: 'host' };
  return owner?.kind === 'pod' ? placeOfPod(owner.pods[0]) : undefined;
}

function turned(l4: L4): L4 {
  if (!('sourcePort' in l4)) return l4;
  return { ...l4, sourcePort: l4.destinationPort, destinationPort: l4.sourcePort };
}
