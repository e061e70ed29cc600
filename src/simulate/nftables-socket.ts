import { asRecord } from '../parse/nft-node.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { ABSENT, type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import type { NftScope } from './nftables-state.ts';
import { findListener } from './sockets.ts';

/**
 * `socket` (nft(8) "Socket expression", net/netfilter/nft_socket.c): of the socket that the packet would be given to. Only
 * a first TCP packet certainly belongs to none but a listener; whether that one is transparent, its mark and its cgroup are
 * not listed.
 */
export function evaluateSocket(body: unknown, scope: NftScope, what: string): NftDatum {
  const { input, state } = scope;
  const { l4 } = state.packet;
  if (l4.protocol !== 'tcp' && l4.protocol !== 'udp') return 'about' in l4 && l4.about ? notKnown(what) : ABSENT;
  const sockets = input.snapshot.fact('sockets', input.place);
  const isFirst =
    l4.protocol === 'tcp' && l4.flags !== undefined && l4.flags.includes('syn') && !l4.flags.includes('ack');
  if (input.hook === 'output' || !isFirst || !isComplete(sockets)) return notKnown(what);
  const match = findListener(sockets.value, state.packet, input.input);
  if (match.found === 'none') return ABSENT;
  if (!match.isSure || asRecord(body)?.key !== 'wildcard') return notKnown(what);
  const { address } = match.socket;
  return numberOf('integer', address === undefined || address === '0.0.0.0' || address === '::' ? 1 : 0);
}
