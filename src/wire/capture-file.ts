import type { Address } from '../net/address.ts';

/** One place that frames were captured at: an interface description block of a pcapng file; a pcap file has just one. */
export interface CaptureInterface {
  readonly name?: string;
  readonly description?: string;
  readonly comment?: string;
  /** In the language of pcap-filter(7). */
  readonly filter?: string;
  /** LINKTYPE_ number: 1 Ethernet, 101 bare IP, 113 and 276 "Linux cooked" (https://www.tcpdump.org/linktypes.html). */
  readonly linkType: number;
  /** Bytes of a frame that were kept at most; 0 is no limit. */
  readonly snapLength: number;
  /** Frames that the filter let in, and frames that were lost for want of room (interface statistics block). */
  readonly received?: number;
  readonly dropped?: number;
}

export interface CapturedFrame {
  /** Index in the file's `interfaces`. */
  readonly interface: number;
  /** Nanoseconds since 1970, UTC; 0 where the file has no time for it (simple packet block). */
  readonly timestampNs: bigint;
  /** What was kept of the frame: a view of the file's bytes. */
  readonly bytes: Uint8Array;
  /** Bytes that the frame had on its way; never less than what was kept. */
  readonly originalLength: number;
  readonly comment?: string;
  /** Seen from the device that it was captured on. */
  readonly direction?: 'in' | 'out';
}

export interface NamedAddress {
  readonly address: Address;
  readonly names: readonly string[];
}

export interface CaptureFile {
  readonly interfaces: readonly CaptureInterface[];
  /** In the file's order, which need not be that of time. */
  readonly frames: readonly CapturedFrame[];
  /** Name resolution blocks: what readers show in place of an address. */
  readonly names?: readonly NamedAddress[];
  readonly comment?: string;
  /** What was wrong with the file after the frames that could be read: cut in the middle of a block, a size that cannot be. */
  readonly damage?: string;
}
