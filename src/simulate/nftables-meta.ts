import { asRecord, asText } from '../parse/nft-node.ts';
import { ABSENT, type NftDatum, nameOf, notKnown, numberOf } from './nftables-datum.ts';
import { type NftScope, protocolOf } from './nftables-state.ts';

/** `meta` (nft(8) "Meta expressions", net/netfilter/nft_meta.c). */
export function evaluateMeta(body: unknown, scope: NftScope, what: string): NftDatum {
  const { input, state } = scope;
  const key = asText(asRecord(body)?.key ?? body);
  switch (key) {
    case 'mark':
      return state.doubtfulMarks.includes('mark') ? notKnown(what) : numberOf('mark', state.meta.mark);
    case 'iif':
    case 'iifname':
      return nameOf(input.input ?? '');
    case 'oif':
    case 'oifname':
      return nameOf(input.output ?? '');
    case 'l4proto':
      return numberOf('inet_proto', protocolOf(state.packet.l4));
    case 'nfproto':
      return numberOf('nf_proto', input.family === 4 ? 2 : 10);
    case 'protocol':
      return numberOf('ether_type', input.family === 4 ? 0x0800 : 0x86dd);
    case 'length':
      return numberOf('integer', state.packet.lengthBytes);
    case 'pkttype':
      return packetType(scope, what);
    case 'skuid':
    case 'skgid':
      // A packet that is forwarded belongs to no socket of this namespace.
      return input.hook === 'forward' ? ABSENT : notKnown(what);
    default:
      return notKnown(what);
  }
}

function packetType(scope: NftScope, what: string): NftDatum {
  const { input, state } = scope;
  if (input.input === undefined) return numberOf('pkt_type', 0);
  switch (input.addressType(state.packet.ip.destination)) {
    case 'unicast':
    case 'local':
    case 'anycast':
      return numberOf('pkt_type', 0);
    case 'broadcast':
      return numberOf('pkt_type', 1);
    case 'multicast':
      return numberOf('pkt_type', 2);
    default:
      return notKnown(what);
  }
}
