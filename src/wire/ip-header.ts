import type { Piece } from './piece.ts';
import type { WireIp } from './wire-packet.ts';

/** What the decoders of IPv4 and IPv6 give to those of what they carry. */
export interface IpHeader {
  readonly ip: WireIp;
  /** After the header; open in a fragment. */
  readonly payload: Piece;
  /** Sum of both addresses, for pseudo headers; undefined where a routing header hides the final destination. */
  readonly addressSum?: number;
}
