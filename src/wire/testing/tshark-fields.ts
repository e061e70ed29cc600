import type {
  Checksum,
  DecodedFrame,
  WireArp,
  WireIcmp,
  WireLink,
  WirePacket,
  WireSctp,
  WireTcp,
  WireUdp,
} from '../wire-packet.ts';

/** Values of a frame by tshark's names of fields, in the order of headers, as words. */
export type Fields = Readonly<Record<string, readonly string[]>>;

type Entry = readonly [field: string, value: string | number | boolean | undefined];

/** What we read of a frame, told as `tshark -T fields` would. */
export function tsharkFields(frame: DecodedFrame): Fields {
  const fields: Record<string, readonly string[]> = {};
  for (const [field, value] of entriesOf(frame)) {
    if (value !== undefined) add(fields, field, [String(typeof value === 'boolean' ? Number(value) : value)]);
  }
  return fields;
}

/** With further words of a field. */
export function add(fields: Record<string, readonly string[]>, field: string, words: readonly string[]): void {
  fields[field] = [...(fields[field] ?? []), ...words];
}

function entriesOf({ link, arp, packet }: DecodedFrame): Entry[] {
  return [...linkEntries(link), ...arpEntries(arp), ...(packet ? packetEntries(packet) : [])];
}

function linkEntries(link: WireLink | undefined): Entry[] {
  if (!link) return [];
  const address: Entry[] =
    link.destination === undefined
      ? [['sll.src.eth', link.source]]
      : [
          ['eth.src', link.source],
          ['eth.dst', link.destination],
        ];
  const tags: Entry[] = [link.vlan, link.innerVlan].map((id) => ['vlan', id]);
  return [...address, ...tags, ['sll.ifindex', link.deviceIndex]];
}

function arpEntries(arp: WireArp | undefined): Entry[] {
  if (!arp) return [];
  return [
    ['arp.opcode', arp.operation],
    ['arp.src.hw_mac', arp.senderMac],
    ['arp.src.proto_ipv4', arp.senderAddress],
    ['arp.dst.hw_mac', arp.targetMac],
    ['arp.dst.proto_ipv4', arp.targetAddress],
  ];
}

function packetEntries(packet: WirePacket): Entry[] {
  const { l4, inner } = packet;
  return [
    ...ipEntries(packet),
    ...(l4 ? l4Entries(packet, l4) : []),
    ...tunnelEntries(packet),
    ...linkEntries(packet.innerLink),
    ...arpEntries(packet.innerArp),
    ...(inner ? packetEntries(inner) : []),
  ];
}

function ipEntries({ ip }: WirePacket): Entry[] {
  const isFragment = ip.moreFragments || ip.fragmentOffset > 0;
  if (ip.version === 6) {
    return [
      ['ipv6.src', ip.source],
      ['ipv6.dst', ip.destination],
      ['ipv6.hlim', ip.ttl],
      ['ipv6.tclass', ip.tos],
      ['ipv6.fraghdr.ident', ip.id],
      ['ipv6.fraghdr.offset', ip.id === undefined ? undefined : ip.fragmentOffset / 8],
      ['ipv6.fraghdr.more', ip.id === undefined ? undefined : ip.moreFragments],
    ];
  }
  return [
    ['ip.src', ip.source],
    ['ip.dst', ip.destination],
    ['ip.ttl', ip.ttl],
    ['ip.dsfield', ip.tos],
    ['ip.len', ip.totalLength],
    ['ip.proto', ip.protocol],
    ['ip.id', ip.id],
    ['ip.flags.df', ip.df],
    ['ip.flags.mf', ip.moreFragments],
    ['ip.frag_offset', isFragment ? ip.fragmentOffset / 8 : 0],
    ['ip.checksum.status', status(ip.checksum)],
  ];
}

function l4Entries(packet: WirePacket, l4: NonNullable<WirePacket['l4']>): Entry[] {
  switch (l4.protocol) {
    case 'tcp':
      return tcpEntries(l4);
    case 'udp':
      return udpEntries(packet, l4);
    case 'sctp':
      return sctpEntries(l4);
    default:
      return icmpEntries(l4);
  }
}

const FLAG_BITS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ae'];

