import { asRecord, asText } from '../parse/nft-node.ts';
import { ABSENT, type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import type { NftScope } from './nftables-state.ts';
import type { Truth } from './trace.ts';
import { truth } from './truth.ts';

/*
 * Options and extension headers (net/netfilter/nft_exthdr.c). The walk's packets carry no IP options, of IPv6's extension
 * headers the fragment header alone, and of TCP's options it knows the MSS.
 */

/** Whether the packet carries it (`exists`, `missing`); 'absent': the expression itself leaves the rule. */
export function headerPresence(kind: string, body: unknown, scope: NftScope): Truth | 'absent' {
  const { input, state } = scope;
  const { packet } = state;
  const name = asText(asRecord(body)?.name);
  switch (kind) {
    case 'exthdr':
      if (input.family !== 6) return 'absent';
      return truth(name === 'frag' && packet.ip.fragmentOffset !== undefined);
    case 'ip option':
      return input.family === 4 ? 'no' : 'absent';
    case 'tcp option':
      return tcpOption(name, scope);
    case 'sctp chunk':
      return packet.l4.protocol === 'sctp' ? 'unknown' : 'no';
    case 'dccp option':
      return packet.l4.protocol === 33 ? 'unknown' : 'no';
    default:
      return 'unknown';
  }
}

/** nft adds no condition on the protocol: what is no TCP lacks the option. */
function tcpOption(name: string | undefined, { state }: NftScope): Truth {
  const { l4, ip } = state.packet;
  if (l4.protocol !== 'tcp' || (ip.fragmentOffset ?? 0) > 0) return 'no';
  const isSyn = l4.flags === undefined ? undefined : l4.flags.includes('syn');
  if (name === 'maxseg' && l4.mss !== undefined) return 'yes';
  // Only a SYN bears these (RFC 9293 §3.7.1, RFC 7323, RFC 2018).
  const ofSyn = name === 'maxseg' || name === 'window' || name === 'sack-permitted' || name === 'sack-perm';
  return ofSyn && isSyn === false ? 'no' : 'unknown';
}

/** A field of it. What the packet has not leaves the rule. */
export function headerField(kind: string, body: unknown, scope: NftScope, what: string): NftDatum {
  const found = headerPresence(kind, body, scope);
  if (found === 'no' || found === 'absent') return ABSENT;
  const { l4, ip } = scope.state.packet;
  const { name, field } = asRecord(body) ?? {};
  if (kind === 'tcp option' && name === 'maxseg' && field === 'size' && l4.protocol === 'tcp' && l4.mss !== undefined) {
    return numberOf('integer', l4.mss);
  }
  if (kind === 'exthdr' && name === 'frag' && field === 'frag-off' && ip.fragmentOffset === 0) {
    return numberOf('integer', 0);
  }
  return notKnown(what);
}
