import type { Address } from '../net/address.ts';
import type { L4, Packet, Port } from '../net/packet.ts';

/** What identifies a connection to conntrack and to sockets (struct nf_conntrack_tuple). For ICMP the ports are the id. */
export interface Tuple {
  readonly protocol: string;
  readonly source: Address;
  readonly sourcePort?: Port;
  readonly destination: Address;
  readonly destinationPort?: Port;
}

export function tupleOf(packet: Packet): Tuple {
  const { l4 } = packet;
  const base = { protocol: protocolName(l4), source: packet.ip.source, destination: packet.ip.destination };
  if ('sourcePort' in l4) return { ...base, sourcePort: l4.sourcePort, destinationPort: l4.destinationPort };
  if ('type' in l4) return { ...base, sourcePort: l4.id ?? 0, destinationPort: l4.id ?? 0 };
  return base;
}

export function reversed(tuple: Tuple): Tuple {
  return {
    protocol: tuple.protocol,
    source: tuple.destination,
    destination: tuple.source,
    ...(tuple.destinationPort === undefined ? {} : { sourcePort: tuple.destinationPort }),
    ...(tuple.sourcePort === undefined ? {} : { destinationPort: tuple.sourcePort }),
  };
}

export function sameTuple(a: Tuple, b: Tuple): boolean {
  return (
    a.protocol === b.protocol &&
    a.source === b.source &&
    a.destination === b.destination &&
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort
  );
}

export function protocolName(l4: L4): string {
  return String(l4.protocol);
}

export function withSource(packet: Packet, address: Address, port?: Port): Packet {
  const l4 = port !== undefined && 'sourcePort' in packet.l4 ? { ...packet.l4, sourcePort: port } : packet.l4;
  return { ...packet, ip: { ...packet.ip, source: address }, l4 };
}

export function withDestination(packet: Packet, address: Address, port?: Port): Packet {
  const l4 = port !== undefined && 'sourcePort' in packet.l4 ? { ...packet.l4, destinationPort: port } : packet.l4;
  return { ...packet, ip: { ...packet.ip, destination: address }, l4 };
}

/** `10.0.0.1:80`, `[fd00::1]:80`, or the bare address. */
export function formatEnd(address: Address, port?: Port): string {
  if (port === undefined) return address;
  const shown = port === 'ephemeral' ? '*' : String(port);
  return address.includes(':') ? `[${address}]:${shown}` : `${address}:${shown}`;
}
