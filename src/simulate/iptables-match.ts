import type { IptablesMatch } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import { CONNECTION_MODULES } from './iptables-match-connection.ts';
import { CONNTRACK_MODULES } from './iptables-match-conntrack.ts';
import { HEADER_MODULES } from './iptables-match-header.ts';
import { IP_MODULES } from './iptables-match-ip.ts';
import { IPV6_MODULES } from './iptables-match-ipv6.ts';
import { LINK_MODULES } from './iptables-match-link.ts';
import { LOCAL_MODULES } from './iptables-match-local.ts';
import { META_MODULES } from './iptables-match-meta.ts';
import { PORT_MODULES } from './iptables-match-ports.ts';
import { SET_MODULES } from './iptables-match-set.ts';
import type { Evaluator, ModuleTable } from './iptables-match-types.ts';
import type { Chance } from './trace.ts';
import { CERTAIN } from './truth.ts';

/** Whether a rule matches: its chance, and the names of what was not decided. */
export interface MatchOutcome {
  readonly chance: Chance;
  readonly undecided: readonly string[];
  /** The product of `statistic` matches, where there is one. */
  readonly probability?: number;
}

export interface CompiledMatches {
  readonly evaluate: (input: HookInput) => MatchOutcome;
}

const MODULES: ModuleTable = {
  ...IP_MODULES,
  ...PORT_MODULES,
  ...CONNTRACK_MODULES,
  ...CONNECTION_MODULES,
  ...META_MODULES,
  ...HEADER_MODULES,
  ...LINK_MODULES,
  ...LOCAL_MODULES,
  ...IPV6_MODULES,
  ...SET_MODULES,
};

const NO_MATCH: MatchOutcome = { chance: { min: 0, max: 0 }, undecided: [] };
const SURE_MATCH: MatchOutcome = { chance: CERTAIN, undecided: [] };

/** The conjunction of a rule's matches. A match that is not modelled is unknown for this rule alone. */
export function compileMatches(matches: readonly IptablesMatch[]): CompiledMatches {
  const parts = matches
    .filter((match) => match.module !== 'comment')
    .map((match) => ({ name: match.module, evaluate: compileOne(match) }));
  if (parts.length === 0) return ALWAYS;
  return { evaluate: (input) => conjunction(parts, input) };
}

const ALWAYS: CompiledMatches = { evaluate: () => SURE_MATCH };

interface Part {
  readonly name: string;
  readonly evaluate: Evaluator | undefined;
}

function conjunction(parts: readonly Part[], input: HookInput): MatchOutcome {
  let probability: number | undefined;
  let undecided: string[] | undefined;
  for (const part of parts) {
    const result = part.evaluate ? part.evaluate(input) : 'unknown';
    if (result === 'no') return NO_MATCH;
    if (result === 'unknown') undecided = [...(undecided ?? []), part.name];
    else if (result !== 'yes') probability = (probability ?? 1) * result.probability;
  }
  if (undecided === undefined && probability === undefined) return SURE_MATCH;
  const max = probability ?? 1;
  const chance: Chance = { min: undecided === undefined ? max : 0, max };
  return { chance, undecided: undecided ?? [], ...(probability === undefined ? {} : { probability }) };
}

/** Undefined where the module, or an option of it, is not modelled. */
export function compileOne(match: IptablesMatch): Evaluator | undefined {
  return Object.hasOwn(MODULES, match.module) ? MODULES[match.module]!(match) : undefined;
}

/** For tests and reports: whether a module is modelled with these options. */
export function isModelled(match: IptablesMatch): boolean {
  return compileOne(match) !== undefined;
}
