/**
 * `nft -j list ruleset` / `nft -j list table FAMILY NAME` (libnftables-json(5)).
 * Statements and expressions stay in libnftables' own JSON shape; simulate/nftables.ts models them.
 */
export interface NftRuleset {
  readonly tables: readonly NftTable[];
}

export interface NftTable {
  readonly family: 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';
  readonly name: string;
  readonly handle?: number;
  /** `dormant` tables are not evaluated. */
  readonly flags: readonly string[];
  readonly chains: readonly NftChain[];
  readonly sets: readonly NftSet[];
  /** Carries xt expressions, so it was written by iptables-nft: simulated from iptables-nft-save, not from here. */
  readonly hasXt: boolean;
}

export interface NftChain {
  readonly name: string;
  readonly handle?: number;
  readonly base?: {
    readonly type: 'filter' | 'nat' | 'route';
    readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';
    readonly priority: number;
    readonly policy: 'accept' | 'drop';
    readonly device?: readonly string[];
  };
  readonly rules: readonly NftRule[];
}

export interface NftRule {
  readonly handle: number;
  /** 1-based position in its chain. */
  readonly number: number;
  readonly comment?: string;
  readonly statements: readonly unknown[];
  readonly packets?: number;
  /** The rule rendered in nft's own syntax as near as we can, for reports. */
  readonly text: string;
}

export interface NftSet {
  readonly name: string;
  readonly kind: 'set' | 'map';
  readonly type: unknown;
  readonly map?: unknown;
  readonly flags: readonly string[];
  readonly elements: readonly unknown[];
  /** Elements were not listed (terse): absence must not be claimed. */
  readonly terse: boolean;
}
