import { addressToBits, parseAddress } from '../net/address.ts';
import type { Ipset } from '../parse/ipset.ts';
import type { HookInput } from './hook.ts';
import { dimensionsOf, type IpsetDimension, type IpsetEntry, type IpsetPart, readIpsetEntry } from './ipset-entry.ts';
import { PROTOCOLS } from './nftables-symbols.ts';
import type { Truth } from './trace.ts';
import { and, or, truth } from './truth.ts';

export type IpsetDirection = 'src' | 'dst';

export interface IpsetLookup {
  /** What each dimension looks at: the `src,dst` of `-m set --match-set`. */
  readonly dimensions: readonly IpsetDirection[];
  readonly input: HookInput;
}

/** Finds a list:set's members by name. Undefined: the set was not seen. */
export type IpsetResolver = (name: string) => Ipset | undefined;

/** What the packet shows in one dimension. 'absent': it has no such thing, so it is in no set that asks for it. */
type Shown = IpsetPart | 'absent' | 'unknown';

interface Compiled {
  readonly dimensions: readonly IpsetDimension[];
  /** The narrowest networks first, as the kernel tries them. */
  readonly entries: readonly IpsetEntry[];
}

const compiledSets = new WeakMap<Ipset, Compiled>();

/** A set in a set is as deep as the kernel goes; more is a loop in the text. */
const LISTS_MAX = 4;

/**
 * Is the packet in the set, as `-m set --match-set` asks (ip_set_test in net/netfilter/ipset/ip_set_core.c)? An entry that is
 * there counts, however short its timeout. `nomatch` entries are exceptions; the narrowest entry that matches decides.
 */
export function ipsetContains(set: Ipset, lookup: IpsetLookup, resolve?: IpsetResolver): Truth {
  return containsWithin(set, lookup, resolve, 0);
}

function containsWithin(set: Ipset, lookup: IpsetLookup, resolve: IpsetResolver | undefined, depth: number): Truth {
  if (set.type === 'list:set') return listContains(set, lookup, resolve, depth);
  const dimensions = dimensionsOf(set.type);
  if (!dimensions) return 'unknown';
  const addressed = dimensions.some((dimension) => dimension === 'ip' || dimension === 'net');
  // The kernel takes neither a set of the other family nor too few directions for a match.
  if ((addressed && set.family !== lookup.input.family) || lookup.dimensions.length < dimensions.length) return 'no';
  const shown = dimensions.map((dimension, index) =>
    masked(shownIn(dimension, lookup.dimensions[index]!, lookup.input), set),
  );
  return decide(compiledFor(set, dimensions).entries, shown);
}

function listContains(set: Ipset, lookup: IpsetLookup, resolve: IpsetResolver | undefined, depth: number): Truth {
  if (depth >= LISTS_MAX) return 'unknown';
  const members = set.entries.map((entry): Truth => {
    const member = resolve?.(entry.fields[0] ?? '');
    return member ? containsWithin(member, lookup, resolve, depth + 1) : 'unknown';
  });
  return or('no', ...members);
}

function compiledFor(set: Ipset, dimensions: readonly IpsetDimension[]): Compiled {
  const known = compiledSets.get(set);
  if (known) return known;
  const entries = set.entries.map((entry) => readIpsetEntry(entry, dimensions, set.family));
  const compiled = { dimensions, entries: entries.sort(narrowestFirst) };
  compiledSets.set(set, compiled);
  return compiled;
}

