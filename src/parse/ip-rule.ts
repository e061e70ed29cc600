import type { Prefix } from '../net/prefix.ts';

/** One policy-routing rule: `ip -4 -N -d -j rule show` (ip-rule(8)). Sorted by priority as the kernel tries them. */
export interface RoutingRule {
  readonly priority: number;
  readonly not: boolean;
  readonly source?: Prefix;
  readonly destination?: Prefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly input?: string;
  readonly output?: string;
  readonly tos?: number;
  readonly protocol?: string;
  readonly sourcePorts?: { readonly from: number; readonly to: number };
  readonly destinationPorts?: { readonly from: number; readonly to: number };
  readonly suppressPrefixLength?: number;
  readonly suppressGroup?: string;
  readonly action:
    | { readonly kind: 'lookup'; readonly table: number }
    | { readonly kind: 'goto'; readonly priority: number }
    | { readonly kind: 'nop' | 'blackhole' | 'unreachable' | 'prohibit' };
  /** Selectors that are not modelled (uidrange, tun_id, l3mdev …): the rule is undecided, by these names. */
  readonly undecidable: readonly string[];
  readonly text: string;
}
