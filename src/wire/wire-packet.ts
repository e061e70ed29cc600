import type { Address } from '../net/address.ts';
import type { TunnelHeader } from '../net/packet.ts';

/**
 * 'partial': left to the device (or merged by GRO): only the pseudo header's sum is there, which is no fault.
 * 'absent': the protocol has none here (UDP that says 0; the IPv6 header).
 * 'unknown': it covers bytes that are not here: cut by the snap length, a fragment, or a quoted packet; or an IPv6
 * routing header of a kind that is not understood hides the final destination.
 */
export type Checksum = 'good' | 'bad' | 'partial' | 'absent' | 'unknown';

export interface WireIp {
  readonly version: 4 | 6;
  readonly source: Address;
  readonly destination: Address;
  /** IPv6: hop limit. */
  readonly ttl: number;
  /** The whole octet, DSCP and ECN. IPv6: traffic class. */
  readonly tos: number;
  /** Bytes with this header; of a packet whose header says 0 (TSO, BIG TCP) what the frame carried. */
  readonly totalLength: number;
  /** The protocol after IPv6's extension headers, by its number. */
  readonly protocol: number;
  /** IPv6: only of a fragment. */
  readonly id?: number;
  /** IPv6: always, since no router may fragment it. */
  readonly df: boolean;
  readonly moreFragments: boolean;
  /** In bytes. */
  readonly fragmentOffset: number;
  /** Of the header. */
  readonly checksum: Checksum;
}

export interface WireTcp {
  readonly protocol: 'tcp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** Those that are set, lower case, in the order of their bits: fin, syn, rst, psh, ack, urg, ece, cwr, ae. */
  readonly flags: readonly string[];
  /** As it stands in the header, not scaled. */
  readonly window: number;
  /** Shift count of the option, which only a SYN carries. */
  readonly windowScale?: number;
  readonly mss?: number;
  readonly sackPermitted?: true;
  readonly sacks?: readonly { readonly left: number; readonly right: number }[];
  readonly timestamps?: { readonly value: number; readonly echo: number };
  /** By IP's length, whether captured or not. */
  readonly payloadLength: number;
  /** What of it was captured. */
  readonly payload: Uint8Array;
  readonly checksum: Checksum;
  /** Only the ports and the sequence number were there (an ICMP error may quote 8 bytes): all else says nothing. */
  readonly headerCut?: true;
}

export interface WireUdp {
  readonly protocol: 'udp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of header and payload, by UDP's own header. */
  readonly length: number;
  readonly payload: Uint8Array;
  readonly checksum: Checksum;
}

export interface WireSctp {
  readonly protocol: 'sctp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly verificationTag: number;
  /** Chunk types in their order (RFC 9260, 3.2): 0 DATA, 1 INIT, 2 INIT ACK, 6 ABORT … */
  readonly chunks: readonly number[];
  readonly payload: Uint8Array;
  readonly checksum: Checksum;
}

export interface WireIcmp {
  readonly protocol: 'icmp' | 'icmpv6';
  readonly type: number;
  readonly code: number;
  /** Of echo and timestamp messages. */
  readonly id?: number;
  readonly sequence?: number;
  /** Next hop's MTU of "fragmentation needed" and "packet too big"; 0 from a router older than RFC 1191. */
  readonly mtu?: number;
  /** What a neighbour message asks for or tells, or where a redirect points to. */
  readonly target?: Address;
  /** After the first eight bytes. */
  readonly payload: Uint8Array;
  /** The packet that an error quotes, as far as it does. */
  readonly about?: WirePacket;
  readonly checksum: Checksum;
}

export interface WireArp {
  /** 1 request, 2 reply. */
  readonly operation: number;
  readonly senderMac: string;
  readonly senderAddress: Address;
  readonly targetMac: string;
  readonly targetAddress: Address;
}

export interface WireLink {
  readonly source?: string;
  /** Cooked frames have none. */
  readonly destination?: string;
  /** After VLAN tags; below 0x600 it is the length of an IEEE 802.3 frame. */
  readonly etherType: number;
  /** Identifier of the outermost VLAN tag. */
  readonly vlan?: number;
  /** Of the tag within it (802.1ad, QinQ). */
  readonly innerVlan?: number;
  /** Cooked frames: how the packet came to the device. */
  readonly packetType?: 'host' | 'broadcast' | 'multicast' | 'other-host' | 'outgoing';
  /** SLL2: index of the device in the network namespace that was captured in. */
  readonly deviceIndex?: number;
}

export interface GeneveOption {
  readonly optionClass: number;
  readonly type: number;
  readonly critical: boolean;
  readonly data: Uint8Array;
}

/** The part of WireGuard's message that is not encrypted. */
export interface WireGuardMessage {
  readonly type: 'initiation' | 'response' | 'cookie' | 'data';
  /** Index that the receiver chose for the session; an initiation has none. */
  readonly receiver?: number;
  /** Index that the sender chose: initiation and response. */
  readonly sender?: number;
}

export interface WirePacket {
  /** Of its IP header in the frame, in bytes. */
  readonly offset: number;
  readonly ip: WireIp;
  /** Absent: a later fragment, cut off by the snap length, malformed, or another protocol. */
  readonly l4?: WireTcp | WireUdp | WireIcmp | WireSctp;
  /** Set on an outer packet; `inner` is absent where what it carries was cut off or is no IP. */
  readonly tunnel?: TunnelHeader;
  readonly geneveOptions?: readonly GeneveOption[];
  readonly gre?: { readonly sequence?: number; readonly checksum: Checksum };
  readonly wireguard?: WireGuardMessage;
  readonly inner?: WirePacket;
  /** Of a tunnel that carries Ethernet. */
  readonly innerLink?: WireLink;
  readonly innerArp?: WireArp;
}

export interface DecodedFrame {
  readonly link?: WireLink;
  readonly arp?: WireArp;
  readonly packet?: WirePacket;
  /** The last of packet, inner, inner … */
  readonly innermost?: WirePacket;
  /** The first thing that contradicts itself, in words; what was read before it stands. A short capture is none. */
  readonly malformed?: string;
}
