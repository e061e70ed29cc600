import type { Address } from '../net/address.ts';
import type { L4, Packet, Port } from '../net/packet.ts';

/** What identifies a connection to conntrack and to sockets (struct nf_conntrack_tuple). For ICMP both ports are the id. */
export interface Tuple {
  readonly protocol: string;
  readonly source: Address;
  readonly sourcePort?: Port;
  readonly destination: Address;
  readonly destinationPort?: Port;
  /** ICMP's type and code. */
  readonly type?: number;
  readonly code?: number;
  /** Of two ports that are not known, whether they are one (`chosenFor` of L4). */
  readonly chosenFor?: string;
  /** The range of a port that is not known; of no other. */
  readonly chosenFrom?: { readonly from: number; readonly to: number };
}

/** Requests and their answers (invmap of nf_conntrack_proto_icmp.c and _icmpv6.c); no other type has an inverse. */
const OPPOSITES: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  icmp: { 0: 8, 8: 0, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17 },
  icmpv6: { 128: 129, 129: 128, 139: 140, 140: 139 },
};

export function tupleOf(packet: Packet): Tuple {
  const { l4 } = packet;
  const base = { protocol: protocolName(l4), source: packet.ip.source, destination: packet.ip.destination };
  if ('sourcePort' in l4) {
    const { sourcePort, destinationPort } = l4;
    return { ...base, sourcePort, destinationPort, ...choiceOf(l4) };
  }
  if ('type' in l4) {
    return { ...base, sourcePort: l4.id ?? 0, destinationPort: l4.id ?? 0, type: l4.type, code: l4.code };
  }
  return base;
}

function choiceOf({ chosenFor, chosenFrom }: Pick<Tuple, 'chosenFor' | 'chosenFrom'>) {
  return { ...(chosenFor === undefined ? {} : { chosenFor }), ...(chosenFrom === undefined ? {} : { chosenFrom }) };
}

export function reversed(tuple: Tuple): Tuple {
  const { protocol, source, destination, sourcePort, destinationPort, type } = tuple;
  if (type === undefined && sourcePort !== undefined && destinationPort !== undefined) {
    return {
      protocol,
      source: destination,
      destination: source,
      sourcePort: destinationPort,
      destinationPort: sourcePort,
      ...choiceOf(tuple),
    };
  }
  return {
    protocol,
    source: destination,
    destination: source,
    ...(destinationPort === undefined ? {} : { sourcePort: destinationPort }),
    ...(sourcePort === undefined ? {} : { destinationPort: sourcePort }),
    ...(type === undefined ? {} : { type: oppositeOf(tuple) ?? type, code: tuple.code ?? 0 }),
  };
}

/** Whether conntrack knows what an answer to this would be; without it there is no connection (nf_ct_invert_tuple). */
export function hasOpposite(tuple: Tuple): boolean {
  return tuple.type === undefined || oppositeOf(tuple) !== undefined;
}

function oppositeOf({ protocol, type }: Tuple): number | undefined {
  return type === undefined ? undefined : OPPOSITES[protocol]?.[type];
}

export function sameTuple(a: Tuple, b: Tuple): boolean {
  return (
    a.protocol === b.protocol &&
    a.source === b.source &&
    a.destination === b.destination &&
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort &&
    a.type === b.type &&
    a.code === b.code &&
    a.chosenFor === b.chosenFor
  );
}

export function protocolName(l4: L4): string {
  return String(l4.protocol);
}

export function withSource(packet: Packet, address: Address, port?: Port): Packet {
  return { ...packet, ip: { ...packet.ip, source: address }, l4: withPort(packet.l4, 'sourcePort', port) };
}

export function withDestination(packet: Packet, address: Address, port?: Port): Packet {
  return { ...packet, ip: { ...packet.ip, destination: address }, l4: withPort(packet.l4, 'destinationPort', port) };
}

/** Of ICMP the id stands for both ports. What a port that is not known was chosen from goes with that port. */
function withPort(l4: L4, end: 'sourcePort' | 'destinationPort', port: Port | undefined): L4 {
  if (port === undefined) return l4;
  if ('type' in l4) return typeof port === 'number' && l4.id !== undefined ? { ...l4, id: port } : l4;
  if (!('sourcePort' in l4)) return l4;
  if (end === 'destinationPort') return { ...l4, destinationPort: port };
  if (l4.destinationPort === 'ephemeral') return { ...l4, sourcePort: port };
  const { chosenFrom: _former, chosenFor, ...rest } = l4;
  return { ...rest, ...(port === 'ephemeral' && chosenFor !== undefined ? { chosenFor } : {}), sourcePort: port };
}

/** `10.0.0.1:80`, `[fd00::1]:80`, or the bare address. */
export function formatEnd(address: Address, port?: Port): string {
  if (port === undefined) return address;
  const shown = port === 'ephemeral' ? '*' : String(port);
  return address.includes(':') ? `[${address}]:${shown}` : `${address}:${shown}`;
}
