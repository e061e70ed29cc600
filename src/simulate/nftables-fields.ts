import type { NftType } from './nftables-datum.ts';

/** Where a named field lies: which header, offset and length in bits (nftables' src/proto.c), its type. */
export interface NftField {
  readonly base: 'll' | 'nh' | 'th';
  readonly offset: number;
  readonly length: number;
  readonly type: NftType;
  /** Only in ICMP messages of these types (nft adds that condition by itself). */
  readonly types?: readonly number[];
}

type Row = readonly [offset: number, length: number, type?: NftType, types?: readonly number[]];

const PORTS = { sport: [0, 16, 'inet_service'], dport: [16, 16, 'inet_service'] } as const;

const TABLES: Readonly<Record<string, readonly [base: NftField['base'], fields: Readonly<Record<string, Row>>]>> = {
  ether: ['ll', { daddr: [0, 48, 'ether_addr'], saddr: [48, 48, 'ether_addr'], type: [96, 16, 'ether_type'] }],
  arp: [
    'nh',
    {
      htype: [0, 16], ptype: [16, 16, 'ether_type'], hlen: [32, 8], plen: [40, 8], operation: [48, 16, 'arp_op'],
      'saddr ether': [64, 48, 'ether_addr'], 'saddr ip': [112, 32, 'ipv4_addr'],
      'daddr ether': [144, 48, 'ether_addr'], 'daddr ip': [192, 32, 'ipv4_addr'],
    },
  ],
  ip: [
    'nh',
    {
      version: [0, 4], hdrlength: [4, 4], dscp: [8, 6, 'dscp'], ecn: [14, 2, 'ecn'], length: [16, 16], id: [32, 16],
      'frag-off': [48, 16], ttl: [64, 8], protocol: [72, 8, 'inet_proto'], checksum: [80, 16],
      saddr: [96, 32, 'ipv4_addr'], daddr: [128, 32, 'ipv4_addr'],
    },
  ],
  ip6: [
    'nh',
    {
      version: [0, 4], dscp: [4, 6, 'dscp'], ecn: [10, 2, 'ecn'], flowlabel: [12, 20], length: [32, 16],
      nexthdr: [48, 8, 'inet_proto'], hoplimit: [56, 8], saddr: [64, 128, 'ipv6_addr'], daddr: [192, 128, 'ipv6_addr'],
    },
  ],
  th: ['th', PORTS],
  tcp: [
    'th',
    {
      ...PORTS, sequence: [32, 32], ackseq: [64, 32], doff: [96, 4], reserved: [100, 4], flags: [104, 8, 'tcp_flag'],
      window: [112, 16], checksum: [128, 16], urgptr: [144, 16],
    },
  ],
  udp: ['th', { ...PORTS, length: [32, 16], checksum: [48, 16] }],
  udplite: ['th', { ...PORTS, csumcov: [32, 16], checksum: [48, 16] }],
  dccp: ['th', { ...PORTS, type: [67, 4] }],
  sctp: ['th', { ...PORTS, vtag: [32, 32], checksum: [64, 32] }],
  icmp: [
    'th',
    {
      type: [0, 8, 'icmp_type'], code: [8, 8, 'icmp_code'], checksum: [16, 16],
      id: [32, 16, 'integer', [0, 8]], sequence: [48, 16, 'integer', [0, 8]],
      gateway: [32, 32, 'integer', [5]], mtu: [48, 16, 'integer', [3]],
    },
  ],
  icmpv6: [
    'th',
    {
      type: [0, 8, 'icmpv6_type'], code: [8, 8, 'icmpv6_code'], checksum: [16, 16],
      id: [32, 16, 'integer', [128, 129]], sequence: [48, 16, 'integer', [128, 129]],
      'parameter-problem': [32, 32, 'integer', [4]], mtu: [32, 32, 'integer', [2]],
      'packet-too-big': [32, 32, 'integer', [2]], 'max-delay': [32, 16, 'integer', [130, 131, 132]],
      taddr: [64, 128, 'ipv6_addr', [135, 136, 137]], daddr: [192, 128, 'ipv6_addr', [137]],
    },
  ],
  igmp: ['th', { type: [0, 8], mrt: [8, 8], checksum: [16, 16], group: [32, 32, 'ipv4_addr'] }],
  ah: ['th', { nexthdr: [0, 8, 'inet_proto'], hdrlength: [8, 8], reserved: [16, 16], spi: [32, 32], sequence: [64, 32] }],
  esp: ['th', { spi: [0, 32], sequence: [32, 32] }],
  comp: ['th', { nexthdr: [0, 8, 'inet_proto'], flags: [8, 8], cpi: [16, 16] }],
  gre: ['th', { flags: [0, 5], version: [13, 3], protocol: [16, 16, 'ether_type'] }],
}; // biome-ignore format: a table

/** Undefined: no such field is known here. */
export function fieldOf(protocol: string, name: string): NftField | undefined {
  const [base, fields] = TABLES[protocol] ?? [];
  const row = fields && Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (base === undefined || !row) return undefined;
  const [offset, length, type, types] = row;
  return { base, offset, length, type: type ?? 'integer', ...(types ? { types } : {}) };
}

/** The named field at this place of an IP, TCP, UDP, SCTP or ICMP header, for `@nh,96,32 set …`. */
export function fieldAt(
  protocols: readonly string[],
  base: string,
  offset: number,
  length: number,
): { readonly protocol: string; readonly name: string } | undefined {
  for (const protocol of protocols) {
    const [at, fields] = TABLES[protocol] ?? [];
    if (at !== base || !fields) continue;
    const found = Object.entries(fields).find(([, row]) => row[0] === offset && row[1] === length);
    if (found) return { protocol, name: found[0] };
  }
  return undefined;
}
