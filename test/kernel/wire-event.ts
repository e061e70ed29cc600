import { bitsToAddress } from '../../src/net/address.ts';

/** One frame that a tap saw, or that a walk says it must see. */
export interface WireEvent {
  readonly ns: string;
  readonly device: string;
  readonly way: 'in' | 'out';
  readonly source: string;
  readonly destination: string;
  /** `tcp syn`, `udp`, `icmp 8/0`; of a tunnel's outer packet its kind. */
  readonly what: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly ttl: number;
  readonly tos: number;
  /** A fragment, of which only the first is kept. */
  readonly fragment: boolean;
  /** IP total length; undefined of a fragment. */
  readonly lengthBytes?: number;
  /** For another MAC (PACKET_OTHERHOST): flooded by a bridge, or wrongly addressed. */
  readonly other: boolean;
  readonly multicast: boolean;
  /** The MAC that it is sent to. */
  readonly mac: string;
}

const OTHERHOST = 3;
const OUTGOING = 4;
const MULTICAST = 2;
const BROADCAST = 1;

/** What driver.py tells of a frame: namespace, device, sll_pkttype, EtherType, its first bytes. */
export type RawEvent = readonly [ns: string, device: string, kind: number, protocol: number, hex: string];

/** The frame as an event; undefined where it is none of ours (neighbour discovery, group management). */
export function wireEvent([ns, device, kind, protocol, hex]: RawEvent): WireEvent | undefined {
  const bytes = Buffer.from(hex, 'hex');
  const ip = ipHeader(bytes, protocol);
  if (!ip || ip.later || ip.hopByHop || carriesHousekeeping(bytes, ip)) return undefined;
  const l4 = l4Of(bytes.subarray(ip.l4At), ip.protocol);
  if (!l4) return undefined;
  return {
    ns,
    device,
    way: kind === OUTGOING ? 'out' : 'in',
    source: ip.source,
    destination: ip.destination,
    ...l4,
    ttl: ip.ttl,
    tos: ip.tos,
    fragment: ip.fragment,
    ...(ip.fragment ? {} : { lengthBytes: ip.lengthBytes }),
    other: kind === OTHERHOST,
    multicast: kind === MULTICAST || kind === BROADCAST,
    mac: hex.slice(0, 12),
  };
}

/** The family whose own talk it is (IGMP, ARP, neighbour discovery), which passes rules and moves their counters. */
export function housekeepingOf(raw: RawEvent): 4 | 6 | 'arp' | undefined {
  if (raw[3] === ARP) return 'arp';
  const bytes = Buffer.from(raw[4], 'hex');
  const ip = ipHeader(bytes, raw[3]);
  if (ip?.protocol === IGMP || (ip?.protocol === 1 && bytes[ip.l4At] === REDIRECT)) return 4;
  if (ip && carriesHousekeeping(bytes, ip)) return ip.source.includes(':') ? 6 : 4;
  if (ip?.hopByHop) return 6;
  return ip?.protocol === 58 && IS_HOUSEKEEPING(bytes[ip.l4At]!) ? 6 : undefined;
}

const VXLAN_PORTS: readonly number[] = [4789, 8472];
const ARP = 0x0806;

/** A tunnel's packet whose inner frame is ARP or neighbour discovery. */
function carriesHousekeeping(frame: Buffer, { protocol, l4At }: IpHeader): boolean {
  const innerAt = l4At + 16;
  if (protocol !== 17 || frame.length < innerAt + 14 || !VXLAN_PORTS.includes(frame.readUInt16BE(l4At + 2)))
    return false;
  const kind = frame.readUInt16BE(innerAt + 12);
  if (kind === ARP) return true;
  const inner = frame.subarray(innerAt);
  const ip = kind === 0x86dd && inner.length > 54 ? ipHeader(inner, kind) : undefined;
  return ip !== undefined && (ip.hopByHop === true || (ip.protocol === 58 && IS_HOUSEKEEPING(inner[ip.l4At]!)));
}

