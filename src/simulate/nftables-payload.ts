import { addressToBits } from '../net/address.ts';
import type { L4, Packet, Port } from '../net/packet.ts';
import { asNumber, asRecord, asText } from '../parse/nft-node.ts';
import { ABSENT, type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import { type NftScope, protocolOf } from './nftables-state.ts';
import { PROTOCOLS, TCP_FLAGS } from './nftables-symbols.ts';

/** Linux never picks a port below this by itself (ip_unprivileged_port_start's default bounds ip_local_port_range). */
const EPHEMERAL_FROM = 1024n;
const EPHEMERAL_TO = 65535n;

/**
 * `payload` (nft(8) "Payload expressions"). nft leaves out the dependency that a field implies (`tcp dport` is only met in
 * TCP, `ip saddr` only in IPv4), so it is checked here; a packet without the field leaves the rule (net/netfilter/nft_payload.c).
 */
export function evaluatePayload(body: unknown, scope: NftScope, what: string): NftDatum {
  const payload = asRecord(body) ?? {};
  if (payload.tunnel !== undefined) return notKnown(what);
  if (payload.base !== undefined) return rawField(payload, scope, what);
  const { packet } = scope.state;
  const field = asText(payload.field) ?? '';
  switch (payload.protocol) {
    case 'ip':
      return scope.input.family === 4 ? ipv4Field(field, packet, what) : ABSENT;
    case 'ip6':
      return scope.input.family === 6 ? ipv6Field(field, packet, what) : ABSENT;
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'udplite':
    case 'dccp':
    case 'icmp':
    case 'icmpv6':
    case 'igmp':
    case 'esp':
    case 'ah':
    case 'comp':
      return transportField(payload.protocol, field, packet, what);
    case 'th':
      return isLaterFragment(packet) ? ABSENT : portField(field, packet.l4, what);
    case 'ether':
      return etherField(field, scope, what);
    case 'arp':
      return ABSENT;
    default:
      return notKnown(what);
  }
}

function ipv4Field(field: string, packet: Packet, what: string): NftDatum {
  const { ip } = packet;
  switch (field) {
    case 'saddr':
      return numberOf('ipv4_addr', addressToBits(ip.source));
    case 'daddr':
      return numberOf('ipv4_addr', addressToBits(ip.destination));
    case 'protocol':
      return numberOf('inet_proto', protocolOf(packet.l4));
    case 'ttl':
      return numberOf('integer', ip.ttl);
    case 'length':
      return numberOf('integer', packet.lengthBytes);
    case 'version':
      return numberOf('integer', 4);
    case 'frag-off':
      return fragmentWord(packet);
    default:
      return trafficClass(field, ip.tos, what);
  }
}

function ipv6Field(field: string, packet: Packet, what: string): NftDatum {
  const { ip } = packet;
  switch (field) {
    case 'saddr':
      return numberOf('ipv6_addr', addressToBits(ip.source));
    case 'daddr':
      return numberOf('ipv6_addr', addressToBits(ip.destination));
    case 'nexthdr':
      return numberOf('inet_proto', ip.fragmentOffset === undefined ? protocolOf(packet.l4) : PROTOCOLS['ipv6-frag']!);
    case 'hoplimit':
      return numberOf('integer', ip.ttl);
    case 'length':
      return numberOf('integer', packet.lengthBytes - 40);
    case 'version':
      return numberOf('integer', 6);
    default:
      return trafficClass(field, ip.tos, what);
  }
}

function trafficClass(field: string, tos: number, what: string): NftDatum {
  if (field === 'dscp') return numberOf('dscp', tos >> 2);
  if (field === 'ecn') return numberOf('ecn', tos & 3);
  return notKnown(what);
}

/** The 16 bits of RFC 791: reserved, DF, MF, offset. Of a fragment, only that the offset is or is not 0 is kept. */
function fragmentWord(packet: Packet): NftDatum {
  const df = packet.ip.df ? 0x4000n : 0n;
  if (packet.ip.fragmentOffset === undefined) return numberOf('integer', df);
  if (packet.ip.fragmentOffset === 0) return { kind: 'number', type: 'integer', value: df, undecided: 0x2000n };
  return { kind: 'span', type: 'integer', from: df | 1n, to: df | 0x3fffn, what: 'the fragment offset' };
}

function isLaterFragment(packet: Packet): boolean {
  return (packet.ip.fragmentOffset ?? 0) > 0;
}

function transportField(protocol: string, field: string, packet: Packet, what: string): NftDatum {
  if (protocolOf(packet.l4) !== PROTOCOLS[protocol] || isLaterFragment(packet)) return ABSENT;
  const { l4 } = packet;
  if (l4.protocol === 'icmp' || l4.protocol === 'icmpv6') return icmpField(field, l4, what);
  if (l4.protocol === 'tcp' && field === 'flags') return flagsOf(l4.flags, what);
  if (l4.protocol === 'udp' && field === 'length') {
    return numberOf('integer', packet.lengthBytes - (packet.ip.source.includes(':') ? 40 : 20));
  }
  return portField(field, l4, what);
}

function portField(field: string, l4: L4, what: string): NftDatum {
  if (!('sourcePort' in l4)) return notKnown(what);
  if (field === 'sport') return portDatum(l4.sourcePort, what);
  if (field === 'dport') return portDatum(l4.destinationPort, what);
  return notKnown(what);
}

export function portDatum(port: Port | undefined, what: string): NftDatum {
  if (port === undefined) return notKnown(what);
  if (port !== 'ephemeral') return numberOf('inet_service', port);
  return { kind: 'span', type: 'inet_service', from: EPHEMERAL_FROM, to: EPHEMERAL_TO, what };
}

function icmpField(field: string, l4: L4 & { protocol: 'icmp' | 'icmpv6' }, what: string): NftDatum {
  if (field === 'type') return numberOf(`${l4.protocol}_type`, l4.type);
  if (field === 'code') return numberOf(`${l4.protocol}_code`, l4.code);
  if (field === 'id' && l4.id !== undefined) return numberOf('integer', l4.id);
  return notKnown(what);
}

function flagsOf(flags: readonly string[] | undefined, what: string): NftDatum {
  if (!flags) return notKnown(what);
  return numberOf('tcp_flag', flags.reduce((bits, flag) => bits | (TCP_FLAGS[flag] ?? 0), 0)); // biome-ignore format: one sum
}

/** A frame header exists only on the way in. */
function etherField(field: string, scope: NftScope, what: string): NftDatum {
  if (scope.input.input === undefined) return ABSENT;
  const { macs } = scope.state.packet;
  if (field === 'type') return numberOf('ether_type', scope.input.family === 4 ? 0x0800 : 0x86dd);
  const mac = field === 'saddr' ? macs?.source : field === 'daddr' ? macs?.destination : undefined;
  return mac === undefined ? notKnown(what) : numberOf('ether_addr', BigInt(`0x${mac.replaceAll(':', '')}`));
}

/** `@nh,96,32`: the raw fields that rule writers use where a name would need a dependency; offsets in bits. */
const RAW_FIELDS: Readonly<Record<string, readonly [protocol: string, field: string]>> = {
  'th,0,16': ['th', 'sport'],
  'th,16,16': ['th', 'dport'],
  '4,nh,64,8': ['ip', 'ttl'],
  '4,nh,72,8': ['ip', 'protocol'],
  '4,nh,96,32': ['ip', 'saddr'],
  '4,nh,128,32': ['ip', 'daddr'],
  '6,nh,64,128': ['ip6', 'saddr'],
  '6,nh,192,128': ['ip6', 'daddr'],
};

function rawField(payload: Readonly<Record<string, unknown>>, scope: NftScope, what: string): NftDatum {
  const place = `${asText(payload.base)},${asNumber(payload.offset)},${asNumber(payload.len)}`;
  const known = RAW_FIELDS[place] ?? RAW_FIELDS[`${scope.input.family},${place}`];
  return known ? evaluatePayload({ protocol: known[0], field: known[1] }, scope, what) : notKnown(what);
}
