import { type Address, addressToBits } from '../net/address.ts';
import { asRecord, asText } from '../parse/nft-node.ts';
import { ABSENT, type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import { networkBytes } from './nftables-header.ts';
import type { NftScope } from './nftables-state.ts';
import { pathMtu } from './path-mtu.ts';

/** TCP_MSS_DEFAULT of include/linux/tcp.h, where the MTU leaves no room. */
const MSS_DEFAULT = 536;
const TCP_BYTES = 20;

/** `rt` (nft(8) "Routing expression", net/netfilter/nft_rt.c): of the packet's route, which it has after prerouting. */
export function evaluateRt(body: unknown, scope: NftScope, what: string): NftDatum {
  const { input } = scope;
  if (input.hook === 'prerouting' || input.hook === 'ingress') return ABSENT;
  const rt = asRecord(body) ?? {};
  const family = asText(rt.family);
  switch (rt.key) {
    case 'nexthop': {
      if (family !== undefined && family !== (input.family === 4 ? 'ip' : 'ip6')) return ABSENT;
      const hop = input.route?.hop;
      if (!input.route) return notKnown(what);
      return addressDatum(hop?.via ?? scope.state.packet.ip.destination);
    }
    case 'mtu':
      return mssDatum(scope, what);
    default:
      return notKnown(what);
  }
}

function addressDatum(address: Address): NftDatum {
  return numberOf(address.includes(':') ? 'ipv6_addr' : 'ipv4_addr', addressToBits(address));
}

/** The MSS that fits the way there and the way back (get_tcpmss). */
function mssDatum({ input, state }: NftScope, what: string): NftDatum {
  const mtu = pathMtu({ ...input, packet: state.packet, meta: state.meta });
  if (mtu === undefined) return notKnown(what);
  const headers = networkBytes(state.packet) + TCP_BYTES;
  return numberOf('integer', mtu <= headers || mtu > 0xffff ? MSS_DEFAULT : mtu - headers);
}
