import type { TunnelHeader } from '../net/packet.ts';
import type { Piece } from './piece.ts';
import type { WirePacket } from './wire-packet.ts';

/** EtherType of an Ethernet frame within GRE, Geneve (RFC 1701, RFC 8926): "transparent Ethernet bridging". */
export const ETHERNET_IN_TUNNEL = 0x6558;

/** A tunnel's header, and what it carries. */
export interface Carrier extends Pick<WirePacket, 'geneveOptions' | 'gre'> {
  readonly tunnel: TunnelHeader;
  /** EtherType of the payload; 0 where it is something that is not understood. */
  readonly carries: number;
  readonly payload: Piece;
}
