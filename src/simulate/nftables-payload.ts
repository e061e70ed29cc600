import { type Address, addressToBits } from '../net/address.ts';
import type { L4, Packet, Port } from '../net/packet.ts';
import { asNumber, asRecord, asText } from '../parse/nft-node.ts';
import { chosenFromOf, EPHEMERAL_PORTS, type PortRange } from './ephemeral-port.ts';
import type { ArpMessage } from './hook.ts';
import { linkNamed } from './hook-input.ts';
import { ABSENT, type NftDatum, type NftType, notKnown, numberOf } from './nftables-datum.ts';
import { fieldOf } from './nftables-fields.ts';
import {
  arpHeader,
  frameHeader,
  type HeaderBits,
  networkBytes,
  networkHeader,
  sliceBits,
  transportHeader,
} from './nftables-header.ts';
import { type NftScope, protocolOf } from './nftables-state.ts';
import { PROTOCOLS } from './nftables-symbols.ts';
import type { Truth } from './trace.ts';
import { truth } from './truth.ts';

/**
 * `payload` (nft(8) "Payload expressions"). nft leaves out the dependency that a field implies (`tcp dport` is only met in
 * TCP, `ip saddr` only in IPv4), so it is checked here; a packet without the field leaves the rule (net/netfilter/nft_payload.c).
 */
export function evaluatePayload(body: unknown, scope: NftScope, what: string): NftDatum {
  const payload = asRecord(body) ?? {};
  if (payload.tunnel !== undefined) return notKnown(what);
  if (payload.base !== undefined) return rawField(payload, scope, what);
  const protocol = asText(payload.protocol) ?? '';
  if (protocol === 'ether') {
    const isFramed = cameByEthernet(scope);
    if (isFramed !== 'yes') return isFramed === 'no' ? ABSENT : notKnown(what);
  }
  if (scope.input.arp || protocol === 'ether' || protocol === 'vlan') return namedField(protocol, payload, scope, what);
  return remembered(protocol, payload, scope, what);
}

/** By protocol and field. */
const fields = new WeakMap<Packet, Map<string, Map<unknown, NftDatum>>>();

/** Most rules look at the same few fields, which depend on the packet alone. */
function remembered(
  protocol: string,
  payload: Readonly<Record<string, unknown>>,
  scope: NftScope,
  what: string,
): NftDatum {
  const { packet } = scope.state;
  let protocols = fields.get(packet);
  if (!protocols) {
    protocols = new Map();
    fields.set(packet, protocols);
  }
  let known = protocols.get(protocol);
  if (!known) {
    known = new Map();
    protocols.set(protocol, known);
  }
  const former = known.get(payload.field);
  if (former) return former;
  const datum = namedField(protocol, payload, scope, what);
  known.set(payload.field, datum);
  return datum;
}

function namedField(
  protocol: string,
  payload: Readonly<Record<string, unknown>>,
  scope: NftScope,
  what: string,
): NftDatum {
  if (!isCarried(protocol, scope)) return ABSENT;
  if (protocol === 'ip' || protocol === 'ip6') {
    const { source, destination } = scope.state.packet.ip;
    // Of all fields the most asked for.
    if (payload.field === 'saddr') return addressDatum(source);
    if (payload.field === 'daddr') return addressDatum(destination);
  }
  const field = fieldOf(protocol, asText(payload.field) ?? '');
  if (!field) return notKnown(what);
  const { l4 } = scope.state.packet;
  if (field.types && !('type' in l4 && field.types.includes(l4.type))) return ABSENT;
  return readField(field.base, field.offset, field.length, field.type, scope, what);
}

function addressDatum(address: Address): NftDatum {
  return numberOf(address.includes(':') ? 'ipv6_addr' : 'ipv4_addr', addressToBits(address));
}

/** Where a table's packets can come by other devices than Ethernet's, nft asks for `iiftype ether` first (payload_gen_dependency). */
function cameByEthernet({ input, table }: NftScope): Truth {
  if (input.arp || table.family === 'bridge' || table.family === 'netdev') return 'yes';
  if (input.input === undefined) return 'no';
  const link = linkNamed(input.snapshot, input.place, input.input);
  return link ? truth(link.type === 'ether') : 'unknown';
}

/** Does the packet have this protocol's header at all? */
function isCarried(protocol: string, scope: NftScope): boolean {
  const { input, state } = scope;
  if (input.arp) return protocol === 'arp' || protocol === 'ether';
  switch (protocol) {
    case 'ip':
      return input.family === 4;
    case 'ip6':
      return input.family === 6;
    case 'arp':
      return false;
    case 'vlan':
      return state.packet.macs?.vlan !== undefined;
    case 'ether':
    case 'th':
      return true;
    default: {
      const number = PROTOCOLS[protocol];
      return number === undefined || number === protocolOf(state.packet.l4);
    }
  }
}

