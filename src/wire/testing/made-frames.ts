import { crc32c } from '../crc32c.ts';
import { bytesOf, hex, number } from './bytes.ts';
import { addressBytes, ETHERNET, icmpEcho, ipv4, ipv6, tcp, udp, withChecksum } from './made-packet.ts';

export interface MadeFrame {
  readonly linkType: number;
  readonly bytes: Uint8Array;
}

const INNER = { source: '10.78.0.1', destination: '10.78.0.2' };
const INNER6 = { source: 'fd78::1', destination: 'fd78::2' };
const ping = ipv4(1, icmpEcho(0x1234, 5), INNER);
const ping6 = ipv6(59, new Uint8Array(0), INNER6);
const innerFrame = ETHERNET(0x0800, ping);

const over4 = (protocol: number, payload: Uint8Array) => on(ipv4(protocol, payload));
const over6 = (protocol: number, payload: Uint8Array) => on6(ipv6(protocol, payload));
const on = (packet: Uint8Array): MadeFrame => ({ linkType: 1, bytes: ETHERNET(0x0800, packet) });
const on6 = (packet: Uint8Array): MadeFrame => ({ linkType: 1, bytes: ETHERNET(0x86dd, packet) });

/** Class 0x0102, the one that OVN registered, critical; and an empty one. */
const geneveOptions = hex('0102 80 01 00640065  ffff 07 00');
const geneve = bytesOf(3, 0x40, hex('6558 00004f 00'), geneveOptions, innerFrame);

const sctpChunks = hex('0100 0014 00000001 0001a000 000a ffff 00000009  0b00 0005 ff 000000');

function sctp(checksum?: number): Uint8Array {
  const message = bytesOf(number(40077, 2), number(8077, 2), number(0xcafe, 4), number(0, 4), sctpChunks);
  const crc = checksum ?? crc32c(message);
  return bytesOf(message.subarray(0, 8), number(crc, 4).reverse(), sctpChunks);
}

const greWithAll = withChecksum(bytesOf(hex('b000 0800 0000 0000 00000051 00000007'), ping), 4, 0);
const vxlanHeader = hex('08000000 00004d 00');

/** A TCP segment whose checksum is left to the device, within VXLAN; the outer checksum is by the LCO rule, or not. */
function vxlanOverPartial(outer: 'local' | 'broken', payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const segment = tcp(payload, { checksum: 'partial' });
  const within = bytesOf(vxlanHeader, ETHERNET(0x0800, ipv4(6, segment)));
  const final = bytesOf(vxlanHeader, ETHERNET(0x0800, ipv4(6, tcp(payload))));
  const right = udp(final, { ports: [50000, 4789] });
  const checksum = (right[6]! << 8) | right[7]!;
  return ipv4(17, udp(within, { ports: [50000, 4789], checksum: outer === 'local' ? checksum : checksum ^ 0x0100 }));
}

const fragmentHeader = (next: number, offset: number, more: 0 | 1) =>
  bytesOf(next, 0, number(offset + more, 2), number(0xabcd, 4));
const wholeUdp = udp(new Uint8Array(64).fill(0x61), { family: 6 });

/** To a next hop that is not the final destination, which the checksum covers. */
function routed(type: number, addresses: Uint8Array): Uint8Array {
  const header = bytesOf(17, addresses.length / 8, type, 1, number(0, 4), addresses);
  return ipv6(43, bytesOf(header, udp(hex('6869'), { family: 6 })), { destination: 'fd77:3::9' });
}

