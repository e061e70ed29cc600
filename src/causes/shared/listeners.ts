import type { DeadEnd } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { Socket } from '../../parse/ss.ts';

/** Port and protocol at which a packet found no socket. */
export function askedPort(end: DeadEnd): { readonly protocol: string; readonly port: number } | undefined {
  const { l4 } = end.leaf.end.packet;
  if (!('destinationPort' in l4) || typeof l4.destinationPort !== 'number') return undefined;
  return { protocol: l4.protocol, port: l4.destinationPort };
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

/** Sockets that listen on this port and protocol, at whatever address. */
export function socketsOn(
  sockets: readonly Socket[],
  asked: { readonly protocol: string; readonly port: number },
): Socket[] {
  return sockets.filter(
    (socket) =>
      socket.protocol === asked.protocol &&
      socket.port === asked.port &&
      (socket.state === 'LISTEN' || socket.state === 'UNCONN'),
  );
}

/** Sockets of this protocol that somebody beyond the loopback can reach. */
export function reachableSockets(sockets: readonly Socket[], protocol: string): Socket[] {
  return sockets.filter(
    (socket) =>
      socket.protocol === protocol &&
      (socket.state === 'LISTEN' || socket.state === 'UNCONN') &&
      (socket.address === undefined || !isLoopback(socket.address)),
  );
}

export function processText(socket: Socket): string {
  const names = [...new Set(socket.processes.map((process) => process.name))];
  return names.length > 0 ? ` (${names.join(', ')})` : '';
}

export function placeWords(place: Place): string {
  return place.namespace === 'host' ? `node ${place.node}` : place.namespace;
}