/** `@nh,96,32`: base, offset and length in bits. */
function rawField(payload: Readonly<Record<string, unknown>>, scope: NftScope, what: string): NftDatum {
  const base = asText(payload.base);
  const offset = asNumber(payload.offset);
  const length = asNumber(payload.len);
  if (offset === undefined || length === undefined || length < 1) return notKnown(what);
  if (base !== 'll' && base !== 'nh' && base !== 'th') return notKnown(what);
  return readField(base, offset, length, 'integer', scope, what);
}

function readField(
  base: 'll' | 'nh' | 'th',
  offset: number,
  length: number,
  type: NftType,
  scope: NftScope,
  what: string,
): NftDatum {
  const { packet } = scope.state;
  if (
    !scope.input.arp &&
    base === 'th' &&
    length === 16 &&
    offset < 32 &&
    offset % 16 === 0 &&
    'sourcePort' in packet.l4
  ) {
    if (isLaterFragment(packet)) return ABSENT;
    const { sourcePort, destinationPort } = packet.l4;
    return portDatum(offset === 0 ? sourcePort : destinationPort, what, chosenFromOf(packet.l4));
  }
  const header = headerAt(base, scope);
  if (!header || (!scope.input.arp && offset + length > capacityBits(base, packet))) return ABSENT;
  const { value, known } = sliceBits(header, offset, length);
  if (known === 0n) return notKnown(what);
  const undecided = ((1n << BigInt(length)) - 1n) & ~known;
  return undecided === 0n ? numberOf(type, value) : { kind: 'number', type, value, undecided };
}

function headerAt(base: 'll' | 'nh' | 'th', scope: NftScope): HeaderBits | undefined {
  const { arp } = scope.input;
  if (arp) return arpHeaderAt(base, arp);
  const { packet } = scope.state;
  if (base === 'nh') return networkHeader(packet, protocolOf(packet.l4));
  if (base === 'th') return isLaterFragment(packet) ? undefined : transportHeader(packet);
  return hasFrame(scope) ? frameHeader(macsOf(scope), scope.input.family === 4 ? 0x0800 : 0x86dd) : undefined;
}

const ARP = 0x0806;
const EVERYBODY = 'ff:ff:ff:ff:ff:ff';

function arpHeaderAt(base: 'll' | 'nh' | 'th', arp: ArpMessage): HeaderBits | undefined {
  if (base === 'nh') return arpHeader(arp);
  if (base === 'th') return undefined;
  const destination = arp.operation === 'request' ? EVERYBODY : arp.targetMac;
  const known = arp.senderMac !== undefined && destination !== undefined;
  return frameHeader(known ? { source: arp.senderMac, destination } : undefined, ARP);
}

/** What lies behind the packet's end leaves the rule. */
function capacityBits(base: 'll' | 'nh' | 'th', packet: Packet): number {
  if (base === 'th') return (packet.lengthBytes - networkBytes(packet)) * 8;
  return packet.lengthBytes * 8 + (base === 'll' ? 112 : 0);
}

function isLaterFragment(packet: Packet): boolean {
  return (packet.ip.fragmentOffset ?? 0) > 0;
}

/** A packet of a socket of this namespace has no frame header before it is sent; one that came in keeps it to the end. */
function hasFrame({ input }: NftScope): boolean {
  if (input.layer) return true;
  if (input.hook === 'output' || input.socket !== undefined) return false;
  const link = linkNamed(input.snapshot, input.place, input.input);
  return link === undefined || link.type === 'ether' || link.type === 'loopback';
}

const NO_MAC = '00:00:00:00:00:00';

/** Loopback's frames have zeros. */
function macsOf({ input, state }: NftScope): Packet['macs'] {
  return input.input === 'lo' ? { source: NO_MAC, destination: NO_MAC } : state.packet.macs;
}

export function portDatum(port: Port | undefined, what: string, chosenFrom: PortRange = EPHEMERAL_PORTS): NftDatum {
  if (port === undefined) return notKnown(what);
  if (port !== 'ephemeral') return numberOf('inet_service', port);
  return { kind: 'span', type: 'inet_service', from: BigInt(chosenFrom.from), to: BigInt(chosenFrom.to), what };
}

/** The names of the headers that this packet has, outermost first. */
export function carriedProtocols(packet: Packet): readonly string[] {
  const network = packet.ip.source.includes(':') ? 'ip6' : 'ip';
  const { protocol }: L4 = packet.l4;
  return typeof protocol === 'string' ? ['ether', network, protocol] : ['ether', network];
}