function narrowestFirst(a: IpsetEntry, b: IpsetEntry): number {
  for (let index = 0; index < a.lengths.length; index++) {
    const difference = (b.lengths[index] ?? 0) - a.lengths[index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The first entry that matches decides; what may match before it leaves open only what would differ. */
function decide(entries: readonly IpsetEntry[], shown: readonly Shown[]): Truth {
  const possible = new Set<Truth>();
  for (const entry of entries) {
    const match = and(...entry.parts.map((part, index) => matches(part, shown[index]!)));
    if (match === 'no') continue;
    possible.add(truth(!entry.nomatch));
    if (match === 'yes') return possible.size === 1 ? truth(!entry.nomatch) : 'unknown';
  }
  return possible.has('yes') ? 'unknown' : 'no';
}

function shownIn(dimension: IpsetDimension, direction: IpsetDirection, input: HookInput): Shown {
  const { packet, meta } = input;
  switch (dimension) {
    case 'ip':
    case 'net': {
      const bits = addressToBits(direction === 'src' ? packet.ip.source : packet.ip.destination);
      return { kind: 'addresses', from: bits, to: bits, length: 0 };
    }
    case 'port':
      return shownPort(direction, input);
    case 'iface': {
      const name = direction === 'src' ? input.input : input.output;
      return name === undefined ? 'absent' : { kind: 'device', name, bridgePort: false, prefix: false };
    }
    case 'mark':
      return { kind: 'mark', value: meta.mark };
    case 'mac':
      return shownMac(direction, input);
  }
}

/** Ports of what has ports, type and code of ICMP; any other protocol has port 0 (ip_set_get_ip_port in ip_set_getport.c). */
function shownPort(direction: IpsetDirection, { packet }: HookInput): Shown {
  const { l4 } = packet;
  const protocol = typeof l4.protocol === 'number' ? l4.protocol : PROTOCOLS[l4.protocol]!;
  if (!('sourcePort' in l4) && !('type' in l4)) return { kind: 'ports', protocol, from: 0, to: 0 };
  if ((packet.ip.fragmentOffset ?? 0) > 0) return 'absent';
  if ('type' in l4) return { kind: 'ports', protocol, from: l4.type * 256 + l4.code, to: l4.type * 256 + l4.code };
  const port = direction === 'src' ? l4.sourcePort : l4.destinationPort;
  // The kernel's own choice lies above the privileged ports.
  return port === 'ephemeral'
    ? { kind: 'ports', protocol, from: 1024, to: 65535 }
    : { kind: 'ports', protocol, from: port, to: port };
}

function shownMac(direction: IpsetDirection, { input, packet }: HookInput): Shown {
  if (input === undefined) return 'absent';
  const mac = direction === 'src' ? packet.macs?.source : packet.macs?.destination;
  return mac === undefined ? 'unknown' : { kind: 'mac', mac: mac.toLowerCase() };
}

/** `netmask`, `bitmask` and `markmask` of the set apply to the packet as they did to the entries. */
function masked(shown: Shown, set: Ipset): Shown {
  if (shown === 'absent' || shown === 'unknown') return shown;
  if (shown.kind === 'mark') {
    const mask = optionOf(set, 'markmask');
    return mask === undefined ? shown : { ...shown, value: (shown.value & Number(mask)) >>> 0 };
  }
  if (shown.kind !== 'addresses') return shown;
  const mask = addressMask(set);
  if (mask === undefined) return shown;
  return mask === 'unknown' ? 'unknown' : { ...shown, from: shown.from & mask, to: shown.to & mask };
}

function addressMask(set: Ipset): bigint | 'unknown' | undefined {
  const width = set.family === 4 ? 32n : 128n;
  const length = optionOf(set, 'netmask');
  if (length !== undefined) {
    if (!/^\d+$/.test(length) || BigInt(length) > width) return 'unknown';
    return ((1n << BigInt(length)) - 1n) << (width - BigInt(length));
  }
  const bits = optionOf(set, 'bitmask');
  if (bits === undefined) return undefined;
  const address = parseAddress(bits);
  return address === undefined ? 'unknown' : addressToBits(address);
}

function optionOf(set: Ipset, name: string): string | undefined {
  const index = set.options.indexOf(name);
  return index < 0 ? undefined : set.options[index + 1];
}

function matches(part: IpsetPart | undefined, shown: Shown): Truth {
  if (shown === 'absent') return 'no';
  if (part?.kind === 'any') return 'yes';
  if (shown === 'unknown' || part === undefined) return 'unknown';
  switch (part.kind) {
    case 'addresses':
      return shown.kind === 'addresses' ? overlap(part, shown) : 'unknown';
    case 'ports':
      return shown.kind === 'ports' ? matchesPorts(part, shown) : 'unknown';
    case 'device':
      return shown.kind === 'device' ? matchesDevice(part, shown.name) : 'unknown';
    case 'mark':
      return shown.kind === 'mark' ? truth(part.value === shown.value) : 'unknown';
    case 'mac':
      return shown.kind === 'mac' ? truth(part.mac === shown.mac) : 'unknown';
  }
}

function matchesPorts(part: IpsetPart & { kind: 'ports' }, shown: IpsetPart & { kind: 'ports' }): Truth {
  const protocol = part.protocol === undefined ? hasPorts(shown.protocol) : part.protocol === shown.protocol;
  return and(truth(protocol), overlap(part, shown));
}

function hasPorts(protocol: number | undefined): boolean {
  return [PROTOCOLS.tcp, PROTOCOLS.udp, PROTOCOLS.sctp, PROTOCOLS.udplite].includes(protocol);
}

/** What is shown is one value of its range: inside for sure, outside for sure, or open. */
function overlap<T extends bigint | number>(part: { from: T; to: T }, shown: { from: T; to: T }): Truth {
  if (shown.to < part.from || shown.from > part.to) return 'no';
  return part.from <= shown.from && shown.to <= part.to ? 'yes' : 'unknown';
}

/** A bridge's port is asked for by `physdev:`; the walk tells it beside the device. */
function matchesDevice(part: IpsetPart & { kind: 'device' }, name: string): Truth {
  if (part.bridgePort) return 'unknown';
  return truth(part.prefix ? name.startsWith(part.name) : part.name === name);
}
