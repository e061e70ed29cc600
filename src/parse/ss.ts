import type { Address } from '../net/address.ts';

/** One bound socket: `ss -H -l -n -t -u -p -e` (ss(8)). */
export interface Socket {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly state: string; // LISTEN, UNCONN
  /** `*` (dual-stack any) is `undefined` address with family undefined; `0.0.0.0` and `::` are themselves. */
  readonly address?: Address;
  readonly port: number;
  /** SO_BINDTODEVICE (`%eth0`). */
  readonly device?: string;
  readonly v6only?: boolean;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
  readonly text: string;
}
