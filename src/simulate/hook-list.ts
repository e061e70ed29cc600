import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { defragments, tracksConnections } from './conntrack-use.ts';
import type { HookEntry, HookName } from './hook.ts';
import { iptablesHookEntries } from './iptables.ts';
import { ipvsAt } from './ipvs-services.ts';
import { nftHookEntries, perhapsDormant } from './nftables.ts';
import { iptablesDormancy } from './nftables-owner.ts';
import { perPlace } from './per-place.ts';

/** One thing that happens at a hook, in the kernel's order. */
export type HookItem =
  | { readonly kind: 'conntrack' }
  /** Rule sets of equal priority: the later registered runs first, which can't be read back. */
  | { readonly kind: 'rules'; readonly entries: readonly HookEntry[] }
  /** The nat core, which asks its chains in order of their priority (nf_nat_inet_fn). */
  | { readonly kind: 'nat'; readonly entries: readonly HookEntry[] }
  /** ipvs, for what comes from clients or goes back to them. */
  | { readonly kind: 'ipvs'; readonly direction: 'in' | 'out' }
  | { readonly kind: 'confirm' }
  /** Rule sets of the priority of connection tracking or of NAT: which was registered first can't be read back, either. */
  | { readonly kind: 'tie'; readonly items: readonly HookItem[] };

export interface HookList {
  readonly items: readonly HookItem[];
  /** Some chain of type nat is registered for this family, at whichever hook: NAT then looks at every connection. */
  readonly translates: boolean;
  /** Fragments are, or may be, put together before they come here. */
  readonly defragments: boolean;
  readonly incomplete: readonly string[];
}

const CONNTRACK_PRIORITY = -200;
/** ip_vs_ops4 and ip_vs_ops6 of net/netfilter/ipvs/ip_vs_core.c. */
const IPVS_PRIORITIES: Readonly<Partial<Record<HookName, Partial<Record<'in' | 'out', number>>>>> = {
  input: { out: 98, in: 99 },
  forward: { out: 100 },
  output: { out: -99, in: -98 },
};
const NAT_PRIORITY: Readonly<Record<HookName, number | undefined>> = {
  prerouting: -100,
  output: -100,
  input: 100,
  postrouting: 100,
  forward: undefined,
  ingress: undefined,
  egress: undefined,
};

const listsAt = perPlace(() => new Map<Family, Partial<Record<HookName, HookList>>>());

/** What runs at this hook of this network namespace, of every backend at once. */
export function hookList(snapshot: Snapshot, place: Place, family: Family, hook: HookName): HookList {
  const families = listsAt(snapshot, place);
  const lists = families.get(family) ?? {};
  families.set(family, lists);
  lists[hook] ??= makeList(snapshot, place, family, hook);
  return lists[hook];
}

function makeList(snapshot: Snapshot, place: Place, family: Family, hook: HookName): HookList {
  const iptables = iptablesHookEntries(snapshot, place, family);
  const nft = nftHookEntries(snapshot, place, family);
  const awake = iptables.entries.flatMap((entry) => awakeEntry(entry, snapshot, place, family));
  const all = [...awake, ...nft.entries].filter((entry) => entry.family === 'inet' || entry.family === family);
  const entries = all.filter((entry) => entry.hook === hook);
  const ipvs = ipvsAt(snapshot, place);
  const tracks = tracksConnections(snapshot, place, family) !== 'no';
  return {
    translates: all.some((entry) => entry.nat),
    defragments: defragments(snapshot, place, family) !== 'no',
    items: itemsOf(entries, hook, { tracks, hasIpvs: ipvs.services.length > 0 }),
    incomplete: [...iptables.incomplete, ...nft.incomplete, ...ipvs.incomplete],
  };
}

/** iptables-nft-save prints a dormant table too. */
function awakeEntry<E extends HookEntry>(entry: E, snapshot: Snapshot, place: Place, family: Family): readonly E[] {
  const table = /^(?<table>.+)-nft$/.exec(entry.name)?.groups?.table;
  const dormant = table === undefined ? 'no' : iptablesDormancy(snapshot, place, family, table);
  if (dormant === 'no') return [entry];
  if (dormant === 'yes') return [];
  return [{ ...entry, distinct: false, evaluate: (input) => perhapsDormant(input, entry.evaluate(input)) }];
}

interface Machinery {
  readonly tracks: boolean;
  readonly hasIpvs: boolean;
}

interface Placed {
  readonly priority: number;
  readonly item: HookItem;
}

function itemsOf(entries: readonly HookEntry[], hook: HookName, { tracks, hasIpvs }: Machinery): readonly HookItem[] {
  const sorted = entries.toSorted((a, b) => a.priority - b.priority);
  const items: Placed[] = [];
  for (const [priority, group] of Map.groupBy(
    sorted.filter((entry) => !entry.nat),
    (entry) => entry.priority,
  )) {
    items.push({ priority, item: { kind: 'rules', entries: group } });
  }
  if (tracks && (hook === 'prerouting' || hook === 'output')) {
    items.push({ priority: CONNTRACK_PRIORITY, item: { kind: 'conntrack' } });
  }
  const natPriority = NAT_PRIORITY[hook];
  if (natPriority !== undefined) {
    items.push({ priority: natPriority, item: { kind: 'nat', entries: sorted.filter((entry) => entry.nat) } });
  }
  for (const direction of hasIpvs ? (['in', 'out'] as const) : []) {
    const priority = IPVS_PRIORITIES[hook]?.[direction];
    if (priority !== undefined) items.push({ priority, item: { kind: 'ipvs', direction } });
  }
  if (hook === 'input' || hook === 'postrouting') {
    items.push({ priority: Number.MAX_SAFE_INTEGER, item: { kind: 'confirm' } });
  }
  return withTies(items.toSorted((a, b) => a.priority - b.priority));
}

const TIED: ReadonlySet<HookItem['kind']> = new Set(['rules', 'conntrack', 'nat']);

function withTies(sorted: readonly Placed[]): readonly HookItem[] {
  const items: HookItem[] = [];
  sorted.forEach(({ priority, item }, index) => {
    const former = sorted[index - 1];
    const isTied = former?.priority === priority && TIED.has(item.kind) && TIED.has(former.item.kind);
    if (isTied) items.splice(-1, 1, { kind: 'tie', items: [former.item, item] });
    else items.push(item);
  });
  return items;
}