function tcpEntries(tcp: WireTcp): Entry[] {
  return [
    ['tcp.srcport', tcp.sourcePort],
    ['tcp.dstport', tcp.destinationPort],
    ['tcp.seq_raw', tcp.sequence],
    ['tcp.ack_raw', tcp.acknowledgement],
    ['tcp.flags', tcp.flags.reduce((bits, flag) => bits + 2 ** FLAG_BITS.indexOf(flag), 0)],
    ['tcp.window_size_value', tcp.window],
    ['tcp.options.mss_val', tcp.mss],
    ['tcp.options.wscale.shift', tcp.windowScale],
    ['tcp.options.timestamp.tsval', tcp.timestamps?.value],
    ['tcp.options.timestamp.tsecr', tcp.timestamps?.echo],
    ...(tcp.sacks ?? []).flatMap(({ left, right }): Entry[] => [
      ['tcp.options.sack_le', left],
      ['tcp.options.sack_re', right],
    ]),
    ['tcp.checksum.status', status(tcp.checksum)],
  ];
}

function udpEntries(packet: WirePacket, udp: WireUdp): Entry[] {
  return [
    ['udp.srcport', udp.sourcePort],
    ['udp.dstport', udp.destinationPort],
    ['udp.length', udp.length],
    ['udp.checksum.status', udpStatus(packet, udp)],
  ];
}

/** tshark does not know what a sender counts on within (Linux's LCO), and 4 is that there is none over IPv6. */
function udpStatus({ ip, inner }: WirePacket, { checksum }: WireUdp): string {
  if (inner?.l4?.checksum === 'partial' && checksum === 'good') return 'any';
  return checksum === 'absent' && ip.version === 6 ? '4' : status(checksum);
}

function sctpEntries(sctp: WireSctp): Entry[] {
  return [
    ['sctp.srcport', sctp.sourcePort],
    ['sctp.dstport', sctp.destinationPort],
    ['sctp.verification_tag', sctp.verificationTag],
    ...sctp.chunks.map((type): Entry => ['sctp.chunk_type', type]),
    ['sctp.checksum.status', status(sctp.checksum)],
  ];
}

function icmpEntries(icmp: WireIcmp): Entry[] {
  const about = icmp.about ? packetEntries(icmp.about).map(quoted) : [];
  if (icmp.protocol === 'icmp') {
    return [
      ['icmp.type', icmp.type],
      ['icmp.code', icmp.code],
      ['icmp.ident', icmp.id],
      ['icmp.seq', icmp.sequence],
      ['icmp.mtu', icmp.mtu],
      ['icmp.checksum.status', status(icmp.checksum)],
      ...about,
    ];
  }
  return [
    ['icmpv6.type', icmp.type],
    ['icmpv6.code', icmp.code],
    ['icmpv6.echo.identifier', icmp.id],
    ['icmpv6.echo.sequence_number', icmp.sequence],
    ['icmpv6.mtu', icmp.mtu],
    ['icmpv6.target', icmp.target],
    ['icmpv6.checksum.status', status(icmp.checksum)],
    ...about,
  ];
}

/** tshark does not verify ICMP in a quote. */
function quoted([field, value]: Entry): Entry {
  return [field, /^icmp(v6)?\.checksum/.test(field) ? 'any' : value];
}

function tunnelEntries({ tunnel, gre, geneveOptions, wireguard }: WirePacket): Entry[] {
  return [
    ...(tunnel && 'vni' in tunnel ? [[`${tunnel.kind}.vni`, tunnel.vni] as const] : []),
    ...(tunnel && 'key' in tunnel ? [['gre.key', tunnel.key] as const] : []),
    ['gre.sequence_number', gre?.sequence],
    ...(geneveOptions ?? []).map((option): Entry => ['geneve.option.class', option.optionClass]),
    ['wg.type', wireguard && ['initiation', 'response', 'cookie', 'data'].indexOf(wireguard.type) + 1],
    ['wg.sender', wireguard?.sender],
    ['wg.receiver', wireguard?.receiver],
  ];
}

/** 0 bad, 1 good, 2 unverified, 3 not present (epan/proto.h); what is left to the device is any of the first three. */
function status(checksum: Checksum): string {
  return { good: '1', bad: '0', unknown: '2', absent: '3', partial: 'any' }[checksum];
}
