import { isComplete } from '../snapshot/snapshot.ts';
import type { HookVerdict } from './hook.ts';
import type { NftScope } from './nftables-state.ts';
import type { Truth } from './trace.ts';

/**
 * Is there a socket that TPROXY can hand the packet to (net/ipv4/netfilter/nf_tproxy_ipv4.c)? Whether a socket is
 * transparent is not listed, so with a listener it stays open; with none in a complete list it is a no.
 */
export function transparentSocket(target: HookVerdict & { readonly kind: 'tproxy' }, scope: NftScope): Truth {
  const sockets = scope.input.snapshot.fact('sockets', scope.input.place);
  if (!isComplete(sockets)) return 'unknown';
  const { l4, ip } = scope.state.packet;
  const own = 'destinationPort' in l4 ? l4.destinationPort : undefined;
  const port = target.port ?? own;
  const found = sockets.value.some((socket) => {
    if (socket.protocol !== l4.protocol || socket.port !== port) return false;
    const any = socket.address === undefined || socket.address === '0.0.0.0' || socket.address === '::';
    return (
      any || target.address === undefined || socket.address === target.address || socket.address === ip.destination
    );
  });
  return found ? 'unknown' : 'no';
}