interface IpHeader {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly fragment: boolean;
  /** A fragment that is not the first. */
  readonly later: boolean;
  readonly lengthBytes: number;
  readonly l4At: number;
  /** A hop-by-hop header comes first: group management (RFC 3810 §5). */
  readonly hopByHop?: boolean;
}

function ipHeader(frame: Buffer, protocol: number): IpHeader | undefined {
  const at = protocol === 0x8100 || protocol === 0x88a8 ? 18 : 14;
  const version = frame[at]! >> 4;
  if (version === 4) return header4(frame, at);
  return version === 6 ? header6(frame, at) : undefined;
}

function header4(frame: Buffer, at: number): IpHeader {
  const offset = frame.readUInt16BE(at + 6);
  return {
    source: bitsToAddress(BigInt(frame.readUInt32BE(at + 12)), 4),
    destination: bitsToAddress(BigInt(frame.readUInt32BE(at + 16)), 4),
    protocol: frame[at + 9]!,
    ttl: frame[at + 8]!,
    tos: frame[at + 1]!,
    fragment: (offset & 0x3fff) !== 0,
    later: (offset & 0x1fff) !== 0,
    lengthBytes: frame.readUInt16BE(at + 2),
    l4At: at + (frame[at]! & 0xf) * 4,
  };
}

const FRAGMENT_HEADER = 44;
const IGMP = 2;

function header6(frame: Buffer, at: number): IpHeader {
  const fragmented = frame[at + 6] === FRAGMENT_HEADER;
  const offset = fragmented ? frame.readUInt16BE(at + 42) : 0;
  return {
    source: address6(frame, at + 8),
    destination: address6(frame, at + 24),
    protocol: fragmented ? frame[at + 40]! : frame[at + 6]!,
    ttl: frame[at + 7]!,
    tos: (frame.readUInt16BE(at) >> 4) & 0xff,
    fragment: fragmented,
    later: offset >> 3 !== 0,
    lengthBytes: frame.readUInt16BE(at + 4) + 40,
    l4At: at + (fragmented ? 48 : 40),
    hopByHop: frame[at + 6] === 0,
  };
}

function address6(frame: Buffer, at: number): string {
  return bitsToAddress((frame.readBigUInt64BE(at) << 64n) | frame.readBigUInt64BE(at + 8), 6);
}

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack'] as const;
/** Router and neighbour discovery, redirects, group management: the network's own talk. */
const IS_HOUSEKEEPING = (type: number): boolean => (type >= 130 && type <= 137) || type === 143;

/** A router's advice, beside the packet that it sends on (ip_rt_send_redirect). */
const REDIRECT = 5;

function l4Of(bytes: Buffer, protocol: number): Pick<WireEvent, 'what' | 'sourcePort' | 'destinationPort'> | undefined {
  if (protocol === 1) return bytes[0] === REDIRECT ? undefined : { what: `icmp ${bytes[0]}/${bytes[1]}` };
  if (protocol === 58) return IS_HOUSEKEEPING(bytes[0]!) ? undefined : { what: `icmp ${bytes[0]}/${bytes[1]}` };
  if (protocol === IGMP) return undefined;
  if (protocol !== 6 && protocol !== 17) return { what: `protocol ${protocol}` };
  const ports = { sourcePort: bytes.readUInt16BE(0), destinationPort: bytes.readUInt16BE(2) };
  if (protocol === 17) return { what: 'udp', ...ports };
  const flags = TCP_FLAGS.filter((_, bit) => (bytes[13]! & (1 << bit)) !== 0);
  return { what: `tcp ${flags.join(' ')}`, ...ports };
}

export function showEvent(event: WireEvent): string {
  const end = (address: string, port?: number): string => (port === undefined ? address : `${address} ${port}`);
  const more = `${event.fragment ? ' fragment' : ''}${event.other ? ' (for another MAC)' : ''}`;
  return (
    `${event.ns}/${event.device} ${event.way} ${end(event.source, event.sourcePort)} > ` +
    `${end(event.destination, event.destinationPort)} ${event.what} ttl ${event.ttl} tos ${event.tos} ` +
    `len ${event.lengthBytes ?? '?'}${more}`
  );
}
