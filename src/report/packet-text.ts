import { familyOf } from '../net/address.ts';
import type { Packet, Port } from '../net/packet.ts';

/** Names of IP protocols that the walk meets by number (RFC 5237, IANA). */
const PROTOCOLS: Readonly<Record<number, string>> = {
  2: 'igmp',
  4: 'ipip',
  41: 'ipv6',
  47: 'gre',
  50: 'esp',
  89: 'ospf',
};

/** `tcp 10.244.0.4:* → 10.96.7.242:80 SYN`; a port that the sender's kernel will choose is `*`. */
export function flowText(packet: Packet): string {
  const { ip, l4 } = packet;
  if ('sourcePort' in l4) {
    const flags = l4.flags && l4.flags.length > 0 ? ` ${l4.flags.join('/').toUpperCase()}` : '';
    return `${l4.protocol} ${endOf(ip.source, l4.sourcePort)} → ${endOf(ip.destination, l4.destinationPort)}${flags}`;
  }
  if ('type' in l4) return `${l4.protocol} ${l4.type}/${l4.code} ${ip.source} → ${ip.destination}`;
  return `${PROTOCOLS[l4.protocol] ?? `protocol ${l4.protocol}`} ${ip.source} → ${ip.destination}`;
}

function endOf(address: string, port: Port): string {
  const text = port === 'ephemeral' ? '*' : String(port);
  return familyOf(address) === 6 ? `[${address}]:${text}` : `${address}:${text}`;
}

/** The packet as it enters a hop; where it differs from how it entered the one before, both values: `ttl 64 → 63`. */
export function packetText(packet: Packet, before?: Packet): string {
  const fields = fieldsOf(packet);
  const former = before === undefined || hasOtherShape(before, packet) ? {} : fieldsOf(before);
  const parts = Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const was = former[name];
    return [was === undefined || was === value ? named(name, value) : `${named(name, was)} → ${value}`];
  });
  const inside = packet.inner ? [`around ${flowText(packet.inner)}`] : [];
  return [flowText(packet), ...parts, ...inside].join(', ');
}

/** An outer packet and the one that it carries are two packets. */
function hasOtherShape(a: Packet, b: Packet): boolean {
  return (a.inner === undefined) !== (b.inner === undefined);
}

function named(name: string, value: string): string {
  if (name === 'bytes') return `${value} bytes`;
  return name === '' ? value : `${name} ${value}`;
}

/** Of a tunnel's header what tells one from another of its kind. */
function tunnelText(tunnel: NonNullable<Packet['tunnel']>): string {
  const fields: Readonly<Record<string, unknown>> = { ...tunnel };
  if (fields['vni'] !== undefined) return String(fields['vni']);
  return fields['key'] === undefined ? 'tunnel' : `key ${String(fields['key'])}`;
}

function fieldsOf({
  ip,
  l4,
  lengthBytes,
  tunnel,
  fragmentBytes,
  series,
}: Packet): Readonly<Record<string, string | undefined>> {
  return {
    ttl: String(ip.ttl),
    mss: 'mss' in l4 && l4.mss !== undefined ? String(l4.mss) : undefined,
    tos: ip.tos === 0 ? undefined : `0x${ip.tos.toString(16)}`,
    'fragment at': ip.fragmentOffset === undefined || ip.fragmentOffset === 0 ? undefined : String(ip.fragmentOffset),
    bytes: String(lengthBytes),
    fragments: fragmentBytes === undefined ? undefined : `of ${fragmentBytes}`,
    packets: series && String(series.count),
    '': ip.df ? 'DF' : undefined,
    ...(tunnel === undefined ? {} : { [tunnel.kind]: tunnelText(tunnel) }),
  };
}
