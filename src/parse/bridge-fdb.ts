import type { Address } from '../net/address.ts';

/** One forwarding entry of a bridge or VXLAN device: `bridge -j -d fdb show` (bridge(8)). */
export interface FdbEntry {
  readonly mac: string;
  readonly device: string;
  readonly master?: string;
  readonly vlan?: number;
  /** VXLAN: the remote VTEP. */
  readonly remote?: Address;
  readonly port?: number;
  readonly vni?: number;
  readonly via?: string;
  readonly flags: readonly string[]; // self, master, extern_learn …
  readonly state?: string; // permanent, static, …
  readonly text: string;
}