/** Of everything that is decoded, what no fixture has. */
export const MADE_FRAMES = {
  vlan: { linkType: 1, bytes: ETHERNET(0x8100, bytesOf(hex('6007 0800'), ping)) },
  qinq: { linkType: 1, bytes: ETHERNET(0x88a8, bytesOf(hex('0008 8100 0009 0800'), ping)) },
  options: on(ipv4(6, tcp(hex('6869'), { options: hex('0204 05b4 0402 080a 00000064 000000c8 01 0303 07') }))),
  sack: on(ipv4(6, tcp(new Uint8Array(0), { options: hex('0101 050a 00000001 00000003') }))),
  ecn: on(ipv4(6, tcp(new Uint8Array(0), { flags: 0x1c2 }), { tos: 0xb9 })),
  tcpBad: on(ipv4(6, tcp(hex('6869'), { checksum: 0x1234 }))),
  tcpPartial: on(ipv4(6, tcp(hex('6869'), { checksum: 'partial' }))),
  ipBad: on(ipv4(6, tcp(hex('6869')), { checksum: 0x4321 })),
  ipOptions: on(ipv4(6, tcp(hex('6869')), { options: hex('94040000') })),
  udpNoChecksum: on(ipv4(17, udp(hex('6869'), { checksum: 0 }))),
  udpPadded: { linkType: 1, bytes: bytesOf(ETHERNET(0x0800, ipv4(17, udp(hex('6869')))), new Uint8Array(16)) },
  extensions: on6(ipv6(0, bytesOf(hex('3c00 0502 0000 0100  1100 0104 00000000'), udp(hex('6869'), { family: 6 })))),
  routing: on6(routed(0, addressBytes('fd77:2::2'))),
  routingSegments: on6(routed(4, bytesOf(addressBytes('fd77:2::2'), addressBytes('fd77:3::9')))),
  routingCompressed: on6(routed(3, addressBytes('fd77:2::2'))),
  authentication: on6(
    ipv6(51, bytesOf(17, 4, hex('0000 00000001 00000002 000000000000000000000000'), udp(hex('6869'), { family: 6 }))),
  ),
  fragmentFirst: on6(ipv6(44, bytesOf(fragmentHeader(17, 0, 1), wholeUdp.subarray(0, 40)))),
  fragmentLater: on6(ipv6(44, bytesOf(fragmentHeader(17, 40, 0), wholeUdp.subarray(40)))),
  fragmentAtomic: on6(ipv6(44, bytesOf(fragmentHeader(17, 0, 0), wholeUdp))),
  vxlanLocal: on(vxlanOverPartial('local')),
  vxlanBroken: on(vxlanOverPartial('broken')),
  vxlanBrokenData: on(vxlanOverPartial('broken', hex('6869'))),
  vxlanBad: over4(17, udp(bytesOf(vxlanHeader, innerFrame), { ports: [50000, 8472], checksum: 0x1111 })),
  vxlanNotValid: over4(17, udp(bytesOf(hex('00000000 00004d 00'), innerFrame), { ports: [50000, 4789] })),
  geneve: over4(17, udp(geneve, { ports: [50000, 6081] })),
  geneve6: over6(17, udp(geneve, { ports: [50000, 6081], family: 6 })),
  gre: over4(47, bytesOf(hex('2000 0800 00000051'), ping)),
  greAll: over4(47, greWithAll),
  greBad: over4(47, bytesOf(hex('8000 0800 1234 0000'), ping)),
  gre6: over4(47, bytesOf(hex('0000 86dd'), ping6)),
  gretap: over4(47, bytesOf(hex('2000 6558 00000050'), innerFrame)),
  pptp: over4(47, bytesOf(hex('2001 880b 00000000'), ping)),
  ipip: over4(4, ping),
  sit: over4(41, ping6),
  ip6tnl: over6(41, ping6),
  ipip6: over6(4, ping),
  sctp: over4(132, sctp()),
  sctpBad: over4(132, sctp(0x01020304)),
  sctpPartial: over4(132, sctp(0)),
  bareIpv4: { linkType: 101, bytes: ping },
  bareIpv6: { linkType: 101, bytes: ping6 },
  linkIpv4: { linkType: 228, bytes: ping },
  loopback: { linkType: 0, bytes: bytesOf(hex('02000000'), ping) },
  wireguardInitiation: over4(
    17,
    udp(bytesOf(hex('01000000 11223344'), new Uint8Array(140)), { ports: [51820, 51820] }),
  ),
  wireguardResponse: over4(
    17,
    udp(bytesOf(hex('02000000 55667788 11223344'), new Uint8Array(80)), { ports: [51820, 51820] }),
  ),
  wireguardCookie: over4(17, udp(bytesOf(hex('03000000 55667788'), new Uint8Array(56)), { ports: [51820, 51820] })),
  wireguardData: over4(17, udp(bytesOf(hex('04000000 11223344'), new Uint8Array(88)), { ports: [40077, 51820] })),
} as const satisfies Readonly<Record<string, MadeFrame>>;
