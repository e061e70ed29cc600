import type { WireIcmp, WirePacket, WireSctp, WireTcp, WireUdp } from '../wire/wire-packet.ts';

/** What of a payload must be the same: a nonce of a probe, the identifier of a DNS message and its name, the time in a ping. */
const PAYLOAD_BYTES = 32;
/** Bits of TCP's header that routers may change on the way (RFC 3168), or that mean nothing for a packet's identity. */
const CHANGEABLE_FLAGS: ReadonlySet<string> = new Set(['ece', 'cwr']);
const ECHO_TYPES: Readonly<Record<WireIcmp['protocol'], readonly number[]>> = { icmp: [0, 8], icmpv6: [128, 129] };

/**
 * What stays the same of a packet through address translation and tunnels, so that it is known again on the next device: of
 * TCP its sequence numbers and flags, of UDP and ping their payload, of an ICMP error what it quotes. Ports and ICMP
 * identifiers are changed by NAT (nf_nat_core.c) and don't count. Undefined where nothing tells the packet from others:
 * a later fragment, an encrypted one.
 */
export function packetKey(packet: WirePacket): string | undefined {
  const { l4 } = packet;
  switch (l4?.protocol) {
    case 'tcp':
      return tcpKey(l4);
    case 'udp':
      return udpKey(l4);
    case 'icmp':
    case 'icmpv6':
      return icmpKey(l4);
    case 'sctp':
      return sctpKey(l4);
    default:
      return undefined;
  }
}

function tcpKey({ sequence, acknowledgement, flags, payloadLength }: WireTcp): string {
  const shown = flags.filter((flag) => !CHANGEABLE_FLAGS.has(flag)).toSorted();
  return `tcp ${shown.join(',')} ${sequence} ${acknowledgement} ${payloadLength}`;
}

function udpKey({ length, payload }: WireUdp): string {
  return `udp ${length} ${hex(payload)}`;
}

function sctpKey({ verificationTag, chunks, payload }: WireSctp): string {
  return `sctp ${verificationTag} ${chunks.join(',')} ${hex(payload)}`;
}

function icmpKey({ protocol, type, code, sequence, payload, about }: WireIcmp): string | undefined {
  if (about) {
    const quoted = quotedKey(about);
    return quoted === undefined ? undefined : `${protocol} ${type}/${code} about ${quoted}`;
  }
  if (!ECHO_TYPES[protocol].includes(type)) return undefined;
  return `${protocol} ${type} ${sequence} ${hex(payload)}`;
}

/** A quoted TCP header may be cut behind the sequence number (RFC 792: 64 bits of the datagram). */
function quotedKey(about: WirePacket): string | undefined {
  const { l4 } = about;
  if (l4?.protocol === 'tcp') return `tcp ${l4.sequence}`;
  return packetKey(about);
}

/** Whether an ICMP error's key is about a packet of this key. */
export function isAbout(errorKey: string, key: string): boolean {
  const quoted = errorKey.split(' about ')[1];
  if (quoted === undefined) return false;
  if (quoted === key) return true;
  const [protocol, sequence] = quoted.split(' ');
  const [sameProtocol, , itsSequence] = key.split(' ');
  return protocol === 'tcp' && sameProtocol === 'tcp' && sequence === itsSequence;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, PAYLOAD_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
