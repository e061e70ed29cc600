import type { Step } from '../../src/simulate/trace.ts';
import type { FactArgs } from '../../src/snapshot/facts.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import type { CaseItem, KernelCase } from './case.ts';
import { placeOf } from './collect-case.ts';
import type { Story } from './story.ts';

/** A rule of either kind, by where it stands. */
export interface CountedRule {
  readonly key: string;
  readonly ns: string;
  readonly text: string;
  readonly packets: number;
}

/** A rule that may have no counter. */
export interface KnownRule extends Omit<CountedRule, 'packets'> {
  readonly packets: number | undefined;
}

const known = new WeakMap<Snapshot, readonly KnownRule[]>();

/** All rules that count, with their counters. */
export function countedRules(one: KernelCase, snapshot: Snapshot): readonly CountedRule[] {
  return rulesOf(one, snapshot).filter((rule): rule is CountedRule => rule.packets !== undefined);
}

/** A snapshot is of one case. */
function rulesOf(one: KernelCase, snapshot: Snapshot): readonly KnownRule[] {
  const rules = known.get(snapshot) ?? listRules(one, snapshot);
  known.set(snapshot, rules);
  return rules;
}

function listRules(one: KernelCase, snapshot: Snapshot): readonly KnownRule[] {
  return one.namespaces.flatMap((namespace) => {
    const place = placeOf(namespace);
    const ns = namespace.name;
    const iptables = (['iptables.legacy', 'iptables.nft'] as const).flatMap((name) =>
      ([4, 6] as const).flatMap((family) => {
        const args: FactArgs = name === 'iptables.nft' ? { family, table: '' } : { family };
        const observed = snapshot.fact(name, place, args);
        if (observed.state === 'unseen') return [];
        const backend = name === 'iptables.nft' ? 'iptables-nft' : 'iptables-legacy';
        return observed.value.tables.flatMap((table) =>
          table.chains.flatMap((chain) =>
            [...chain.rules].map((rule) => ({
              key: keyOf(ns, backend, String(family), table.name, chain.name, rule.number),
              ns,
              text: `${family === 6 ? 'ip6tables' : 'iptables'}${backend.slice('iptables'.length)} ${table.name} ${rule.text}`,
              packets: rule.packets ?? 0,
            })),
          ),
        );
      }),
    );
    return [...iptables, ...nftRules(one, snapshot, ns, place)];
  });
}

function nftRules(one: KernelCase, snapshot: Snapshot, ns: string, place: ReturnType<typeof placeOf>): KnownRule[] {
  const tables = one.items.flatMap((item) => {
    const found = item.kind === 'nft' && item.ns === ns ? /^add table (\S+) (\S+)/.exec(item.line) : undefined;
    return found ? [{ family: found[1]!, name: found[2]! }] : [];
  });
  return tables.flatMap(({ family, name }) => {
    const observed = snapshot.fact('nft.table', place, { family, name });
    if (observed.state === 'unseen') return [];
    return observed.value.tables.flatMap((table) =>
      table.chains.flatMap((chain) =>
        chain.rules.map((rule) => ({
          key: keyOf(ns, 'nft', family, name, chain.name, rule.handle),
          ns,
          text: `nft ${family} ${name} ${chain.name} ${rule.text}`,
          packets: rule.packets,
        })),
      ),
    );
  });
}

function keyOf(ns: string, backend: string, family: string, table: string, chain: string, which: unknown): string {
  return [ns, backend, family, table, chain, which].join(' ');
}

/** The rule that an item has made; undefined where it is none. */
export function ruleOfItem(one: KernelCase, snapshot: Snapshot, item: CaseItem): KnownRule | undefined {
  const head = chainHead(item);
  if (head === undefined) return undefined;
  const mates = one.items.filter((other) => chainHead(other) === head);
  return rulesOf(one, snapshot).filter(({ key }) => key.startsWith(head))[mates.indexOf(item)];
}

/** What the keys of the chain's rules begin with. */
function chainHead(item: CaseItem): string | undefined {
  if (item.kind === 'iptables') {
    return keyOf(item.ns, `iptables-${item.backend}`, String(item.family), item.table, item.chain, '');
  }
  const rule = item.kind === 'nft' ? /^add rule (\S+) (\S+) (\S+) /.exec(item.line) : null;
  return rule ? keyOf(item.ns, 'nft', rule[1]!, rule[2]!, rule[3]!, '') : undefined;
}

/** The rule that a step tells of; undefined where it tells of none. */
export function ruleKey(step: Step): string | undefined {
  if (step.kind !== 'rule') return undefined;
  const { backend, family, table, chain, ruleNumber, handle } = step.values;
  const { place } = step.source.request;
  const ns = place.namespace === 'host' ? place.node : place.namespace.split('/').at(-1)!;
  return keyOf(
    ns,
    String(backend),
    String(family),
    String(table),
    String(chain),
    backend === 'nft' ? handle : ruleNumber,
  );
}

export interface Hits {
  readonly min: number;
  readonly max: number;
}

/** How often each rule must have counted, by the stories that agree with what was seen of one packet. */
export function hitsOf(stories: readonly Story[]): ReadonlyMap<string, Hits> {
  const each = stories.map((story) => {
    const hits = new Map<string, Hits>();
    for (const step of story.steps) {
      const key = ruleKey(step);
      if (key === undefined) continue;
      const former = hits.get(key) ?? { min: 0, max: 0 };
      const times = Number(step.values.fragments ?? 1);
      const isSure = step.matched === 'yes' && step.values.rivals === undefined;
      const least = isSure ? times - Number(step.values.unsure ?? 0) : 0;
      hits.set(key, { min: former.min + least, max: former.max + times });
    }
    return hits;
  });
  const keys = new Set(each.flatMap((hits) => [...hits.keys()]));
  return new Map(
    [...keys].map((key) => {
      const all = each.map((hits) => hits.get(key) ?? { min: 0, max: 0 });
      return [key, { min: Math.min(...all.map((one) => one.min)), max: Math.max(...all.map((one) => one.max)) }];
    }),
  );
}
