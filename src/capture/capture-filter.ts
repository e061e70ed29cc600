import { type Address, addressToBits, familyOf } from '../net/address.ts';
import type { OuterTuple, Tuple } from './visit.ts';

/**
 * The filter of a point, in the language of pcap-filter(7): every expected packet there, either way round, and the ICMP
 * errors that are sent to either end. What a tunnel carries is matched inside of it, so that other pods' traffic through the
 * same tunnel is not copied; where the inside can't be told (encrypted, an inner packet of unknown place) all of that tunnel is.
 */
export function captureFilter(tuples: readonly Tuple[]): string {
  const terms = new Set<string>();
  for (const tuple of tuples) {
    if (tuple.outer) {
      terms.add(tunnelled(tuple, tuple.outer));
      continue;
    }
    terms.add(`(${between(tuple.source, tuple.destination)} and ${transport(tuple)})`);
    if (tuple.protocol !== 'icmp' && tuple.protocol !== 'icmpv6') {
      terms.add(`(${errorsTo(tuple.source)})`);
      terms.add(`(${errorsTo(tuple.destination)})`);
    }
  }
  return [...terms].join(' or ');
}

/** Bytes of a frame to keep: all headers, and enough of the payload to know the packet again behind a NAT. */
export function snapBytes(tuples: readonly Tuple[]): number {
  return tuples.some(({ outer, source }) => outer !== undefined || familyOf(source) === 6) ? 256 : 160;
}

/** The same text for both directions. */
function between(a: Address, b: Address): string {
  const [first, second] = [a, b].toSorted();
  return `host ${first} and host ${second}`;
}

/** Later fragments have no ports; they are told by the addresses alone. */
function transport({ protocol, source, sourcePort, destinationPort }: Tuple): string {
  const v6 = familyOf(source) === 6;
  if (protocol === 'icmp') return 'icmp';
  if (protocol === 'icmpv6') return 'icmp6';
  if (typeof protocol === 'number') return `${v6 ? 'ip6' : 'ip'} proto ${protocol}`;
  const ports = [sourcePort, destinationPort].filter((port) => port !== undefined).toSorted((a, b) => a - b);
  if (ports.length === 0) return protocol;
  const whole = `${protocol} ${ports.map((port) => `port ${port}`).join(' and ')}`;
  return `(${whole}${v6 ? ' or ip6 proto 44' : ' or (ip[6:2] & 0x1fff != 0)'})`;
}

/** ICMP errors (RFC 792: 3, 4, 5, 11, 12; RFC 4443: types below 128) to that address. */
function errorsTo(address: Address): string {
  return familyOf(address) === 4
    ? `dst host ${address} and icmp and icmp[0] != 0 and icmp[0] != 8`
    : `dst host ${address} and icmp6 and ip6[40] < 128`;
}

const INNER_ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
const VXLAN_BYTES = 8;
const IPV6_BYTES = 40;

function tunnelled(tuple: Tuple, outer: OuterTuple): string {
  const carrier = carrierOf(outer);
  const inside = insideOf(tuple, outer);
  const first = inside === undefined ? carrier : `${carrier} and (${inside})`;
  const later =
    outer.port !== undefined && familyOf(outer.source) === 4 ? ' or (ip proto 17 and ip[6:2] & 0x1fff != 0)' : '';
  return `(${between(outer.source, outer.destination)} and (${first}${later}))`;
}

function carrierOf({ tunnel, source, port }: OuterTuple): string {
  const proto = familyOf(source) === 6 ? 'ip6 proto' : 'ip proto';
  switch (tunnel) {
    case 'vxlan':
    case 'geneve':
    case 'wireguard':
      return port === undefined ? 'udp' : `udp port ${port}`;
    case 'ipip':
      return `${proto} 4`;
    case 'sit':
      return `${proto} 41`;
    case 'ip6tnl':
      return `(${proto} 4 or ${proto} 41)`;
    case 'gre':
    case 'gretap':
      return `${proto} 47`;
  }
}

/** Only where the inner header's place is fixed: VXLAN (RFC 7348), and IP in IP (RFC 2003). */
function insideOf(tuple: Tuple, outer: OuterTuple): string | undefined {
  const v6 = familyOf(outer.source) === 6;
  if (outer.tunnel === 'vxlan') {
    const [base, start] = v6 ? ['ip6', IPV6_BYTES + UDP_BYTES] : ['udp', UDP_BYTES];
    return eitherWay(tuple, base!, Number(start) + VXLAN_BYTES + INNER_ETHERNET_BYTES);
  }
  // An outer header without options, as the kernel sends it.
  if (outer.tunnel === 'ipip' && !v6) return eitherWay(tuple, 'ip', 20);
  return undefined;
}

/** The two addresses either way round, and what ICMP sends to either of them, from wherever. */
function eitherWay({ source, destination }: Tuple, base: string, start: number): string {
  const [first, second] = [source, destination].toSorted() as [Address, Address];
  const at = offsetsOf(familyOf(source), start);
  const pair = (a: Address, b: Address): string =>
    `(${wordsAt(base, at.source, a)} and ${wordsAt(base, at.destination, b)})`;
  const error = (to: Address): string =>
    `(${base}[${at.protocol}] = ${at.icmp} and ${wordsAt(base, at.destination, to)})`;
  return [pair(first, second), pair(second, first), error(first), error(second)].join(' or ');
}

/** Where an IP header that begins at `start` has its fields (RFC 791, 3.1; RFC 8200, 3), and ICMP's number in it. */
function offsetsOf(family: 4 | 6, start: number) {
  return family === 4
    ? { protocol: start + 9, source: start + 12, destination: start + 16, icmp: 1 }
    : { protocol: start + 6, source: start + 8, destination: start + 24, icmp: 58 };
}

function wordsAt(base: string, start: number, address: Address): string {
  return wordsOf(address)
    .map((word, index) => `${base}[${start + 4 * index}:4] = 0x${word.toString(16)}`)
    .join(' and ');
}

/** An address as 32-bit words, the first one first. */
function wordsOf(address: Address): number[] {
  const bits = addressToBits(address);
  if (familyOf(address) === 4) return [Number(bits)];
  return [96n, 64n, 32n, 0n].map((shift) => Number((bits >> shift) & 0xffff_ffffn));
}
