import type { Packet } from '../net/packet.ts';
import type { Link } from '../parse/ip-link.ts';

export type IpTunnelMatch =
  | { readonly state: 'found'; readonly link: Link; readonly isFallback: boolean }
  | { readonly state: 'none' }
  | { readonly state: 'unknown'; readonly because: string };

/** Made by the modules themselves; they take what no tunnel of the user's does. */
const FALLBACKS: ReadonlySet<string> = new Set(['tunl0', 'gre0', 'gretap0', 'sit0', 'ip6tnl0']);

/**
 * The tunnel that a packet belongs to (ip_tunnel_lookup, ipip6_tunnel_lookup, ip6_tnl_lookup): first both ends fit, then the
 * remote one, then the local one, then none is named; with GRE the key must fit as well. Last comes the fallback device.
 */
export function ipTunnelFor(devices: readonly Link[], packet: Packet): IpTunnelMatch {
  const { source, destination } = packet.ip;
  const usable = devices.filter((link) => !FALLBACKS.has(link.name) && link.ipTunnel && fitsKey(link, packet));
  const tests = [
    (link: Link) => link.ipTunnel!.remote === source && link.ipTunnel!.local === destination,
    (link: Link) => link.ipTunnel!.remote === source && link.ipTunnel!.local === undefined,
    (link: Link) => link.ipTunnel!.remote === undefined && link.ipTunnel!.local === destination,
    (link: Link) => link.ipTunnel!.remote === undefined && link.ipTunnel!.local === undefined,
  ];
  for (const test of tests) {
    const link = usable.find((one) => !one.ipTunnel!.external && test(one));
    if (link) return checked(link, packet);
  }
  const external = usable.find((one) => one.ipTunnel!.external);
  if (external) return { state: 'found', link: external, isFallback: false };
  const fallback = devices.find((link) => FALLBACKS.has(link.name));
  return fallback ? { state: 'found', link: fallback, isFallback: true } : { state: 'none' };
}

/** ip_tunnel_key_match: with a key only packets of that key, without one only packets without. */
function fitsKey(link: Link, { tunnel }: Packet): boolean {
  if (link.kind !== 'gre' && link.kind !== 'gretap') return true;
  const key = tunnel && 'key' in tunnel ? tunnel.key : undefined;
  return link.ipTunnel!.inputKey === key;
}

function checked(link: Link, packet: Packet): IpTunnelMatch {
  const info = link.ipTunnel!;
  if (info.inputSequence || info.inputChecksum) {
    const because = `${link.name} wants sequence numbers or checksums, which the other end may not send: not modelled`;
    return { state: 'unknown', because };
  }
  const isIpv6 = packet.inner!.ip.destination.includes(':');
  const refuses = isIpv6
    ? info.protocol === 'ipip' || info.protocol === 'ipip6' || info.protocol === 'ip4ip6'
    : info.protocol === 'ip6ip' || info.protocol === 'ip6ip6';
  return refuses ? { state: 'none' } : { state: 'found', link, isFallback: false };
}
