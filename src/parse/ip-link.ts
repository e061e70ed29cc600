import type { Address } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';

/** One network device: `ip -d -s -j addr show` (ip-link(8), ip-address(8)). */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFF_* as iproute2 prints them: UP, LOWER_UP, NO-CARRIER, BROADCAST, LOOPBACK, PROMISC … */
  readonly flags: readonly string[];
  readonly mtu: number;
  /** UP, DOWN, LOWERLAYERDOWN, UNKNOWN … (RFC 2863 ifOperStatus) */
  readonly operstate: string;
  /** `link_type`: ether, loopback, none … */
  readonly type: string;
  /** Lower-case MAC, where it has one. */
  readonly mac?: string;
  /** `linkinfo.info_kind`: veth, bridge, vxlan, … */
  readonly kind?: string;
  /** Name of the master (bridge, bond, VRF). */
  readonly master?: string;
  /** Index of the peer or lower device (`link_index`), and the namespace id it lives in when it is another one. */
  readonly peerIndex?: number;
  readonly peerNamespaceId?: number;
  /** The lower device's name, when in the same namespace (`link`). */
  readonly lower?: string;
  readonly addresses: readonly LinkAddress[];
  readonly bridge?: {
    readonly vlanFiltering: boolean;
    readonly stpState: number;
    readonly nfCallIptables?: boolean;
    readonly nfCallIp6tables?: boolean;
  };
  /** Set where the link is a bridge's port. */
  readonly bridgePort?: {
    readonly state: string; // disabled, listening, learning, forwarding, blocking
    readonly hairpin: boolean;
    readonly isolated: boolean;
    readonly learning: boolean;
    readonly flood: boolean;
  };
  readonly vxlan?: {
    readonly id: number;
    readonly local?: Address;
    readonly remote?: Address;
    readonly group?: Address;
    readonly lower?: string;
    readonly port: number;
    readonly learning: boolean;
    readonly external: boolean;
    readonly udpChecksum: boolean;
    readonly ttl?: number;
  };
  /** `xdp` or an attached program seen by iproute2, by name or id. */
  readonly xdp?: string;
  readonly statistics?: LinkStatistics;
}

export interface LinkAddress {
  readonly prefix: Prefix;
  readonly peer?: Address;
  readonly scope: string; // global, link, host
  /** tentative, dadfailed, deprecated, secondary … */
  readonly flags: readonly string[];
}

export interface LinkStatistics {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txErrors: number;
  readonly txDropped: number;
}
