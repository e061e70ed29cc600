import type { Address } from '../net/address.ts';

/** hosts(5). */
export interface HostsEntry {
  readonly address: Address;
  readonly names: readonly string[];
}
