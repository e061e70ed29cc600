import type { Network } from './network.ts';

/** What a network is laid out like. */
export interface Layout {
  readonly nodes: 1 | 2;
  /** Pods of each node; absent: one or two. */
  readonly pods?: 2;
  /** Pods are on a bridge, else each has a routed cable of its own. */
  readonly bridged: boolean;
  /** Neighbours ask for each other, else they are known. */
  readonly asks: boolean;
}

/** Something of the coverage list that a case may have. */
export interface Feature {
  /** As coverage counts it: `iptables match ttl`, `route blackhole`. Items that it adds carry this name, or one that begins with it. */
  readonly name: string;
  /** How often it is chosen beside others while weights.json has nothing of it; 1 unless told. */
  readonly weight?: number;
  /** Whether its effect cannot be decided from the state, so that a walk may go both ways. */
  readonly isUndecidable?: boolean;
  /** What the network must look like to have a place for it. */
  readonly wants?: Partial<Layout>;
  /** Adds it to the network, aimed at one of its packets; false where there is no place for it. */
  readonly add: (network: Network) => boolean;
}
