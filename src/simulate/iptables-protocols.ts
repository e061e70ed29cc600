type Numbers = Readonly<Record<string, number>>;

/**
 * IP protocols by the names that iptables prints and takes: those of /etc/protocols (netbase's, and as Alpine has it),
 * and of its own list (xtables_chain_protos in libxtables/xtables.c). `ipip` is 94 in the one and 4 in common speech:
 * iptables resolves it by /etc/protocols.
 */
const PROTOCOL_NUMBERS: Numbers = {
  ip: 0, all: 0, hopopt: 0, icmp: 1, igmp: 2, ggp: 3, ipencap: 4, st: 5, tcp: 6, egp: 8, igp: 9, pup: 12, udp: 17,
  hmp: 20, 'xns-idp': 22, rdp: 27, 'iso-tp4': 29, dccp: 33, xtp: 36, ddp: 37, 'idpr-cmtp': 38, ipv6: 41,
  'ipv6-route': 43, 'ipv6-frag': 44, idrp: 45, rsvp: 46, gre: 47, esp: 50, 'ipv6-crypt': 50, ah: 51, 'ipv6-auth': 51,
  skip: 57, 'ipv6-icmp': 58, icmpv6: 58, 'ipv6-nonxt': 59, 'ipv6-opts': 60, rspf: 73, vmtp: 81, eigrp: 88, ospf: 89,
  ospfigp: 89, 'ax.25': 93, ipip: 94, etherip: 97, encap: 98, pim: 103, ipcomp: 108, vrrp: 112, l2tp: 115, isis: 124,
  sctp: 132, fc: 133, 'mobility-header': 135, 'ipv6-mh': 135, mh: 135, udplite: 136, 'mpls-in-ip': 137, manet: 138,
  hip: 139, shim6: 140, wesp: 141, rohc: 142, ethernet: 143,
}; // biome-ignore format: a table

export function protocolNumber(name: string | number): number | undefined {
  if (typeof name === 'number') return name;
  if (/^\d+$/.test(name)) return Number(name);
  const lower = name.toLowerCase();
  return Object.hasOwn(PROTOCOL_NUMBERS, lower) ? PROTOCOL_NUMBERS[lower] : undefined;
}
