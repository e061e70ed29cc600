import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { IptablesRuleset } from '../parse/iptables-save.ts';
import type { Observed, Seen, Snapshot } from '../snapshot/snapshot.ts';
import { isTooMuch, whyNotWhole } from './chainwise.ts';
import type { HookEntry, HookName } from './hook.ts';
import { chainwiseTables } from './iptables-chainwise.ts';
import { type CompiledTable, compileRuleset } from './iptables-compile.ts';
import { checkedByNft } from './iptables-misprinted.ts';
import { evaluateBaseChain, type TableContext } from './iptables-traverse.ts';

export type Backend = 'iptables-legacy' | 'iptables-nft';

export interface IptablesEntries {
  readonly entries: readonly (HookEntry & { readonly hook: HookName; readonly family: Family })[];
  /** What would tell the rest, where a backend was not seen. */
  readonly wants: readonly Request[];
  /** Why the entries may not be all: nothing may be inferred from a rule's absence. */
  readonly incomplete: readonly string[];
}

/** NF_IP_PRI_* of include/uapi/linux/netfilter_ipv4.h, and the hooks at which each table has a chain. */
const TABLES: Readonly<Record<string, Partial<Record<HookName, number>>>> = {
  raw: { prerouting: -300, output: -300 },
  mangle: { prerouting: -150, input: -150, forward: -150, output: -150, postrouting: -150 },
  nat: { prerouting: -100, output: -100, input: 100, postrouting: 100 },
  filter: { input: 0, forward: 0, output: 0 },
  security: { input: 50, forward: 50, output: 50 },
};

const HOOKS: readonly HookName[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];

/** What iptables, of either backend, has registered at the hooks of one network namespace. */
export function iptablesHookEntries(snapshot: Snapshot, place: Place, family: Family): IptablesEntries {
  const legacy = snapshot.fact('iptables.legacy', place, { family });
  const nft = snapshot.fact('iptables.nft', place, { family, table: '' });
  const parts = [
    entriesOf('iptables-legacy', legacy, family),
    isTooMuch(nft) ? chainwiseEntries(snapshot, place, family, nft) : entriesOf('iptables-nft', nft, family),
  ];
  return {
    entries: parts.flatMap((part) => part.entries),
    wants: parts.flatMap((part) => part.wants),
    incomplete: parts.flatMap((part) => part.incomplete),
  };
}

function entriesOf(backend: Backend, observed: Observed<IptablesRuleset>, family: Family): IptablesEntries {
  if (observed.state === 'unseen') {
    return {
      entries: [],
      wants: observed.gap === 'not-asked' ? [observed.want] : [],
      incomplete: [`${backend}: ${observed.gap} ${observed.detail}`.trim()],
    };
  }
  const tables = compileRuleset(observed.value);
  return {
    entries: tables.flatMap((table) => tableEntries(backend, table, observed, family)),
    wants: [],
    incomplete: observed.complete ? [] : [`${backend}: the list was cut short`],
  };
}

/** Its chains are read one by one. */
function chainwiseEntries(
  snapshot: Snapshot,
  place: Place,
  family: Family,
  whole: Observed<IptablesRuleset>,
): IptablesEntries {
  const { tables, wants, incomplete } = chainwiseTables(snapshot, place, family);
  return {
    entries: tables.flatMap((table) => tableEntries('iptables-nft', table, undefined, family)),
    wants,
    incomplete: incomplete.map((why) => `iptables-nft: ${whyNotWhole(whole)}; ${why}`),
  };
}

function tableEntries(
  backend: Backend,
  table: CompiledTable,
  observed: Seen<IptablesRuleset> | undefined,
  family: Family,
): IptablesEntries['entries'] {
  const priorities = TABLES[table.name] ?? {};
  return HOOKS.flatMap((hook) => {
    const priority = priorities[hook];
    const chain = table.chain(hook.toUpperCase());
    if (priority === undefined || !chain) return [];
    const context: TableContext = { backend, table, observed, policySteps: new Map() };
    return [
      {
        name: `${table.name}-${backend === 'iptables-nft' ? 'nft' : 'legacy'}`,
        hook,
        family,
        priority,
        nat: table.name === 'nat',
        ...(table.name === 'mangle' && hook === 'output' ? { reroutes: true } : {}),
        distinct: true,
        evaluate:
          backend === 'iptables-legacy'
            ? (input) => evaluateBaseChain(context, chain, input)
            : (input) => checkedByNft(evaluateBaseChain(context, chain, input), table, input),
      },
    ];
  });
}
