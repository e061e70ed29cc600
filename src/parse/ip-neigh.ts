import type { Address } from '../net/address.ts';

/** One neighbour entry: `ip -j -d neigh show` (ip-neighbour(8)). */
export interface Neighbour {
  readonly address: Address;
  readonly device: string;
  readonly mac?: string;
  /** PERMANENT, REACHABLE, STALE, DELAY, PROBE, FAILED, INCOMPLETE, NOARP, NONE */
  readonly states: readonly string[];
  /** A proxy entry (`ip neigh show proxy`). */
  readonly proxy: boolean;
  readonly text: string;
}
