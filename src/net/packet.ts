import type { Address } from './address.ts';

/** 'ephemeral': the kernel's choice from ip_local_port_range; a rule that looks at such a port is undecided. */
export type Port = number | 'ephemeral';

export type L4 =
  | {
      readonly protocol: 'tcp' | 'udp' | 'sctp';
      readonly sourcePort: Port;
      readonly destinationPort: Port;
      /**
       * The range (inclusive) that an 'ephemeral' port was chosen from, of the client's or of NAT's; without it,
       * ip_local_port_range as it is by default.
       */
      readonly chosenFrom?: { readonly from: number; readonly to: number };
      /** The flow that an 'ephemeral' source port was chosen for: each has one of its own. */
      readonly chosenFor?: string;
      /** TCP flags that are set, lower case: a SYN is `['syn']`, its answer `['syn', 'ack']`. */
      readonly flags?: readonly string[];
      readonly mss?: number;
    }
  | {
      readonly protocol: 'icmp' | 'icmpv6';
      readonly type: number;
      readonly code: number;
      readonly id?: number;
      /** The packet that an ICMP error quotes. */
      readonly about?: Packet;
    }
  /** Any other IP protocol, by its number. */
  | { readonly protocol: number };

/** One IP packet as the walk sees it. Immutable: a step makes a new one. */
export interface Packet {
  readonly macs?: {
    readonly source: string;
    readonly destination: string;
    readonly vlan?: number;
    /** Where it is not 802.1Q. */
    readonly vlanProtocol?: '802.1ad';
    /** The sender has just asked for the destination, so that the bridges between have learnt both. */
    readonly asked?: true;
  };
  readonly ip: {
    readonly source: Address;
    readonly destination: Address;
    readonly ttl: number;
    readonly tos: number;
    readonly df: boolean;
    readonly fragmentOffset?: number;
  };
  readonly l4: L4;
  /** IP total length in bytes. */
  readonly lengthBytes: number;
  /** The packet that this one, a tunnel's outer packet, carries. */
  readonly inner?: Packet;
  /** The tunnel's own header on an outer packet. */
  readonly tunnel?: TunnelHeader;
  /** Length of the largest fragment that it travels in; absent while it is whole. */
  readonly fragmentBytes?: number;
  /**
   * A tunnel wraps each fragment of `inner` by itself: this outer packet stands for so many, all of its length but the last,
   * whose IP total length in bytes is `lastBytes`.
   */
  readonly series?: { readonly count: number; readonly lastBytes: number };
}

export interface NumberedHeader {
  readonly kind: 'vxlan' | 'geneve';
  readonly vni: number;
}

export interface BareHeader {
  readonly kind: 'ipip' | 'sit' | 'ip6tnl';
}

export interface KeyedHeader {
  readonly kind: 'gre' | 'gretap';
  readonly key?: number;
}

/** Public keys of the sender and of the peer that it means. */
export interface EncryptedHeader {
  readonly kind: 'wireguard';
  readonly from: string;
  readonly to: string;
}

/** What a tunnel's receiver looks at beside the outer addresses. */
export type TunnelHeader = NumberedHeader | BareHeader | KeyedHeader | EncryptedHeader;

/** What the kernel keeps beside the packet (`struct sk_buff`'s mark, `struct nf_conn`). */
export interface Meta {
  readonly mark: number;
  readonly connmark: number;
  readonly conntrack: 'new' | 'established' | 'related' | 'invalid' | 'untracked' | 'none';
  readonly zone: number;
  /** The zone counts for the tuple of this direction alone (`CT --zone-orig`, `ct original zone set`); absent: for both. */
  readonly zoneDirection?: 'original' | 'reply';
  readonly nat: readonly ('source' | 'destination')[];
}
