import type { Reply } from '../../src/host/host.ts';
import type { FactArgs } from '../../src/snapshot/facts.ts';
import type { Snapshot, SnapshotChange } from '../../src/snapshot/snapshot.ts';
import type { CaseItem, KernelCase } from './case.ts';
import { placeOf, snapshotOfCase } from './collect-case.ts';
import type { RealRun } from './run-case.ts';

/**
 * The state as a simulator would see it that ignores what an item exercises, or has it the wrong way round. `needs-kernel`: only the
 * kernel itself can tell what the state without the item is.
 */
export interface Mutant {
  /** `removed`: the whole rule is taken out, where to ignore the feature leaves its rest. */
  readonly how: 'removed' | 'ignored' | 'negated';
  readonly state: Snapshot | 'needs-kernel';
}

export function mutantsOf(one: KernelCase, run: RealRun, item: CaseItem): readonly Mutant[] {
  const removed = withoutRule(one, run, item);
  return [
    ...(removed ? [{ how: 'removed', state: removed } as const] : []),
    { how: 'ignored', state: ignored(one, run, item) ?? 'needs-kernel' },
    ...(negated(one, run, item) ?? []).map((state): Mutant => ({ how: 'negated', state })),
  ];
}

function withoutRule(one: KernelCase, run: RealRun, item: CaseItem): Snapshot | undefined {
  const changes = item.kind === 'iptables' && item.ignoredRule !== undefined && replaced(one, item, undefined);
  return changes ? changed(run.before, changes) : undefined;
}

function ignored(one: KernelCase, run: RealRun, item: CaseItem): Snapshot | undefined {
  if (item.ignored) return changed(run.before, item.ignored);
  const changes = removal(one, run.before, item);
  if (changes) return changed(run.before, changes);
  const rules = withRule(one, run, item, () => []);
  if (rules) return rules;
  const text = textWithout(item);
  return text && snapshotOfCase(one, withText(run.replies, placeOf(namespaceOf(one, item)), text));
}

function negated(one: KernelCase, run: RealRun, item: CaseItem): readonly Snapshot[] | undefined {
  const changes = item.negated ?? (item.kind === 'iptables' ? replaced(one, item, item.negatedRule) : undefined);
  const snapshot = changes ? changed(run.before, changes) : withRule(one, run, item, turned);
  return snapshot && [snapshot];
}

type ShownRule = Readonly<Record<string, unknown>>;

function turned(rule: ShownRule): readonly ShownRule[] {
  const { not: _not, ...rest } = rule;
  return ['not' in rule ? rest : { ...rest, not: null }];
}

/** What `ip -j rule` would have said of a routing rule's own namespace and family, with that rule made another. */
function withRule(
  one: KernelCase,
  run: RealRun,
  item: CaseItem,
  make: (rule: ShownRule) => readonly ShownRule[],
): Snapshot | undefined {
  const line = item.kind === 'ip' ? /^rule add .* pref (?<pref>\d+)$/.exec(item.line)?.groups : undefined;
  if (!line || item.kind !== 'ip') return undefined;
  const place = placeOf(namespaceOf(one, item));
  const replies = run.replies.map((reply) => {
    const { action, args, place: where } = reply.request;
    const isMeant = action === 'rules' && args.family === (item.family ?? 4) && where.node === place.node;
    if (reply.got !== 'raw' || !isMeant || where.namespace !== place.namespace) return reply;
    const shown = JSON.parse(new TextDecoder().decode(reply.raw)) as readonly ShownRule[];
    const at = shown.findIndex((rule) => rule.priority === Number(line.pref));
    const rules = at < 0 ? shown : [...shown.slice(0, at), ...make(shown[at]!), ...shown.slice(at + 1)];
    return { ...reply, raw: new TextEncoder().encode(JSON.stringify(rules)) };
  });
  return snapshotOfCase(one, replies);
}

function namespaceOf(one: KernelCase, item: CaseItem): KernelCase['namespaces'][number] {
  return one.namespaces.find(({ name }) => name === item.ns)!;
}

/** The snapshot with the changes; undefined where one of them found nothing to hold on to. */
function changed(before: Snapshot, changes: readonly SnapshotChange[]): Snapshot | undefined {
  const after = before.with(changes);
  return changes.every((change) => isApplied(after, change)) ? after : undefined;
}

function isApplied(after: Snapshot, change: SnapshotChange): boolean {
  const facts = {
    rule: ['iptables.legacy', 'iptables.nft'],
    route: ['routes'],
    sysctl: ['sysctls'],
    neighbour: ['neighbours'],
    address: ['links'],
    link: ['links'],
    socket: ['sockets'],
    fdb: ['fdb'],
  } as const;
  const names = Object.hasOwn(facts, change.op) ? facts[change.op as keyof typeof facts] : [];
  return names.every((name) =>
    ([4, 6] as const).every((family) => {
      const args: FactArgs =
        name === 'iptables.nft' ? { family, table: '' } : /^(routes|iptables)/.test(name) ? { family } : {};
      const seen = after.fact(name, change.place, args);
      return seen.state === 'unseen' || !seen.unparsed.some(({ text }) => text?.startsWith('could not be applied'));
    }),
  );
}

