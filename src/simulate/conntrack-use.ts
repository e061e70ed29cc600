import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { namesUsed } from '../parse/iptables-names-used.ts';
import type { IptablesRuleset, IptablesTarget } from '../parse/iptables-save.ts';
import type { NftRule, NftTable } from '../parse/nft-json.ts';
import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import type { FactArgs } from '../snapshot/facts.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import { perPlace } from './per-place.ts';
import type { Truth } from './trace.ts';
import { or } from './truth.ts';

/** What rules use that switches something on for their namespace and family while they are there. */
interface Uses {
  readonly modules: ReadonlySet<string>;
  readonly targets: ReadonlySet<string>;
  /** nftables' expressions and statements. */
  readonly nodes: ReadonlySet<string>;
}

/**
 * Connection tracking (nf_ct_netns_get in the checkentry of net/netfilter/xt_*.c and the init of nft_*.c). NOTRACK and
 * `CT --notrack` alone do not.
 */
const TRACKING: Uses = {
  modules: new Set(['conntrack', 'state', 'connmark', 'connbytes', 'connlimit', 'connlabel', 'helper', 'cluster']),
  targets: new Set([
    'SNAT',
    'DNAT',
    'MASQUERADE',
    'REDIRECT',
    'NETMAP',
    'CONNMARK',
    'CONNSECMARK',
    'SYNPROXY',
    'CLUSTERIP',
    'CT',
  ]),
  nodes: new Set([
    'ct',
    'ct helper',
    'ct timeout',
    'ct expectation',
    'ct count',
    'snat',
    'dnat',
    'masquerade',
    'redirect',
    'flow',
    'synproxy',
  ]),
};

/** Putting fragments together, without tracking (nf_defrag_ipv4_enable in xt_socket.c, xt_TPROXY.c and nft_tproxy.c). */
const DEFRAGMENTING: Uses = {
  modules: new Set(['socket']),
  targets: new Set(['TPROXY']),
  nodes: new Set(['tproxy']),
};

const answersAt = perPlace(() => new Map<Uses, Map<Family, Truth>>());

/**
 * Whether this namespace tracks the connections of a family. Without a rule that needs it the kernel does not: no packet
 * is INVALID there, none is defragmented, and no entry is made.
 */
export function tracksConnections(snapshot: Snapshot, place: Place, family: Family): Truth {
  return isUsed(snapshot, place, family, TRACKING);
}

/** Whether fragments are put together before they meet rules, as what tracks connections does as well. */
export function defragments(snapshot: Snapshot, place: Place, family: Family): Truth {
  const tracks = tracksConnections(snapshot, place, family);
  // Most often it is by that alone; to look for the rest may be to look at 100,000 rules.
  return tracks === 'yes' ? tracks : or(tracks, isUsed(snapshot, place, family, DEFRAGMENTING));
}

function isUsed(snapshot: Snapshot, place: Place, family: Family, uses: Uses): Truth {
  const known = answersAt(snapshot, place);
  const answers = known.get(uses) ?? new Map<Family, Truth>();
  known.set(uses, answers);
  const answer = answers.get(family) ?? decide(snapshot, place, family, uses);
  answers.set(family, answer);
  return answer;
}

function decide(snapshot: Snapshot, place: Place, family: Family, uses: Uses): Truth {
  let isSure = true;
  for (const name of ['iptables.legacy', 'iptables.nft'] as const) {
    const args: FactArgs = name === 'iptables.nft' ? { family, table: '' } : { family };
    const rules = snapshot.fact(name, place, args);
    if (rules.state === 'seen' && isInIptables(rules.value, uses)) return 'yes';
    isSure &&= isComplete(rules);
  }
  const tables = snapshot.fact('nft.tables', place);
  isSure &&= isComplete(tables);
  for (const { family: of, name } of tables.state === 'seen' ? tables.value : []) {
    if (of === 'arp' || of === 'netdev' || of === (family === 4 ? 'ip6' : 'ip')) continue;
    const table = snapshot.fact('nft.table', place, { family: of, name });
    if (table.state === 'seen' && table.value.tables.some((one) => isInNft(one, family, uses))) return 'yes';
    // What iptables-nft wrote has been looked at above.
    isSure &&= table.state === 'seen' ? isComplete(table) : table.gap === 'not-asked';
  }
  return isSure ? 'no' : 'unknown';
}

function isInIptables(ruleset: IptablesRuleset, uses: Uses): boolean {
  return ruleset.tables.some((table) => {
    const { modules, targets } = namesUsed(table);
    const isPlain = (name: string): boolean => name !== 'CT' && uses.targets.has(name);
    if ([...modules].some((name) => uses.modules.has(name)) || [...targets].some(isPlain)) return true;
    if (!targets.has('CT') || !uses.targets.has('CT')) return false;
    return table.chains.some((chain) => chain.rules.some(({ target }) => isTracking(target)));
  });
}

function isTracking(target: IptablesTarget | undefined): boolean {
  return target?.name === 'CT' && !target.options.some((option) => option.name === 'notrack');
}

function isInNft(table: NftTable, family: Family, uses: Uses): boolean {
  return table.chains.some((chain) => chain.rules.some((rule) => isInRule(rule, family, uses)));
}

function isInRule(rule: NftRule, family: Family, uses: Uses): boolean {
  return rule.statements.some((statement) => isInNode(statement, family, uses));
}

/** Looks into every expression of a statement. `dnat ip to …` in a table of both families tracks IPv4 alone. */
function isInNode(value: unknown, family: Family, uses: Uses): boolean {
  if (Array.isArray(value)) return value.some((one) => isInNode(one, family, uses));
  const record = asRecord(value);
  if (!record) return false;
  const node = nftNode(value);
  if (node && uses.nodes.has(node.kind)) {
    const isOfOne = node.kind === 'snat' || node.kind === 'dnat' || node.kind === 'tproxy';
    const of = isOfOne ? asText(asRecord(node.body)?.family) : undefined;
    return of === undefined || of === (family === 4 ? 'ip' : 'ip6');
  }
  if (node?.kind === 'xt') {
    const name = asText(asRecord(node.body)?.name) ?? '';
    return uses.modules.has(name) || uses.targets.has(name);
  }
  return Object.values(record).some((one) => isInNode(one, family, uses));
}
