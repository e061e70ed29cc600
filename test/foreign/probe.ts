/** One packet that was sent for real through a fixture's rules. */
export interface Probe {
  /** The namespace that sends it; `node` is the fixture's own. */
  readonly from: string;
  /** Else the namespace's own choice. */
  readonly source?: string;
  readonly to: string;
  readonly protocol?: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly port?: number;
  readonly sourcePort?: number;
  /** The sending process's user, 0 if absent; its group is 0. */
  readonly user?: number;
  /** The socket's mark (SO_MARK). */
  readonly mark?: number;
}

/** What the kernel did with it. */
export interface Probed extends Probe {
  readonly sourcePort: number;
  /** The device by which it came to the node. */
  readonly device?: string;
  /** The iptables rules whose counters rose, `nat-nft CHAIN#3`. */
  readonly rose: readonly string[];
  /** The connection's entry; absent where the packet was not let through. */
  readonly entry?: { readonly to: string; readonly port: number; readonly source: string };
}
