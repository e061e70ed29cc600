import { type Carrier, ETHERNET_IN_TUNNEL } from './carrier.ts';
import { decodeArp } from './decode-arp.ts';
import { type DecodedLink, decodeEthernet } from './decode-ethernet.ts';
import { decodeGeneve } from './decode-geneve.ts';
import { decodeGre } from './decode-gre.ts';
import { decodeIcmp } from './decode-icmp.ts';
import { decodeIpv4 } from './decode-ipv4.ts';
import { decodeIpv6 } from './decode-ipv6.ts';
import { decodeSctp } from './decode-sctp.ts';
import { decodeTcp } from './decode-tcp.ts';
import { type DecodedUdp, decodeUdp } from './decode-udp.ts';
import { decodeVxlan } from './decode-vxlan.ts';
import { decodeWireguard } from './decode-wireguard.ts';
import { type Decoding, has } from './decoding.ts';
import type { IpHeader } from './ip-header.ts';
import { localChecksum, type PartialSum } from './local-checksum.ts';
import type { Piece } from './piece.ts';
import type { Checksum, WireArp, WireLink, WirePacket } from './wire-packet.ts';

const IPV4 = 0x0800;
const ARP = 0x0806;
const IPV6 = 0x86dd;
const GENEVE_PORT = 6081;
/** Linux lets a packet through ten devices within each other (XMIT_RECURSION_LIMIT, 8, and some). */
const LEVELS_MAX = 10;

/** What an EtherType announced. */
export interface Carried {
  readonly link?: WireLink;
  readonly arp?: WireArp;
  readonly packet?: WirePacket;
  /** Of the innermost transport header that is left to the device. */
  readonly partial?: PartialSum;
}

/** A payload by its EtherType, with all that is within it; nothing where the type is not understood. */
export function decodeCarried(etherType: number, piece: Piece, decoding: Decoding): Carried {
  if (decoding.level > LEVELS_MAX) {
    decoding.problems.push(`more than ${LEVELS_MAX} headers within each other (byte ${piece.offset})`);
    return {};
  }
  switch (etherType) {
    case IPV4:
      return decodePacket(4, piece, decoding);
    case IPV6:
      return decodePacket(6, piece, decoding);
    case ETHERNET_IN_TUNNEL:
      return decodeLinked(decodeEthernet(piece, decoding), decoding);
    case ARP: {
      const arp = decodeArp(piece, decoding);
      return arp ? { arp } : {};
    }
    default:
      return {};
  }
}

/** What a link-layer header is before. */
export function decodeLinked(decoded: DecodedLink | undefined, decoding: Decoding): Carried {
  if (!decoded) return {};
  const { link, payload } = decoded;
  /* Only tunnels announce Ethernet by an EtherType. */
  return link.etherType === ETHERNET_IN_TUNNEL
    ? { link }
    : { link, ...decodeCarried(link.etherType, payload, decoding) };
}

function decodePacket(version: 4 | 6, piece: Piece, decoding: Decoding): Carried {
  if (!has(piece, 1, 'an IP header', decoding)) return {};
  const stated = piece.bytes[0]! >> 4;
  if (stated !== version) {
    decoding.problems.push(`IP version ${stated} where ${version} was announced (byte ${piece.offset})`);
    return {};
  }
  const header = version === 4 ? decodeIpv4(piece, decoding) : decodeIpv6(piece, decoding);
  if (!header) return {};
  const { partial, ...body } = header.ip.fragmentOffset > 0 ? {} : decodeBody(header, decoding);
  return { packet: { offset: piece.offset, ip: header.ip, ...body }, ...(partial && { partial }) };
}

/** What follows an IP header that is the packet's only or its first fragment's. */
type Body = Omit<WirePacket, 'offset' | 'ip'> & { readonly partial?: PartialSum };

function decodeBody(header: IpHeader, decoding: Decoding): Body {
  const { ip, payload } = header;
  switch (ip.protocol) {
    case 1:
      return ip.version === 4 ? decodeIcmpBody(header, decoding) : {};
    case 4:
      return decodeTunnel({ tunnel: { kind: ip.version === 4 ? 'ipip' : 'ip6tnl' }, carries: IPV4, payload }, decoding);
    case 6:
      return decodeTcpBody(header, decoding);
    case 17:
      return decodeUdpBody(header, decoding);
    case 41:
      return decodeTunnel({ tunnel: { kind: ip.version === 4 ? 'sit' : 'ip6tnl' }, carries: IPV6, payload }, decoding);
    case 47:
      return decodeGreBody(payload, decoding);
    case 58:
      return ip.version === 6 ? decodeIcmpBody(header, decoding) : {};
    case 132: {
      const l4 = decodeSctp(payload, decoding);
      return l4 ? { l4 } : {};
    }
    default:
      return {};
  }
}

