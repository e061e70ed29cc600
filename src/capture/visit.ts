import type { Address } from '../net/address.ts';
import type { Packet, TunnelHeader } from '../net/packet.ts';
import type { Place } from '../net/place.ts';

/** What tells a packet on one device from others: addresses, protocol, and the ports that are known. */
export interface Tuple {
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmpv6' | number;
  readonly source: Address;
  readonly destination: Address;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** The packet that carries it on this device, where a tunnel does. */
  readonly outer?: OuterTuple;
}

export interface OuterTuple {
  readonly tunnel: TunnelHeader['kind'];
  readonly source: Address;
  readonly destination: Address;
  /** The tunnel's UDP port, where it has one. */
  readonly port?: number;
}

/** One device that a packet passes, in the order of its way. */
export interface Visit {
  readonly place: Place;
  readonly device: string;
  /** As the network namespace sees it. */
  readonly way: 'in' | 'out';
  readonly tuple: Tuple;
  /** What it may be here as well: a bridge may translate addresses before its own device shows the packet, or after. */
  readonly also?: Tuple;
}

export function tupleOf(packet: Packet): Tuple {
  if (packet.inner) {
    const { tunnel, l4, ip } = packet;
    const port = 'destinationPort' in l4 && typeof l4.destinationPort === 'number' ? l4.destinationPort : undefined;
    const outer: OuterTuple = {
      tunnel: tunnel?.kind ?? 'ipip',
      source: ip.source,
      destination: ip.destination,
      ...(port !== undefined && { port }),
    };
    return { ...tupleOf(packet.inner), outer };
  }
  const { ip, l4 } = packet;
  const ports = 'sourcePort' in l4 ? l4 : undefined;
  return {
    protocol: l4.protocol,
    source: ip.source,
    destination: ip.destination,
    ...(typeof ports?.sourcePort === 'number' && { sourcePort: ports.sourcePort }),
    ...(typeof ports?.destinationPort === 'number' && { destinationPort: ports.destinationPort }),
  };
}

/** The same conversation seen the other way round. */
export function reversedTuple(tuple: Tuple): Tuple {
  const { protocol, source, destination, sourcePort, destinationPort, outer } = tuple;
  return {
    protocol,
    source: destination,
    destination: source,
    ...(destinationPort !== undefined && { sourcePort: destinationPort }),
    ...(sourcePort !== undefined && { destinationPort: sourcePort }),
    // A tunnel's port is its receiver's, whichever way it goes.
    ...(outer && { outer: { ...outer, source: outer.destination, destination: outer.source } }),
  };
}
