/**
 * `iptables-save -c`, `iptables-legacy-save -c`, `iptables-nft-save -c` and their ip6 siblings (iptables-save(8)).
 * A rule is kept as it was printed; its matches are split into modules with their raw arguments and modelled by
 * simulate/iptables.ts. A line that has not the format's shape is unparsed.
 */
export interface IptablesRuleset {
  readonly tables: readonly IptablesTable[];
}

export interface IptablesTable {
  readonly name: string; // raw, mangle, nat, filter, security
  readonly chains: readonly IptablesChain[];
}

export interface IptablesChain {
  readonly name: string;
  /** Built-in chains only. */
  readonly policy?: 'ACCEPT' | 'DROP' | 'QUEUE';
  readonly packets?: number;
  readonly bytes?: number;
  readonly rules: readonly IptablesRule[];
}

export interface IptablesRule {
  /** 1-based number within its chain. */
  readonly number: number;
  /** 1-based line in the raw text. */
  readonly line: number;
  /** The rule as printed, without the counters: `-A FORWARD -j DROP`. */
  readonly text: string;
  readonly packets?: number;
  readonly bytes?: number;
  /** What comes before any `-m`: -s -d -i -o -p -f, each perhaps negated, in printed order; and each `-m` module with its options. */
  readonly matches: readonly IptablesMatch[];
  readonly target?: IptablesTarget;
  readonly comment?: string;
}

export interface IptablesMatch {
  /** `ip` for the built-in selectors, else the module's name. */
  readonly module: string;
  readonly options: readonly { readonly name: string; readonly negated: boolean; readonly values: readonly string[] }[];
}

export interface IptablesTarget {
  readonly name: string;
  readonly goto: boolean;
  readonly options: readonly { readonly name: string; readonly negated: boolean; readonly values: readonly string[] }[];
}