function removal(one: KernelCase, before: Snapshot, item: CaseItem): readonly SnapshotChange[] | undefined {
  const place = placeOf(namespaceOf(one, item));
  switch (item.kind) {
    case 'iptables':
      return replaced(one, item, item.ignoredRule);
    case 'nft':
      return nftRemoval(one, before, item);
    case 'ip': {
      // In a pod what is put in the place of a route is narrower than any that was there.
      const isNew = / add /.test(item.line) || (item.ns.length > 1 && item.line.startsWith('route replace'));
      const line = isNew && /^(route|neigh|addr) (?:add|replace) (.+)$/.exec(item.line);
      if (!line) return undefined;
      const op = ({ route: 'route', neigh: 'neighbour', addr: 'address' } as const)[line[1] as 'route'];
      return [{ place, text: item.line, op, act: 'remove', line: line[2]! }];
    }
    default:
      return undefined;
  }
}

type RuleItem = Extract<CaseItem, { kind: 'iptables' }>;

/** The rule taken out and, where there is one, another put in its place. */
function replaced(one: KernelCase, item: RuleItem, by: string | undefined): readonly SnapshotChange[] | undefined {
  const isMate = (other: CaseItem): other is RuleItem =>
    other.kind === 'iptables' &&
    other.ns === item.ns &&
    other.backend === item.backend &&
    other.family === item.family &&
    other.table === item.table &&
    other.chain === item.chain;
  const number = one.items.filter(isMate).indexOf(item) + 1;
  const { family, table, chain } = item;
  const at = {
    place: placeOf(namespaceOf(one, item)),
    text: item.rule,
    op: 'rule',
    family,
    table,
    chain,
    number,
  } as const;
  const backend = item.backend === 'legacy' ? 'iptables.legacy' : 'iptables.nft';
  return [
    { ...at, backend, act: 'remove' },
    ...(by === undefined ? [] : [{ ...at, backend, act: 'insert', rule: `-A ${chain} ${by}` } as const]),
  ];
}

const NFT_RULE = /^add rule (?<family>\S+) (?<table>\S+) (?<chain>\S+) /;

function nftRemoval(one: KernelCase, before: Snapshot, item: CaseItem): readonly SnapshotChange[] | undefined {
  const at = item.kind === 'nft' ? NFT_RULE.exec(item.line)?.groups : undefined;
  if (!at) return undefined;
  const head = `add rule ${at.family} ${at.table} ${at.chain} `;
  const mates = one.items.filter(
    (other) => other.kind === 'nft' && other.ns === item.ns && other.line.startsWith(head),
  );
  const place = placeOf(namespaceOf(one, item));
  const seen = before.fact('nft.table', place, { family: at.family!, name: at.table! });
  const chain = seen.state === 'seen' && seen.value.tables[0]?.chains.find(({ name }) => name === at.chain);
  const rule = chain ? [...chain.rules][mates.indexOf(item)] : undefined;
  if (!rule || typeof rule.handle !== 'number') return undefined;
  // An overlay names a table by its name; which family it is in, it takes from where the chain is.
  const family = at.family === 'ip6' ? 6 : 4;
  const { table, chain: name } = at;
  return [
    {
      place,
      text: 'removed',
      op: 'rule',
      backend: 'nft',
      family,
      table: table!,
      chain: name!,
      act: 'remove',
      number: rule.handle,
    },
  ];
}

/** A line that a tool would not print if the item were not there. */
interface Line {
  readonly action: string;
  readonly isIt: (line: string) => boolean;
}

function textWithout(item: CaseItem): Line | undefined {
  if (item.kind === 'ipset') {
    const [word, set, entry] = item.line.split(' ');
    return word === 'add'
      ? { action: 'ipsets', isIt: (line) => `${line} `.startsWith(`add ${set} ${entry} `) }
      : undefined;
  }
  if (item.kind !== 'socket') return undefined;
  const { protocol, port, address, device } = item.socket;
  const shown = address === '::' ? '(\\*|\\[::\\])' : `\\[?${address.replaceAll('.', '\\.')}\\]?`;
  const local = new RegExp(`^${protocol} .* ${shown}${device ? `%${device}` : ''}:${port} `);
  return { action: 'sockets', isIt: (line) => local.test(line) };
}

function withText(
  replies: readonly Reply[],
  place: { node: string; namespace: string },
  { action, isIt }: Line,
): Reply[] {
  return replies.map((reply) => {
    const { request } = reply;
    const isMeant = request.action === action && request.place.node === place.node;
    if (reply.got !== 'raw' || !isMeant || request.place.namespace !== place.namespace) return reply;
    const lines = new TextDecoder().decode(reply.raw).split('\n');
    return { ...reply, raw: new TextEncoder().encode(lines.filter((line) => !isIt(line)).join('\n')) };
  });
}
