/** Which matches, statements and targets of a fixture the walk cannot decide, or does not model. */
import type { IptablesMatch, IptablesRuleset } from '../../src/parse/iptables-save.ts';
import type { NftRuleset, NftTable } from '../../src/parse/nft-json.ts';
import type { HookInput, HookName } from '../../src/simulate/hook.ts';
import { compileMatches, isModelled } from '../../src/simulate/iptables-match.ts';
import { compileTarget } from '../../src/simulate/iptables-target.ts';
import { runStatement } from '../../src/simulate/nftables-statement.ts';
import { buildHookInput, ECHO } from '../../src/simulate/testing/build-hook-input.ts';
import { type Fixture, HERE } from './fixture.ts';

/** Modules that ask what no listing of the state tells (the issue's own list): unknown for their rule alone. */
const NOT_IN_THE_STATE = new Set(['limit', 'hashlimit', 'recent', 'string', 'bpf', 'time', 'quota', 'connbytes']);

const HOOKS: readonly HookName[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];

/** Packets of which everything is known: what is undecided with them is so for want of state. */
function inputs(fixture: Fixture): HookInput[] {
  const ports = { sourcePort: 40_000, destinationPort: 80 };
  const l4s = [
    { protocol: 'tcp', ...ports, flags: ['syn'], mss: 1460 },
    { protocol: 'udp', ...ports },
    ECHO,
    { protocol: 'icmpv6', type: 128, code: 0, id: 7 },
  ] as const;
  const ends = [
    { source: '10.244.0.4', destination: '10.80.0.11' },
    { source: 'fd44::4', destination: 'fd80::11' },
  ];
  return HOOKS.flatMap((hook) =>
    ends.flatMap((end) =>
      l4s.map((l4) =>
        buildHookInput(fixture.snapshot, {
          hook,
          place: HERE,
          packet: { ...end, l4, macs: { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' } },
          socket: { uid: 1000, gid: 1000 },
        }),
      ),
    ),
  );
}

export function undecidedOf(fixture: Fixture): readonly string[] {
  const found = new Set<string>();
  const packets = inputs(fixture);
  for (const { action, args } of fixture.answers) {
    const observed = fixture.snapshot.fact(action, HERE, args);
    if (observed.state !== 'seen') continue;
    if (action === 'iptables.nft' || action === 'iptables.legacy')
      ofIptables(observed.value as IptablesRuleset, packets, found);
    if (action === 'nft.table') ofNft(observed.value as NftRuleset, packets, found);
  }
  return [...found].toSorted();
}

function ofIptables({ tables }: IptablesRuleset, packets: readonly HookInput[], found: Set<string>): void {
  for (const table of tables) {
    const chains = new Set(table.chains.map((chain) => chain.name));
    for (const rule of table.chains.flatMap((chain) => chain.rules)) {
      const protocol = compileMatches(rule.matches.flatMap(onlyProtocol));
      const meant = packets.filter((packet) => protocol.evaluate(packet).chance.max > 0);
      for (const match of rule.matches) {
        if (!isModelled(match) && !NOT_IN_THE_STATE.has(match.module)) found.add(`not modelled: ${rule.text}`);
        const compiled = compileMatches([match]);
        if (meant.some((packet) => compiled.evaluate(packet).undecided.length > 0)) found.add(`-m ${match.module}`);
      }
      const target = compileTarget(rule.target, (name) => chains.has(name));
      for (const packet of packets) {
        const effect = target(packet);
        if (effect.kind === 'unmodelled') found.add(`not modelled: ${rule.text}`);
        if (effect.kind === 'either') found.add(`-j ${rule.target!.name}`);
      }
    }
  }
}

/** A module of ports says nothing about packets of protocols that the rule is not about. */
function onlyProtocol(match: IptablesMatch): IptablesMatch[] {
  const options = match.options.filter(({ name }) => name === 'p');
  return match.module === 'ip' && options.length > 0 ? [{ module: 'ip', options }] : [];
}

function ofNft({ tables }: NftRuleset, packets: readonly HookInput[], found: Set<string>): void {
  for (const table of tables.filter((one) => !one.hasXt)) {
    const hooks = hooksByChain(table);
    for (const chain of table.chains) {
      const here = packets.filter((packet) => hooks.get(chain.name)?.has(packet.hook));
      for (const statement of chain.rules.flatMap((rule) => rule.statements)) {
        for (const input of here.filter((packet) => isMeant(packet, table.family, statement))) {
          const state = { packet: input.packet, meta: input.meta, doubtfulMarks: [], touched: [] };
          for (const branch of runStatement(statement, { input, table, state } as never)) {
            for (const doubt of [...branch.doubts, ...branch.features]) found.add(doubt);
          }
        }
      }
    }
  }
}

/** At which hooks a chain's rules are met: its own, or those of the base chains that lead to it. */
function hooksByChain(table: NftTable): ReadonlyMap<string, ReadonlySet<string>> {
  const hooks = new Map<string, Set<string>>();
  const verdicts = JSON.stringify(table.sets.map((set) => set.elements));
  const reach = (name: string, hook: string): void => {
    const known = hooks.get(name) ?? new Set();
    if (known.has(hook)) return;
    hooks.set(name, known.add(hook));
    const rules = table.chains.find((chain) => chain.name === name)?.rules ?? [];
    const text = JSON.stringify(rules.map((rule) => rule.statements));
    const maps = text.includes('"vmap"') ? text + verdicts : text;
    for (const [, target] of maps.matchAll(/"target":"((?:[^"\\]|\\.)*)"/g)) reach(JSON.parse(`"${target}"`), hook);
  };
  for (const chain of table.chains) if (chain.base) reach(chain.name, chain.base.hook);
  return hooks;
}

/** A translation of ports is behind a match of the protocol: by itself it says nothing about other packets. */
function isMeant({ family, packet }: HookInput, table: string, statement: unknown): boolean {
  if ((table === 'ip' && family === 6) || (table === 'ip6' && family === 4)) return false;
  const kind = Object.keys(statement as object)[0]!;
  return !['dnat', 'snat', 'redirect', 'masquerade', 'tproxy'].includes(kind) || 'sourcePort' in packet.l4;
}
