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

/**
 * Matches and targets that switch connection tracking on for their namespace and family while a rule with them is there
 * (nf_ct_netns_get in their checkentry, net/netfilter/xt_*.c). NOTRACK and `CT --notrack` alone do not.
 */
const MODULES = new Set(['conntrack', 'state', 'connmark', 'connbytes', 'connlimit', 'connlabel', 'helper', 'cluster']);
const TARGETS = new Set([
  'SNAT',
  'DNAT',
  'MASQUERADE',
  'REDIRECT',
  'NETMAP',
  'CONNMARK',
  'CONNSECMARK',
  'SYNPROXY',
  'CLUSTERIP',
]);

/** The same for nftables' expressions and statements (their init in net/netfilter/nft_*.c). */
const NFT_NODES = new Set([
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
]);

const answersAt = perPlace(() => new Map<Family, Truth>());

/**
 * Whether this namespace tracks the connections of a family. Without a rule that needs it the kernel does not: no packet
 * is INVALID there, none is defragmented, and no entry is made.
 */
export function tracksConnections(snapshot: Snapshot, place: Place, family: Family): Truth {
  const answers = answersAt(snapshot, place);
  const answer = answers.get(family) ?? decide(snapshot, place, family);
  answers.set(family, answer);
  return answer;
}

function decide(snapshot: Snapshot, place: Place, family: Family): Truth {
  let isSure = true;
  for (const name of ['iptables.legacy', 'iptables.nft'] as const) {
    const args: FactArgs = name === 'iptables.nft' ? { family, table: '' } : { family };
    const rules = snapshot.fact(name, place, args);
    if (rules.state === 'seen' && iptablesTracks(rules.value)) return 'yes';
    isSure &&= isComplete(rules);
  }
  const tables = snapshot.fact('nft.tables', place);
  isSure &&= isComplete(tables);
  for (const { family: of, name } of tables.state === 'seen' ? tables.value : []) {
    if (of === 'arp' || of === 'netdev' || of === (family === 4 ? 'ip6' : 'ip')) continue;
    const table = snapshot.fact('nft.table', place, { family: of, name });
    if (table.state === 'seen' && table.value.tables.some((one) => nftTracks(one, family))) return 'yes';
    // What iptables-nft wrote has been looked at above.
    isSure &&= table.state === 'seen' ? isComplete(table) : table.gap === 'not-asked';
  }
  return isSure ? 'no' : 'unknown';
}

function iptablesTracks(ruleset: IptablesRuleset): boolean {
  return ruleset.tables.some((table) => {
    const { modules, targets } = namesUsed(table);
    if ([...modules].some((name) => MODULES.has(name)) || [...targets].some((name) => TARGETS.has(name))) return true;
    return targets.has('CT') && table.chains.some((chain) => chain.rules.some(({ target }) => isTracking(target)));
  });
}

function isTracking(target: IptablesTarget | undefined): boolean {
  return target?.name === 'CT' && !target.options.some((option) => option.name === 'notrack');
}

function nftTracks(table: NftTable, family: Family): boolean {
  return table.chains.some((chain) => chain.rules.some((rule) => ruleTracks(rule, family)));
}

function ruleTracks(rule: NftRule, family: Family): boolean {
  return rule.statements.some((statement) => nodeTracks(statement, family));
}

/** Looks into every expression of a statement. `dnat ip to …` in a table of both families tracks IPv4 alone. */
function nodeTracks(value: unknown, family: Family): boolean {
  if (Array.isArray(value)) return value.some((one) => nodeTracks(one, family));
  const record = asRecord(value);
  if (!record) return false;
  const node = nftNode(value);
  if (node && NFT_NODES.has(node.kind)) {
    const of = node.kind === 'snat' || node.kind === 'dnat' ? asText(asRecord(node.body)?.family) : undefined;
    return of === undefined || of === (family === 4 ? 'ip' : 'ip6');
  }
  if (node?.kind === 'xt') {
    const name = asText(asRecord(node.body)?.name) ?? '';
    return MODULES.has(name) || TARGETS.has(name) || name === 'CT';
  }
  return Object.values(record).some((one) => nodeTracks(one, family));
}
