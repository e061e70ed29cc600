import { decodeEthernet } from './decode-ethernet.ts';
import { decodeSll, decodeSll2 } from './decode-linux-cooked.ts';
import { type Carried, decodeCarried, decodeLinked } from './decode-packet.ts';
import type { Decoding } from './decoding.ts';
import { type Piece, pieceOf, restOf } from './piece.ts';
import type { DecodedFrame, WirePacket } from './wire-packet.ts';

/** IANA's port (RFC 7348), and Linux's of before (drivers/net/vxlan), which flannel and Cilium use. */
const VXLAN_PORTS = [4789, 8472];
/** The default, flannel's second one for IPv6, and Cilium's. */
const WIREGUARD_PORTS = [51820, 51821, 51871];

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** A BSD loopback header is an address family, whose number only tells IPv4 and IPv6 apart where one knows the system. */
const FAMILY_BYTES = 4;

export interface DecodeOptions {
  /** Beside 4789 and 8472. */
  readonly vxlanPorts?: readonly number[];
  /** Beside 51820, 51821 and 51871. */
  readonly wireguardPorts?: readonly number[];
}

/**
 * A frame with all its headers, down to the innermost packet of tunnels. Never throws: what is not there, was cut off by
 * the snap length or is not understood is absent, and `malformed` says what contradicts itself. `linkType` is a LINKTYPE_
 * number; understood are Ethernet (1), bare IP (12, 14, 101, 228, 229), Linux cooked (113, 276), loopback (0, 108).
 */
export function decodeFrame(
  frame: { readonly bytes: Uint8Array; readonly originalLength: number },
  linkType: number,
  options: DecodeOptions = {},
): DecodedFrame {
  const decoding: Decoding = {
    vxlanPorts: new Set([...VXLAN_PORTS, ...(options.vxlanPorts ?? [])]),
    wireguardPorts: new Set([...WIREGUARD_PORTS, ...(options.wireguardPorts ?? [])]),
    level: 0,
    problems: [],
  };
  const piece = pieceOf(frame.bytes, frame.originalLength);
  const { link, arp, packet } = decodeByLinkType(piece, linkType, decoding);
  const [malformed] = decoding.problems;
  return {
    ...(link && { link }),
    ...(arp && { arp }),
    ...(packet && { packet, innermost: innermostOf(packet) }),
    ...(malformed !== undefined && { malformed }),
  };
}

function decodeByLinkType(piece: Piece, linkType: number, decoding: Decoding): Carried {
  switch (linkType) {
    case 1:
      return decodeLinked(decodeEthernet(piece, decoding), decoding);
    case 113:
      return decodeLinked(decodeSll(piece, decoding), decoding);
    case 276:
      return decodeLinked(decodeSll2(piece, decoding), decoding);
    case 12:
    case 14:
    case 101:
      return decodeBare(piece, decoding);
    case 228:
      return decodeCarried(IPV4, piece, decoding);
    case 229:
      return decodeCarried(IPV6, piece, decoding);
    case 0:
    case 108:
      return decodeBare(restOf(piece, FAMILY_BYTES), decoding);
    default:
      decoding.problems.push(`link type ${linkType} is not understood`);
      return {};
  }
}

function decodeBare(piece: Piece, decoding: Decoding): Carried {
  const version = (piece.bytes[0] ?? 0) >> 4;
  return decodeCarried(version === 6 ? IPV6 : IPV4, piece, decoding);
}

function innermostOf(packet: WirePacket): WirePacket {
  return packet.inner ? innermostOf(packet.inner) : packet;
}
