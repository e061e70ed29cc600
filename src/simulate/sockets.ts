import type { Packet } from '../net/packet.ts';
import type { Socket } from '../parse/ss.ts';

export type SocketMatch =
  | { readonly found: 'listener'; readonly socket: Socket }
  | {
      readonly found: 'none';
      /** Why the nearest one does not serve: nothing on the port, or bound elsewhere. */
      readonly reason: 'none' | 'other-address' | 'other-device' | 'v6only';
      readonly nearest?: Socket;
    };

/** The bound socket that a packet to this namespace finds (inet_lookup_listener, udp4_lib_lookup): the most exact wins. */
export function findListener(sockets: readonly Socket[], packet: Packet, input: string | undefined): SocketMatch {
  const { l4 } = packet;
  if (!('destinationPort' in l4)) return { found: 'none', reason: 'none' };
  const onPort = sockets.filter((socket) => {
    return socket.protocol === l4.protocol && socket.port === l4.destinationPort && isOpen(socket);
  });
  const fitting = onPort.filter((socket) => refusal(socket, packet, input) === undefined);
  const best = fitting.toSorted((a, b) => exactness(b, packet) - exactness(a, packet))[0];
  if (best) return { found: 'listener', socket: best };
  const nearest = onPort[0];
  if (!nearest) return { found: 'none', reason: 'none' };
  return { found: 'none', reason: refusal(nearest, packet, input)!, nearest };
}

function isOpen(socket: Socket): boolean {
  return socket.protocol === 'udp' ? socket.state === 'UNCONN' : socket.state === 'LISTEN';
}

function refusal(
  socket: Socket,
  packet: Packet,
  input: string | undefined,
): 'other-address' | 'other-device' | 'v6only' | undefined {
  if (socket.device !== undefined && socket.device !== input) return 'other-device';
  const { destination } = packet.ip;
  const isV6 = destination.includes(':');
  if (socket.address === undefined || socket.address === '::') {
    if (isV6) return undefined;
    // A socket of `::` alone serves IPv4 too, unless it is IPV6_V6ONLY; `*` says that it is not.
    const onlyV6 = socket.v6only ?? socket.address === '::';
    return onlyV6 ? 'v6only' : undefined;
  }
  if (socket.address === '0.0.0.0') return isV6 ? 'other-address' : undefined;
  const mapped = isV6 ? destination : `::ffff:${destination}`;
  return socket.address === destination || socket.address === mapped ? undefined : 'other-address';
}

function exactness(socket: Socket, packet: Packet): number {
  const isExact = socket.address !== undefined && socket.address === packet.ip.destination;
  return (isExact ? 2 : 0) + (socket.device === undefined ? 0 : 1);
}
