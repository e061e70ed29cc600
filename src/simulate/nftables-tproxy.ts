import { familyOf } from '../net/address.ts';
import { asNumber, asRecord, asText } from '../parse/nft-node.ts';
import { renderNftStatement } from '../parse/nft-rule-text.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { HookVerdict } from './hook.ts';
import { BREAK, fromTest, type NftBranch, one } from './nftables-branch.ts';
import { testOf } from './nftables-match.ts';
import type { NftScope } from './nftables-state.ts';
import type { Truth } from './trace.ts';

/**
 * Is there a socket that TPROXY can hand the packet to (net/ipv4/netfilter/nf_tproxy_ipv4.c)? Whether a socket is
 * transparent is not listed, so with a listener it stays open; with none in a complete list it is a no.
 */
function transparentSocket(target: HookVerdict & { readonly kind: 'tproxy' }, scope: NftScope): Truth {
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

/**
 * `tproxy` takes the packet only if a transparent socket is there for it, otherwise the rule is left. An accept that
 * follows, in this or a later rule, is then what hands it over.
 */
export function runTproxy(body: unknown, scope: NftScope): readonly NftBranch[] {
  const { state, input } = scope;
  const tproxy = asRecord(body) ?? {};
  const address = asText(tproxy.addr);
  const port = asNumber(tproxy.port);
  const family = tproxy.family ?? (address === undefined ? undefined : familyOf(address) === 4 ? 'ip' : 'ip6');
  const { protocol } = state.packet.l4;
  const foreign = family !== undefined && family !== (input.family === 4 ? 'ip' : 'ip6');
  if (foreign || (protocol !== 'tcp' && protocol !== 'udp')) return [one(BREAK, state)];
  const verdict = { kind: 'tproxy' as const, ...(address ? { address } : {}), ...(port === undefined ? {} : { port }) };
  const test = testOf(transparentSocket(verdict, scope), [renderNftStatement({ tproxy: body })]);
  return fromTest(test, state).map((way) =>
    way.turn.kind === 'next' ? { ...way, state: { ...state, tproxy: verdict } } : way,
  );
}
