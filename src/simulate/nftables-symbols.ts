import type { NftType } from './nftables-datum.ts';

type Symbols = Readonly<Record<string, number>>;

/** IP protocol numbers by the names of /etc/protocols that nft prints (IANA protocol-numbers). */
export const PROTOCOLS: Symbols = {
  ip: 0, hopopt: 0, icmp: 1, igmp: 2, ggp: 3, ipencap: 4, ipip: 4, st: 5, tcp: 6, egp: 8, igp: 9, udp: 17, dccp: 33,
  ipv6: 41, 'ipv6-route': 43, 'ipv6-frag': 44, rsvp: 46, gre: 47, esp: 50, 'ipv6-crypt': 50, ah: 51, 'ipv6-auth': 51,
  icmpv6: 58, 'ipv6-icmp': 58, 'ipv6-nonxt': 59, 'ipv6-opts': 60, eigrp: 88, ospf: 89, ospfigp: 89, pim: 103, comp: 108,
  ipcomp: 108, vrrp: 112, l2tp: 115, sctp: 132, mh: 135, udplite: 136, 'mpls-in-ip': 137,
}; // biome-ignore format: a table

const ICMP_CODES: Symbols = {
  'net-unreachable': 0, 'host-unreachable': 1, 'prot-unreachable': 2, 'port-unreachable': 3, 'frag-needed': 4,
  'net-prohibited': 9, 'host-prohibited': 10, 'admin-prohibited': 13,
}; // biome-ignore format: a table

const ICMPV6_CODES: Symbols = {
  'no-route': 0, 'admin-prohibited': 1, 'addr-unreachable': 3, 'port-unreachable': 4, 'policy-fail': 5, 'reject-route': 6,
}; // biome-ignore format: a table

const ICMP_TYPES: Symbols = {
  'echo-reply': 0, 'destination-unreachable': 3, 'source-quench': 4, redirect: 5, 'echo-request': 8,
  'router-advertisement': 9, 'router-solicitation': 10, 'time-exceeded': 11, 'parameter-problem': 12,
  'timestamp-request': 13, 'timestamp-reply': 14, 'info-request': 15, 'info-reply': 16, 'address-mask-request': 17,
  'address-mask-reply': 18,
}; // biome-ignore format: a table

const ICMPV6_TYPES: Symbols = {
  'destination-unreachable': 1, 'packet-too-big': 2, 'time-exceeded': 3, 'parameter-problem': 4, 'echo-request': 128,
  'echo-reply': 129, 'mld-listener-query': 130, 'mld-listener-report': 131, 'mld-listener-done': 132,
  'mld-listener-reduction': 132, 'nd-router-solicit': 133, 'nd-router-advert': 134, 'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136, 'nd-redirect': 137, 'router-renumbering': 138, 'ind-neighbor-solicit': 141,
  'ind-neighbor-advert': 142, 'mld2-listener-report': 143,
}; // biome-ignore format: a table

/** Classes of RFC 2474, 2597, 3246, 5865 and 8622, as in nftables' src/proto.c. */
const DSCP: Symbols = {
  cs0: 0, be: 0, df: 0, lephb: 1, cs1: 8, af11: 10, af12: 12, af13: 14, cs2: 16, af21: 18, af22: 20, af23: 22, cs3: 24,
  af31: 26, af32: 28, af33: 30, cs4: 32, af41: 34, af42: 36, af43: 38, cs5: 40, va: 44, ef: 46, cs6: 48, cs7: 56,
}; // biome-ignore format: a table

/** enum ip_conntrack_status (include/uapi/linux/netfilter/nf_conntrack_common.h). */
export const CT_STATUS: Symbols = {
  expected: 1, 'seen-reply': 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512,
}; // biome-ignore format: a table

/** NF_CT_STATE_BIT of include/uapi/linux/netfilter/nf_tables.h's users (nftables' src/ct.c). */
export const CT_STATE: Symbols = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 };

/** RTN_* (include/uapi/linux/rtnetlink.h). */
export const ADDRESS_TYPES: Symbols = {
  unspec: 0, unicast: 1, local: 2, broadcast: 3, anycast: 4, multicast: 5, blackhole: 6, unreachable: 7, prohibit: 8,
}; // biome-ignore format: a table

/** TCP's flag byte (RFC 9293 §3.1). */
export const TCP_FLAGS: Symbols = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 };

/** Symbols that nft prints instead of numbers, by type. */
export const SYMBOLS: Partial<Readonly<Record<NftType, Symbols>>> = {
  inet_proto: PROTOCOLS,
  ct_state: CT_STATE,
  ct_status: CT_STATUS,
  ct_dir: { original: 0, reply: 1 },
  fib_addrtype: ADDRESS_TYPES,
  tcp_flag: TCP_FLAGS,
  icmp_type: ICMP_TYPES,
  icmp_code: ICMP_CODES,
  icmpv6_type: ICMPV6_TYPES,
  icmpv6_code: ICMPV6_CODES,
  nf_proto: { ipv4: 2, ipv6: 10 },
  ether_type: { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100, '8021q': 0x8100, '8021ad': 0x88a8 },
  pkt_type: { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 },
  dscp: DSCP,
  arphrd: { ether: 1, ppp: 512, ipip: 768, ipip6: 769, loopback: 772, sit: 776, ipgre: 778 },
  devgroup: { default: 0 },
  arp_op: { request: 1, reply: 2, rrequest: 3, rreply: 4, inrequest: 8, inreply: 9, nak: 10 },
  uid: { root: 0 },
  ecn: { 'not-ect': 0, ect1: 1, ect0: 2, ce: 3 },
};

/** What `reject with icmpx CODE` sends in each family (net/netfilter/nft_reject.c). */
export const ICMPX_CODES: Readonly<Record<string, { readonly icmp: number; readonly icmpv6: number }>> = {
  'no-route': { icmp: 0, icmpv6: 0 },
  'port-unreachable': { icmp: 3, icmpv6: 4 },
  'host-unreachable': { icmp: 1, icmpv6: 3 },
  'admin-prohibited': { icmp: 13, icmpv6: 1 },
};
