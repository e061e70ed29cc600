import type { Reply } from '../../src/host/host.ts';
import type { Place } from '../../src/net/place.ts';
import type { FactArgs } from '../../src/snapshot/facts.ts';
import type { Snapshot, SnapshotChange } from '../../src/snapshot/snapshot.ts';
import type { CaseItem, KernelCase } from './case.ts';
import { placeOf } from './collect-case.ts';
import { nftRuleOf, withConditionTurned, withoutCondition, withoutEffect } from './nft-mutants.ts';
import type { RealRun } from './run-case.ts';
import { type ShownChange, type StateChange, withReplies, withShown } from './shown-change.ts';
import { usualState } from './usual-state.ts';

/**
 * The states that a simulator would see that has no idea of what an item exercises (`removed`: the whole rule is gone; `ignored`: the
 * feature is, and of a rule its rest is still there), or that has it the wrong way round. Undefined: there is no such state.
 */
export interface Mutants {
  readonly removed: () => Snapshot | undefined;
  /** Undefined where it is the same as `removed`. */
  readonly ignored?: () => Snapshot | undefined;
  readonly negated?: () => Snapshot | undefined;
}

export function mutantsOf(one: KernelCase, run: RealRun, item: CaseItem): Mutants {
  const changed = (changes: readonly StateChange[] | undefined) => () => changes && withChanges(run, changes);
  const told = {
    ...(item.ignored && { ignored: changed(item.ignored) }),
    ...(item.negated && { negated: changed(item.negated) }),
  };
  switch (item.kind) {
    case 'iptables':
      return { ...iptablesMutants(one, run, item), ...told };
    case 'nft':
      if (item.line.startsWith('add rule ')) return { ...nftMutants(one, run, item), ...told };
      break;
    case 'ip':
      if (item.line.startsWith('rule add ')) return { ...ruleMutants(one, run, item), ...told };
      break;
    case 'ipset':
    case 'tc':
    case 'conntrack':
    case 'socket': {
      const line = lineOf(item);
      const place = placeIn(one, item);
      return { removed: () => line && withReplies(run.before, withoutLine(run.replies, place, line)), ...told };
    }
  }
  const { ignored, ...rest } = told;
  return { removed: ignored ?? changed(additionOf(one, item) ?? usualState(one, item)), ...rest };
}

function withChanges(run: RealRun, changes: readonly StateChange[]): Snapshot | undefined {
  const isShown = (change: StateChange): change is ShownChange => change.op === 'shown';
  const overlaid = changed(
    run.before,
    changes.filter((change): change is SnapshotChange => !isShown(change)),
  );
  return overlaid && withShown(overlaid, run.replies, changes.filter(isShown));
}

function placeIn(one: KernelCase, item: CaseItem): Place {
  return placeOf(one.namespaces.find(({ name }) => name === item.ns)!);
}

/** The snapshot with the changes; undefined where one of them found nothing to hold on to. */
function changed(before: Snapshot, changes: readonly SnapshotChange[]): Snapshot | undefined {
  const after = before.with(changes);
  return changes.every((change) => isApplied(after, change)) ? after : undefined;
}

