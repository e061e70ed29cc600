import type { Address } from '../net/address.ts';

/** SYNs of one size to a port, open or not. */
export interface SynQuestion {
  readonly address: Address;
  readonly source: Address;
  readonly port: number;
  /** Of the whole IP packet. */
  readonly sizeBytes: number;
  readonly count: number;
  readonly intervalMs: number;
  /** How long to wait for each answer. */
  readonly timeoutMs: number;
}
