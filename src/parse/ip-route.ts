import type { Address } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';

/** One route: `ip -4 -N -d -j route show table all` (ip-route(8)). */
export interface Route {
  /** 254 main, 255 local, 253 default. */
  readonly table: number;
  /** unicast, local, broadcast, blackhole, unreachable, prohibit, throw, multicast … */
  readonly type: string;
  /** 0/0 for `default`. */
  readonly destination: Prefix;
  readonly nextHops: readonly NextHop[];
  /** `src` (prefsrc) */
  readonly preferredSource?: Address;
  readonly metric: number;
  readonly scope?: string;
  /** kernel, boot, static, bird … */
  readonly protocol?: string;
  /** onlink, linkdown, dead, pervasive … */
  readonly flags: readonly string[];
  readonly mtu?: number;
  /** The route again in iproute2's own words, for reports. */
  readonly text: string;
}

export interface NextHop {
  readonly via?: Address;
  readonly device?: string;
  readonly weight: number;
  readonly flags: readonly string[];
}