function isApplied(after: Snapshot, change: SnapshotChange): boolean {
  const facts = {
    rule: ['iptables.legacy', 'iptables.nft'],
    policy: ['iptables.legacy', 'iptables.nft'],
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

type RuleItem = Extract<CaseItem, { kind: 'iptables' }>;

/** No packet of a case is of this protocol (RFC 3692): what stands there keeps the numbers of those behind it. */
const NEVER = '-p 253';

function iptablesMutants(one: KernelCase, run: RealRun, item: RuleItem): Mutants {
  const instead = (rule: string) => (): Snapshot | undefined => changed(run.before, replacedRule(one, item, rule));
  return {
    removed: instead(NEVER),
    ...(item.ignoredRule !== undefined && { ignored: instead(item.ignoredRule) }),
    ...(item.negatedRule !== undefined && { negated: instead(item.negatedRule) }),
  };
}

function replacedRule(one: KernelCase, item: RuleItem, by: string): readonly SnapshotChange[] {
  const isMate = (other: CaseItem): other is RuleItem =>
    other.kind === 'iptables' &&
    other.ns === item.ns &&
    other.backend === item.backend &&
    other.family === item.family &&
    other.table === item.table &&
    other.chain === item.chain;
  const number = one.items.filter(isMate).indexOf(item) + 1;
  const { family, table, chain } = item;
  const at = { place: placeIn(one, item), text: item.rule, op: 'rule', family, table, chain, number } as const;
  const backend = item.backend === 'legacy' ? 'iptables.legacy' : 'iptables.nft';
  return [
    { ...at, backend, act: 'remove' },
    { ...at, backend, act: 'insert', rule: `-A ${chain} ${by}` },
  ];
}

function nftMutants(one: KernelCase, run: RealRun, item: CaseItem): Mutants {
  const rule = nftRuleOf(one, run, item);
  if (!rule) return { removed: () => undefined };
  const removed = (): Snapshot | undefined => withChanges(run, [rule.change(undefined)]);
  if (!item.feature.startsWith('nft match ')) {
    const idle = item.countsOnly ? undefined : withoutEffect(rule.statements);
    return { removed, ...(idle && { ignored: () => withChanges(run, [rule.change(idle)]) }) };
  }
  const loose = withoutCondition(rule.statements);
  const turned = withConditionTurned(rule.statements);
  return {
    removed,
    ...(loose && { ignored: () => withChanges(run, [rule.change(loose)]) }),
    ...(turned && { negated: () => withChanges(run, [rule.change(turned)]) }),
  };
}

/** What `ip -j rule` would have said of a routing rule's own namespace and family, with that rule made another. */
function ruleMutants(one: KernelCase, run: RealRun, item: Extract<CaseItem, { kind: 'ip' }>): Mutants {
  const meant = {
    op: 'shown',
    place: placeIn(one, item),
    action: 'rules',
    args: { family: item.family ?? 4 },
    where: { priority: Number(/ pref (\d+)$/.exec(item.line)?.[1]) },
  } as const;
  const isTurned = item.line.startsWith('rule add not ');
  return {
    removed: () => withChanges(run, [meant]),
    // What does nothing does nothing the other way round, too.
    ...(/ nop /.test(item.line)
      ? {}
      : { negated: () => withChanges(run, [{ ...meant, set: { not: isTurned ? null : true } }]) }),
  };
}

/** What an item has put into a table of its own, taken out again. */
function additionOf(one: KernelCase, item: CaseItem): readonly SnapshotChange[] | undefined {
  const line = item.kind === 'ip' ? /^(?<what>route|neigh|addr) add (?<rest>.+)$/.exec(item.line)?.groups : undefined;
  if (!line) return undefined;
  const op = ({ route: 'route', neigh: 'neighbour', addr: 'address' } as const)[line.what as 'route'];
  return [{ place: placeIn(one, item), text: `no ${line.rest}`, op, act: 'remove', line: line.rest! }];
}

/** A line that a tool would not print if the item were not there. */
interface Line {
  readonly action: string;
  readonly isIt: (line: string) => boolean;
}

function lineOf(item: CaseItem): Line | undefined {
  if (item.kind === 'ipset') {
    // ipset prints an entry in a form of its own: all of the set goes, which mostly has but this one.
    const [word, set] = item.line.split(' ');
    return word === 'add' ? { action: 'ipsets', isIt: (line) => line.startsWith(`add ${set} `) } : undefined;
  }
  if (item.kind === 'conntrack') {
    const port = / --sport (\d+) /.exec(item.line)?.[1];
    return { action: 'conntrack', isIt: (line) => line.includes(` sport=${port} `) };
  }
  // What is heard of filters is all of this namespace.
  if (item.kind === 'tc') return { action: 'tc-filters', isIt: () => true };
  if (item.kind !== 'socket') return undefined;
  const { protocol, port, address, device } = item.socket;
  const shown = address === '::' ? '(\\*|\\[::\\])' : `\\[?${address.replaceAll('.', '\\.')}\\]?`;
  const local = new RegExp(`^${protocol} .* ${shown}${device ? `%${device}` : ''}:${port} `);
  return { action: 'sockets', isIt: (line) => local.test(line) };
}

/** The reply to one question to that namespace, without the line. */
function withoutLine(replies: readonly Reply[], place: Place, { action, isIt }: Line): readonly Reply[] {
  return replies.flatMap((reply): Reply[] => {
    const { request } = reply;
    const isMeant = request.action === action && request.place.node === place.node;
    if (reply.got !== 'raw' || !isMeant || request.place.namespace !== place.namespace) return [];
    const lines = new TextDecoder().decode(reply.raw).split('\n');
    return [{ ...reply, raw: new TextEncoder().encode(lines.filter((line) => !isIt(line)).join('\n')) }];
  });
}
