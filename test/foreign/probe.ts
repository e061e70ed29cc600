/** One packet that was sent for real through a fixture's rules. */
export interface Probe {
  readonly from: 'client' | 'web' | 'outside' | 'node';
  /** Else the namespace's own choice. */
  readonly source?: string;
  readonly to: string;
  readonly protocol?: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly port?: number;
  readonly sourcePort?: number;
  /** The sending process's user. */
  readonly user?: number;
}

/** What the kernel did with it. */
export interface Probed extends Probe {
  readonly sourcePort: number;
  /** The iptables rules whose counters rose, `nat-nft CHAIN#3`. */
  readonly rose: readonly string[];
  /** The connection's entry; absent where the packet was not let through. */
  readonly entry?: { readonly to: string; readonly port: number; readonly source: string };
}
