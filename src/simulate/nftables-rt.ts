import { type Address, addressToBits } from '../net/address.ts';
import { asRecord, asText } from '../parse/nft-node.ts';
import { linkNamed } from './hook-input.ts';
import { ABSENT, type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import { networkBytes } from './nftables-header.ts';
import { type NftScope, protocolOf } from './nftables-state.ts';
import { lookupRoute, type RouteFound } from './routes.ts';

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
function mssDatum(scope: NftScope, what: string): NftDatum {
  const { input, state } = scope;
  const there = input.route ? mtuOf(input.route, scope) : undefined;
  const back = backMtu(scope);
  if (there === undefined || back === undefined) return notKnown(what);
  const mtu = back === 'none' ? there : Math.min(there, back);
  const headers = networkBytes(state.packet) + TCP_BYTES;
  return numberOf('integer', mtu <= headers || mtu > 0xffff ? MSS_DEFAULT : mtu - headers);
}

function backMtu(scope: NftScope): number | 'none' | undefined {
  const { input, state } = scope;
  const { ip, l4 } = state.packet;
  const key = { destination: ip.source, tos: 0, mark: 0, l4: { protocol: protocolOf(l4) } };
  const lookup = lookupRoute(input.snapshot, input.place, key);
  if (lookup.state === 'unseen' || lookup.cut !== undefined) return undefined;
  const mtus = new Set(lookup.ways.map((way) => (way.doubt === undefined ? mtuOf(way.found, scope) : undefined)));
  if (lookup.ways.every((way) => !way.found.route)) return 'none';
  return mtus.size === 1 ? [...mtus][0] : undefined;
}

/** The route's own MTU, else its device's (ip_dst_mtu_maybe_forward without what was learnt on the path). */
function mtuOf(found: RouteFound, { input }: NftScope): number | undefined {
  if (found.route?.mtu !== undefined) return found.route.mtu;
  const device = found.type === 'local' ? 'lo' : found.hop?.device;
  return linkNamed(input.snapshot, input.place, device)?.mtu;
}
