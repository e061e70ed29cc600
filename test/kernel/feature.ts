import type { Network } from './network.ts';

/** Something of the coverage list that a case may have. */
export interface Feature {
  /** As coverage counts it: `iptables match ttl`, `route blackhole`. Items that it adds carry this name, or one that begins with it. */
  readonly name: string;
  /** How often it is chosen beside others; 1 unless told. */
  readonly weight?: number;
  /** Whether its effect cannot be decided from the state, so that a walk may go both ways. */
  readonly isUndecidable?: boolean;
  /** Adds it to the network, aimed at one of its packets; false where there is no place for it. */
  readonly add: (network: Network) => boolean;
}
