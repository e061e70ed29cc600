import { familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';

const ICMP_ERRORS_4 = new Set([3, 4, 5, 11, 12]);
/** NR_ICMP_TYPES: what is above is taken for an error. */
const KNOWN_TYPES_4 = 18;
const TOO_BIG_6 = 2;
const HOPS = 64;
const ECN = 3;

/** An answer to `packet` turned round, from the address it was sent to. */
function turned(packet: Packet, l4: Packet['l4'], lengthBytes: number, tos: number): Packet {
  const { ip } = packet;
  return {
    ip: { source: ip.destination, destination: ip.source, ttl: HOPS, tos, df: false },
    l4,
    lengthBytes,
  };
}

/**
 * The ICMP error about a packet; undefined where RFC 1122 §3.2.2 or RFC 4443 §2.4(e) allow none. Its source is put by
 * the one who sends it: here the packet's own destination stands for it.
 */
export function icmpError(packet: Packet, type: number, code: number): Packet | undefined {
  const family = familyOf(packet.ip.source);
  if (isIcmpError(packet) || !mayBeTold(packet, family, type)) return undefined;
  const { macs: _macs, inner: _inner, series, ...about } = packet;
  const protocol = family === 4 ? 'icmp' : 'icmpv6';
  const longest = family === 4 ? 576 : 1280;
  const header = family === 4 ? 20 : 40;
  const quoting = (bytes: number): number => Math.min(longest, header + 8 + bytes);
  const tos = family === 4 ? errorTos(packet.ip.tos) : 0;
  const error = turned(packet, { protocol, type, code, about }, quoting(packet.lengthBytes), tos);
  // Each of the packets that it stands for has an error of its own.
  return series ? { ...error, series: { count: series.count, lastBytes: quoting(series.lastBytes) } } : error;
}

/**
 * Nobody is told of what came from nobody or from a group, or was sent to a group (but for a size, in IPv6), and in IPv4
 * only of a first fragment.
 */
function mayBeTold({ ip }: Packet, family: 4 | 6, type: number): boolean {
  if (family === 4) {
    const isFirst = (ip.fragmentOffset ?? 0) === 0;
    return isFirst && ip.source !== '0.0.0.0' && !isToMany4(ip.source) && !isToMany4(ip.destination);
  }
  if (ip.source === '::' || ip.source.startsWith('ff')) return false;
  return type === TOO_BIG_6 || !ip.destination.startsWith('ff');
}

function isToMany4(address: string): boolean {
  const first = Number(address.slice(0, address.indexOf('.')));
  return (first >= 224 && first < 240) || address === '255.255.255.255';
}

/** Internetwork control, with the TOS bits of the packet (__icmp_send in net/ipv4/icmp.c; IPTOS_RT_MASK); IPv6 sends 0. */
function errorTos(tos: number): number {
  return (tos & 0x1e) | 0xc0;
}

export function isIcmpError({ l4 }: Packet): boolean {
  if (!('type' in l4)) return false;
  if (l4.protocol === 'icmp') return ICMP_ERRORS_4.has(l4.type) || l4.type > KNOWN_TYPES_4;
  return l4.type < 128;
}

/**
 * RST to a TCP packet that is none itself (RFC 9293 §3.5.2). TCP copies the TOS (tcp_v4_send_reset), REJECT does not
 * (nf_reject_iphdr_put).
 */
export function tcpReset(packet: Packet, by: 'tcp' | 'reject' = 'tcp'): Packet | undefined {
  const { l4 } = packet;
  if (l4.protocol !== 'tcp' || !('sourcePort' in l4) || l4.flags?.includes('rst')) return undefined;
  const reset = { protocol: 'tcp', sourcePort: l4.destinationPort, destinationPort: l4.sourcePort } as const;
  return turned(
    packet,
    { ...reset, flags: l4.flags?.includes('ack') ? ['rst'] : ['rst', 'ack'] },
    familyOf(packet.ip.source) === 4 ? 40 : 60,
    by === 'tcp' ? packet.ip.tos & ~ECN : 0,
  );
}

/** What the sender is told, by the type and code of ICMP or ICMPv6 for the same thing. */
export function unreachableCode(
  packet: Packet,
  what: 'network' | 'host' | 'port' | 'prohibited' | 'too-big' | 'ttl' | 'scope',
): readonly [type: number, code: number] {
  const four = {
    network: [3, 0],
    host: [3, 1],
    port: [3, 3],
    prohibited: [3, 13],
    'too-big': [3, 4],
    ttl: [11, 0],
    scope: [3, 1],
  };
  const six = {
    network: [1, 0],
    host: [1, 3],
    port: [1, 4],
    prohibited: [1, 1],
    'too-big': [2, 0],
    ttl: [3, 0],
    scope: [1, 2],
  };
  return (familyOf(packet.ip.source) === 4 ? four : six)[what] as unknown as readonly [number, number];
}
