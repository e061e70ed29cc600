import { type Address, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Socket } from '../parse/ss.ts';
import type { Truth } from './trace.ts';

export type SocketMatch =
  /** Not sure: whether that socket, and any other that fits, takes packets of this family or VRF was not seen. */
  | {
      readonly found: 'listener';
      readonly socket: Socket;
      readonly isSure: boolean;
      /** More connections wait for accept(2) than it allows: one more SYN is dropped. */
      readonly isFull: Truth;
    }
  | {
      readonly found: 'none';
      /** Why the nearest one does not serve: nothing on the port, or bound elsewhere. */
      readonly reason: SocketRefusal | 'none';
      readonly nearest?: Socket;
    };

export type SocketRefusal = 'other-address' | 'other-device' | 'v6only';

/** The VRF that the input device belongs to: its sockets are meant, and unbound ones only if the sysctl lets them. */
export interface SocketVrf {
  readonly name: string;
  /** net.ipv4.tcp_l3mdev_accept, udp_l3mdev_accept: unbound sockets serve every VRF. */
  readonly isOpen: Truth;
}

/**
 * The bound socket that a packet to this namespace finds: one bound to the very address before one of any, then the most
 * exact (compute_score in net/ipv4/inet_hashtables.c, inet6_hashtables.c, udp.c). Of several that share a port
 * (SO_REUSEPORT) one stands for all, but that each has a queue of its own.
 */
export function findListener(
  sockets: readonly Socket[],
  packet: Packet,
  input: string | undefined,
  vrf?: SocketVrf,
): SocketMatch {
  const { l4 } = packet;
  if (!('destinationPort' in l4)) return { found: 'none', reason: 'none' };
  const { destination } = packet.ip;
  const onPort = sockets.filter((socket) => {
    return socket.protocol === l4.protocol && socket.port === l4.destinationPort && isOpen(socket);
  });
  const fitting = onPort.filter((socket) => refusal(socket, destination, input, vrf) === undefined);
  const sorted =
    fitting.length < 2 ? fitting : fitting.toSorted((a, b) => exactness(b, destination) - exactness(a, destination));
  const [best] = sorted;
  const isSure = fitting.some((socket) => !isDoubtful(socket, destination, vrf));
  if (best) {
    const equals =
      sorted.length === 1
        ? sorted
        : sorted.filter((socket) => exactness(socket, destination) === exactness(best, destination));
    return { found: 'listener', socket: best, isSure, isFull: areFull(equals) };
  }
  const nearest = onPort[0];
  if (!nearest) return { found: 'none', reason: 'none' };
  return { found: 'none', reason: refusal(nearest, destination, input, vrf)!, nearest };
}

/** Which of them a packet finds is a hash's choice. */
function areFull(sockets: readonly Socket[]): Truth {
  if (sockets.length === 1) return isFull(sockets[0]!);
  const truths = new Set(sockets.map(isFull));
  const [only] = truths;
  return truths.size === 1 ? only! : 'unknown';
}

/** sk_acceptq_is_full in include/net/sock.h; by it tcp_conn_request drops a SYN, and with SYN cookies as well. */
function isFull({ protocol, receiveQueue, sendQueue }: Socket): Truth {
  if (protocol !== 'tcp' || receiveQueue === 0) return 'no';
  if (sendQueue === undefined) return 'unknown';
  return receiveQueue > sendQueue ? 'yes' : 'no';
}

function isDoubtful(socket: Socket, destination: Address, vrf: SocketVrf | undefined): boolean {
  if (socket.device === undefined && vrf?.isOpen === 'unknown') return true;
  return socket.mayBeV6only === true && familyOf(destination) === 4;
}

function isOpen(socket: Socket): boolean {
  return socket.protocol === 'udp' ? socket.state === 'UNCONN' : socket.state === 'LISTEN';
}

function refusal(
  socket: Socket,
  destination: Address,
  input: string | undefined,
  vrf: SocketVrf | undefined,
): SocketRefusal | undefined {
  if (!servesDevice(socket, input, vrf)) return 'other-device';
  const isV6 = familyOf(destination) === 6;
  if (socket.address === undefined || socket.address === '::') {
    if (isV6) return undefined;
    // A socket of `::` alone serves IPv4 too, unless it is IPV6_V6ONLY; `*` says that it is not.
    const onlyV6 = socket.v6only ?? socket.address === '::';
    return onlyV6 ? 'v6only' : undefined;
  }
  if (socket.address === '0.0.0.0') return isV6 ? 'other-address' : undefined;
  return isBoundTo(socket, destination) ? undefined : 'other-address';
}

/** SO_BINDTODEVICE names the device or its VRF (inet_bound_dev_eq). */
function servesDevice(socket: Socket, input: string | undefined, vrf: SocketVrf | undefined): boolean {
  if (socket.device === undefined) return vrf?.isOpen !== 'no';
  return socket.device === input || socket.device === vrf?.name;
}

function isBoundTo(socket: Socket, destination: Address): boolean {
  return socket.address === destination || socket.address === `::ffff:${destination}`;
}

/** A socket of IPv4 goes before one of IPv6 that serves IPv4 as well, one that is bound to the device before both. */
function exactness(socket: Socket, destination: Address): number {
  const isV4 = socket.address !== undefined && familyOf(socket.address) === 4;
  const byDevice = socket.protocol === 'udp' ? 4 : 1;
  return (isBoundTo(socket, destination) ? 16 : 0) + (socket.device === undefined ? 0 : byDevice) + (isV4 ? 1 : 0);
}
