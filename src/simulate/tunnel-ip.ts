import { type Address, familyOf } from '../net/address.ts';
import type { Packet, TunnelHeader } from '../net/packet.ts';
import type { Link } from '../parse/ip-link.ts';
import type { IpTunnelInfo } from '../parse/ip-link-tunnel.ts';
import { type Cursor, type Move, prefixed, stop, unknownEnd, type Walk } from './cursor.ts';
import { largestBytes } from './fragments.ts';
import { dropped, type OuterPlan, outerTos, sentOuter, underlayMtu } from './tunnel-outer.ts';
import { tunnelStep } from './tunnel-step.ts';
import { withError } from './with-error.ts';

const OUTER_BYTES = { 4: 20, 6: 40 } as const;
const ETHERNET_BYTES = 14;
const ENCAPSULATION_LIMIT_BYTES = 8;
const IPV6_MIN_MTU = 1280;

/**
 * IP in IP, GRE and their like (ip_tunnel_xmit, ipip6_tunnel_xmit, ip6_tnl_xmit). The outer packet is routed by the
 * device's own mark, and bears the inner packet's. Unless told otherwise it may not be fragmented, so that a packet too
 * long is answered here.
 */
export function intoIpTunnel(walk: Walk, cursor: Cursor, link: Link): Move {
  const info = link.ipTunnel;
  if (!info) return stop(unknownEnd(cursor, `${link.name} was not seen as a tunnel`));
  if (info.external) return stop(unknownEnd(cursor, `${link.name} takes its remote from metadata: not modelled`));
  if (info.wrapped) return stop(unknownEnd(cursor, `${link.name} wraps its packets in UDP (FOU, GUE): not modelled`));
  const protocol = protocolOf(link, info, cursor.packet);
  if (protocol === undefined) {
    const text = `${link.name} does not carry IPv${familyOf(cursor.packet.ip.destination)}: dropped`;
    return dropped(walk, cursor, link, { reason: 'protocol', text });
  }
  const remote = info.remote ?? nextHop(link, cursor);
  if (remote === undefined) {
    return stop(unknownEnd(cursor, `${link.name} has no remote of its own, and how it finds one is not modelled`));
  }
  const plan: OuterPlan = {
    ...sizes(link, info, cursor.packet),
    local: info.local,
    remote,
    l4: { protocol },
    header: headerOf(link, info),
    device: info.lower,
    routeMark: info.mark,
    telling: {
      remote,
      key: info.outputKey,
      mac: link.type === 'ether' ? cursor.packet.macs?.destination : undefined,
      text: `${link.name}: into ${link.kind} to ${remote}`,
    },
  };
  return tooBig(walk, cursor, link, plan) ?? sentOuter(walk, cursor, link, plan);
}

const IPIP = 4;
const IPV6 = 41;
const GRE = 47;

/** The outer packet's protocol; undefined where the device does not take such packets. */
function protocolOf(link: Link, { protocol }: IpTunnelInfo, inner: Packet): number | undefined {
  const isIpv6 = familyOf(inner.ip.destination) === 6;
  switch (link.kind) {
    case 'gre':
    case 'gretap':
      return GRE;
    case 'ipip':
      return isIpv6 || (protocol !== undefined && protocol !== 'ipip') ? undefined : IPIP;
    case 'sit':
      if (isIpv6) return protocol === undefined || protocol === 'ip6ip' ? IPV6 : undefined;
      return protocol === undefined || protocol === 'ipip' ? IPIP : undefined;
    default:
      if (isIpv6) return protocol === 'ipip6' || protocol === 'ip4ip6' ? undefined : IPV6;
      return protocol === 'ip6ip6' ? undefined : IPIP;
  }
}

/** Many remotes by one device: an IPIP device takes the route's next hop for the remote. */
function nextHop(link: Link, cursor: Cursor): Address | undefined {
  if (link.kind !== 'ipip') return undefined;
  const via = cursor.path.route?.hop?.via ?? cursor.packet.ip.destination;
  return familyOf(via) === 4 ? via : undefined;
}

function headerOf(link: Link, { outputKey }: IpTunnelInfo): TunnelHeader {
  const { kind } = link;
  if (kind === 'gre' || kind === 'gretap') return { kind, ...(outputKey !== undefined && { key: outputKey }) };
  return { kind: kind === 'ipip' || kind === 'sit' ? kind : 'ip6tnl' };
}

function sizes(link: Link, info: IpTunnelInfo, inner: Packet): Pick<OuterPlan, 'ttl' | 'tos' | 'df' | 'overheadBytes'> {
  const isOverIpv6 = link.kind === 'ip6tnl';
  const isGre = link.kind === 'gre' || link.kind === 'gretap';
  const options = [info.outputKey !== undefined, info.outputChecksum, info.outputSequence].filter(Boolean).length;
  const overheadBytes =
    OUTER_BYTES[isOverIpv6 ? 6 : 4] +
    (isGre ? 4 + 4 * options : 0) +
    (link.kind === 'gretap' ? ETHERNET_BYTES : 0) +
    (isOverIpv6 && info.encapsulationLimit ? ENCAPSULATION_LIMIT_BYTES : 0);
  const isInnerFixed = familyOf(inner.ip.destination) === 4 && inner.ip.df && !info.ignoreDf;
  return {
    ttl: info.ttl ?? inner.ip.ttl,
    tos: outerTos(info.tos, inner),
    df: !isOverIpv6 && (info.pmtuDiscovery || isInnerFixed),
    overheadBytes,
  };
}

/** tnl_update_pmtu: what does not fit the way below is answered to the inner sender. */
function tooBig(walk: Walk, cursor: Cursor, link: Link, plan: OuterPlan): Move | undefined {
  const { packet } = cursor;
  const below = plan.df || link.kind === 'ip6tnl' ? underlayMtu(walk, cursor, link, plan) : undefined;
  const mtu = below === undefined ? link.mtu : below - plan.overheadBytes;
  if (largestBytes(packet) <= mtu) return undefined;
  const isIpv6 = familyOf(packet.ip.destination) === 6;
  if (isIpv6 ? mtu < IPV6_MIN_MTU : !packet.ip.df) return undefined;
  const text = `${packet.lengthBytes} bytes do not fit into ${mtu} bytes of the tunnel ${link.name}`;
  const step = tunnelStep(walk, cursor, link, { ...plan.telling, act: 'drop', reason: 'too-big', text });
  return prefixed([step], stop(withError(cursor, 'packet-too-big', 'too-big')));
}