function decodeTcpBody({ payload, addressSum }: IpHeader, decoding: Decoding): Body {
  const l4 = decodeTcp(payload, addressSum, decoding);
  if (!l4) return {};
  if (l4.checksum !== 'partial') return { l4 };
  return {
    l4,
    partial: { offset: payload.offset, field: payload.view.getUint16(16), mayBeMerged: l4.payloadLength > 0 },
  };
}

function decodeIcmpBody({ ip, payload, addressSum }: IpHeader, decoding: Decoding): Body {
  const decoded = decodeIcmp(payload, ip.version, addressSum, decoding);
  if (!decoded?.quote) return decoded ? { l4: decoded.icmp } : {};
  /* What is wrong with a quote says nothing of the frame: routers cut and change it. */
  const within = { ...decoding, level: decoding.level + 1, problems: [] };
  const about = decodeCarried(ip.version === 4 ? IPV4 : IPV6, decoded.quote, within).packet;
  return { l4: { ...decoded.icmp, ...(about && { about }) } };
}

function decodeUdpBody({ payload, addressSum }: IpHeader, decoding: Decoding): Body {
  const datagram = decodeUdp(payload, addressSum, decoding);
  if (!datagram) return {};
  const { piece, udp } = datagram;
  const own: Pick<Body, 'partial'> =
    udp.checksum === 'partial'
      ? { partial: { offset: piece.offset, field: piece.view.getUint16(6), mayBeMerged: true } }
      : {};
  const carrier = carrierOf(datagram, decoding);
  if (carrier) {
    const body = decodeTunnel(carrier, decoding);
    return { ...own, ...body, l4: { ...udp, checksum: outerChecksum(datagram, body.partial) } };
  }
  const wireguard = wireguardIn(datagram, decoding);
  return { ...own, l4: udp, ...(wireguard && { wireguard }) };
}

function carrierOf({ udp, payload }: DecodedUdp, { vxlanPorts }: Decoding): Carrier | undefined {
  if (vxlanPorts.has(udp.destinationPort)) return decodeVxlan(payload);
  return udp.destinationPort === GENEVE_PORT ? decodeGeneve(payload) : undefined;
}

function wireguardIn({ udp, payload }: DecodedUdp, { wireguardPorts }: Decoding): WirePacket['wireguard'] {
  const isIts = wireguardPorts.has(udp.destinationPort) || wireguardPorts.has(udp.sourcePort);
  return isIts ? decodeWireguard(payload) : undefined;
}

/** An outer header may count on what the device will write within. */
function outerChecksum({ udp, piece, pseudo }: DecodedUdp, partial: PartialSum | undefined): Checksum {
  const isOpen = udp.checksum === 'bad' || udp.checksum === 'unknown';
  if (!isOpen || !partial || pseudo === undefined || piece.open) return udp.checksum;
  return localChecksum(piece, pseudo, partial);
}

function decodeGreBody(payload: Piece, decoding: Decoding): Body {
  const carrier = decodeGre(payload, decoding);
  if (!carrier?.gre) return {};
  const body = decodeTunnel(carrier, decoding);
  const { checksum } = carrier.gre;
  const isOpen = (checksum === 'bad' || checksum === 'unknown') && !payload.open;
  if (!isOpen || !body.partial) return body;
  const local = localChecksum(payload, 0, body.partial);
  /* Of merged segments it is still that of the first: gre_gro_complete leaves it, where UDP's is renewed. */
  const isStale = local === 'bad' && body.partial.mayBeMerged;
  return { ...body, gre: { ...carrier.gre, checksum: isStale ? 'unknown' : local } };
}

function decodeTunnel({ tunnel, gre, geneveOptions, carries, payload }: Carrier, decoding: Decoding): Body {
  const { packet, link, arp, partial } = decodeCarried(carries, payload, { ...decoding, level: decoding.level + 1 });
  return {
    tunnel,
    ...(gre && { gre }),
    ...(geneveOptions && { geneveOptions }),
    ...(packet && { inner: packet }),
    ...(link && { innerLink: link }),
    ...(arp && { innerArp: arp }),
    ...(partial && { partial }),
  };
}
