import type { Address } from '../net/address.ts';
import type { Packet, Port } from '../net/packet.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { IpvsForwarding } from '../parse/ipvsadm.ts';
import { protocolName } from './tuple.ts';

export interface IpvsEnd {
  readonly address: Address;
  readonly port: Port;
}

/** One entry of ipvs's own table (struct ip_vs_conn): a client, the service that it asked, and the server that it got. */
export interface IpvsConnection {
  /** placeKey of the namespace. */
  readonly table: string;
  readonly protocol: string;
  readonly client: IpvsEnd;
  readonly virtual: IpvsEnd;
  readonly real: IpvsEnd;
  readonly forwarding: IpvsForwarding;
  readonly tunnel?: string;
}

/** Both ends of a packet that has ports. */
export function endsOf({ ip, l4 }: Packet): { readonly source: IpvsEnd; readonly destination: IpvsEnd } | undefined {
  if (!('sourcePort' in l4)) return undefined;
  return {
    source: { address: ip.source, port: l4.sourcePort },
    destination: { address: ip.destination, port: l4.destinationPort },
  };
}

/** The entry of a packet from a client (ip_vs_conn_in_get). */
export function connectionIn(
  connections: readonly IpvsConnection[],
  place: Place,
  packet: Packet,
): IpvsConnection | undefined {
  return latest(connections, place, packet, 'client', 'virtual');
}

/** The entry of a packet from a server (ip_vs_conn_out_get). */
export function connectionOut(
  connections: readonly IpvsConnection[],
  place: Place,
  packet: Packet,
): IpvsConnection | undefined {
  return latest(connections, place, packet, 'real', 'client');
}

type EndName = 'client' | 'virtual' | 'real';

/** The latest that the packet goes from and to these ends of, since ports that are not known look alike. */
function latest(
  connections: readonly IpvsConnection[],
  place: Place,
  packet: Packet,
  from: EndName,
  to: EndName,
): IpvsConnection | undefined {
  const ends = endsOf(packet);
  if (!ends) return undefined;
  return connections.findLast(
    (one) => isHere(one, place, packet) && isSame(one[from], ends.source) && isSame(one[to], ends.destination),
  );
}

function isHere(one: IpvsConnection, place: Place, packet: Packet): boolean {
  return one.table === placeKey(place) && one.protocol === protocolName(packet.l4);
}

function isSame(a: IpvsEnd, b: IpvsEnd): boolean {
  return a.address === b.address && a.port === b.port;
}
