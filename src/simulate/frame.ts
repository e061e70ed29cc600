import type { Packet } from '../net/packet.ts';

/** A VLAN tag (IEEE 802.1Q, 802.1ad). */
export interface Tag {
  readonly id: number;
  readonly protocol: string;
}

/** What of a frame decides its way through bridges and stacked devices. */
export interface Frame {
  readonly source?: string;
  readonly destination: string;
  readonly tag?: Tag;
}

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

export function isGroup(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}

/** Undefined where the MAC that the packet is sent to is not known. */
export function frameOf({ macs }: Packet): Frame | undefined {
  if (!macs) return undefined;
  const tag = tagOf(macs);
  return { source: macs.source, destination: macs.destination, ...(tag && { tag }) };
}

export function tagOf(macs: NonNullable<Packet['macs']>): Tag | undefined {
  return macs.vlan === undefined ? undefined : { id: macs.vlan, protocol: macs.vlanProtocol ?? '802.1Q' };
}

export function withTag(packet: Packet, tag: Tag | undefined): Packet {
  if (!packet.macs) return packet;
  const { vlan: _vlan, vlanProtocol: _protocol, ...bare } = packet.macs;
  if (!tag) return { ...packet, macs: bare };
  const macs = { ...bare, vlan: tag.id, ...(tag.protocol === '802.1ad' && { vlanProtocol: '802.1ad' as const }) };
  return { ...packet, macs };
}
