import type { Request } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { BridgeVlan } from '../parse/bridge-vlan.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import type { Frame, Tag } from './frame.ts';

/** The VLAN that a frame belongs to within a bridge; 0 where the bridge does not filter. */
export type VlanEntry =
  | { readonly state: 'in'; readonly vlan: number; readonly tag?: Tag }
  | { readonly state: 'refused'; readonly text: string }
  | { readonly state: 'unknown'; readonly because: string; readonly wants: readonly Request[] };

/**
 * Which VLAN a frame that comes in by a port belongs to, and whether the port lets it in (br_allowed_ingress in
 * net/bridge/br_vlan.c): a tag of the bridge's protocol by itself, an untagged frame by the port's PVID.
 */
export function vlanOnEntry(snapshot: Snapshot, place: Place, master: Link, port: string, frame: Frame): VlanEntry {
  if (!master.bridge?.vlanFiltering) return { state: 'in', vlan: 0, ...(frame.tag && { tag: frame.tag }) };
  const protocol = master.bridge.vlanProtocol ?? '802.1Q';
  const members = membersOf(snapshot, place, port);
  if (!Array.isArray(members)) return members;
  if (frame.tag && frame.tag.protocol !== protocol) {
    const because = `a frame with a tag of ${frame.tag.protocol} in ${master.name}, which filters ${protocol}: not modelled`;
    return { state: 'unknown', because, wants: [] };
  }
  const vlan = frame.tag?.id || members.find((one) => one.pvid)?.vlan;
  if (vlan === undefined) return { state: 'refused', text: `${port} has no PVID: an untagged frame is dropped` };
  if (!members.some((one) => holds(one, vlan))) {
    return { state: 'refused', text: `${port} does not belong to VLAN ${vlan}` };
  }
  return { state: 'in', vlan, tag: { id: vlan, protocol } };
}

/** Whether a frame of this VLAN may leave by a port, and with which tag (br_allowed_egress, br_handle_vlan). */
export function vlanOnExit(
  snapshot: Snapshot,
  place: Place,
  master: Link,
  port: string,
  entry: Extract<VlanEntry, { state: 'in' }>,
): VlanEntry {
  if (!master.bridge?.vlanFiltering) return entry;
  const members = membersOf(snapshot, place, port);
  if (!Array.isArray(members)) return members;
  const membership = members.find((one) => holds(one, entry.vlan));
  if (!membership) return { state: 'refused', text: `${port} does not belong to VLAN ${entry.vlan}` };
  return membership.untagged ? { state: 'in', vlan: entry.vlan } : entry;
}

function holds(one: BridgeVlan, vlan: number): boolean {
  return one.vlan <= vlan && vlan <= one.vlanTo;
}

function membersOf(
  snapshot: Snapshot,
  place: Place,
  port: string,
): BridgeVlan[] | Extract<VlanEntry, { state: 'unknown' }> {
  const vlans = snapshot.fact('bridge-vlans', place);
  if (vlans.state === 'unseen') {
    const because = `the VLANs of the bridge ports were not seen: ${vlans.detail}`;
    return { state: 'unknown', because, wants: vlans.gap === 'not-asked' ? [vlans.want] : [] };
  }
  if (!isComplete(vlans)) {
    return { state: 'unknown', because: 'the VLANs of the bridge ports were not read wholly', wants: [] };
  }
  return vlans.value.filter((one) => one.device === port);
}
