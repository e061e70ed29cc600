import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { parseNftJson } from '../parse/nft-json.ts';
import type { HookOutcome } from './hook.ts';
import { nftHookEntries } from './nftables.ts';
import { runRule } from './nftables-rule.ts';
import {
  type FixtureFact,
  type FixturePacket,
  HERE,
  inputOf,
  nftFacts,
  recorded,
  snapshotOf,
  summaryOf,
  syn,
  throughHook,
} from './testing/nftables-fixture.ts';

type Statements = readonly unknown[];

interface Table {
  readonly family?: string;
  readonly name?: string;
  readonly base?: object;
  readonly rules?: readonly Statements[];
  readonly chains?: Readonly<Record<string, readonly Statements[]>>;
  readonly sets?: readonly object[];
  readonly maps?: readonly object[];
  readonly flags?: string;
}

/** A table as `nft -j` prints it: one base chain and what it calls. */
function ruleset(...tables: readonly Table[]): string {
  const items = tables.flatMap(
    ({ family = 'ip', name = 't', base = {}, rules = [], chains = {}, sets = [], maps = [], flags }) => {
      const of = { family, table: name };
      const all = { base: rules, ...chains };
      const hook = { type: 'filter', hook: 'forward', prio: 0, policy: 'accept', ...base };
      return [
        { table: { family, name, handle: 1, ...(flags ? { flags } : {}) } },
        ...sets.map((set) => ({ set: { ...of, handle: 1, ...set } })),
        ...maps.map((map) => ({ map: { ...of, handle: 1, ...map } })),
        ...Object.keys(all).map((chain) => ({
          chain: { ...of, name: chain, handle: 1, ...(chain === 'base' ? hook : {}) },
        })),
        ...Object.entries(all).flatMap(([chain, list]) =>
          list.map((expr, index) => ({ rule: { ...of, chain, handle: index + 10, expr } })),
        ),
      ];
    },
  );
  return JSON.stringify({ nftables: items });
}

const PACKET: FixturePacket = { from: '10.0.0.1', to: '10.0.0.2', l4: syn(80), input: 'eth0', output: 'cni0' };

function forward(
  table: Table,
  packet: Partial<FixturePacket> = {},
  facts: readonly FixtureFact[] = [],
): readonly HookOutcome[] {
  return throughHook('forward', snapshotOf([...nftFacts(ruleset(table)), ...facts]), { ...PACKET, ...packet });
}

const is = (left: object, right: unknown, op = '=='): object => ({ match: { op, left, right } });
const payload = (protocol: string, field: string): object => ({ payload: { protocol, field } });
const meta = (key: string): object => ({ meta: { key } });
const LIMIT = { limit: { rate: 10, burst: 5, per: 'second' } };
const DROP = { drop: null };
const ACCEPT = { accept: null };
const stepsOf = (outcomes: readonly HookOutcome[]): readonly string[][] =>
  outcomes.map((outcome) => outcome.steps.map((step) => `${step.matched} ${step.at.replace('forward nft ip t ', '')}`));

describe('rules that are not decided', () => {
  it('fork the walk only for as long as it matters', () => {
    const outcomes = forward({ rules: [[LIMIT, ACCEPT], [DROP]] });
    expect(summaryOf(outcomes)).toEqual(['0..1 accept', '0..1 drop']);
    expect(stepsOf(outcomes)).toEqual([['unknown base#1'], ['unknown base#1', 'yes base#2']]);
    expect(outcomes[0]?.fork).toBe('undecided');
    expect(outcomes.map((outcome) => outcome.steps[0]?.text)).toEqual([
      'not decided (limit rate 10/second); here: accept',
      'not decided (limit rate 10/second); here: does not match',
    ]);
    expect(outcomes[0]?.steps[0]).toMatchObject({
      features: ['limit rate 10/second'],
      values: { undecided: 'limit rate 10/second', verdict: 'accept' },
    });
  });

  it('change nothing where both ways come to the same', () => {
    expect(summaryOf(forward({ rules: [[LIMIT, ACCEPT]] }))).toEqual(['1 accept']);
    expect(summaryOf(forward({ rules: [[LIMIT, { log: { prefix: 'x' } }], [DROP]] }))).toEqual(['1 drop']);
    const [outcome] = forward({ rules: [[LIMIT, ACCEPT], [LIMIT, ACCEPT], [ACCEPT]] });
    expect(outcome).toMatchObject({ chance: { min: 1, max: 1 }, verdict: { kind: 'accept' } });
    expect(outcome?.fork).toBeUndefined();
    expect(outcome?.steps.map((step) => step.matched)).toEqual(['unknown', 'unknown', 'unknown']);
  });

  it('keep drops apart by the rule that drops', () => {
    const outcomes = forward({ rules: [[LIMIT, DROP], [DROP]] });
    expect(summaryOf(outcomes)).toEqual(['0..1 drop', '0..1 drop']);
    expect(outcomes.map((outcome) => outcome.steps.at(-1)?.values.ruleNumber)).toEqual([1, 2]);
  });

  it('do not count where something else certainly fails', () => {
    const cgroup = is(meta('cpu'), 5);
    expect(summaryOf(forward({ rules: [[cgroup, is(payload('udp', 'dport'), 53), DROP]] }))).toEqual(['1 accept']);
    expect(summaryOf(forward({ rules: [[cgroup, is(payload('tcp', 'dport'), 80), DROP]] }))).toEqual([
      '0..1 accept',
      '0..1 drop',
    ]);
  });

  it('grow with their number and not with its power', () => {
    const rules = Array.from({ length: 40 }, () => [LIMIT, { jump: { target: 'leaf' } }]);
    const outcomes = forward({ rules, chains: { leaf: [[LIMIT, DROP]] } });
    expect(outcomes).toHaveLength(2);
    const marks = Array.from({ length: 30 }, (_, bit) => [LIMIT, { mangle: { key: meta('mark'), value: 2 ** bit } }]);
    expect(forward({ rules: marks }).length).toBeLessThan(100);
  });

  it('say so where there is too much to walk', () => {
    const rules = Array.from({ length: 600 }, (_, index) => [
      LIMIT,
      { mangle: { key: meta('mark'), value: { '|': [meta('mark'), index + 1] } } },
    ]);
    const outcomes = forward({ rules: [...rules, [DROP]] });
    expect(
      outcomes.some((outcome) => outcome.steps.some((step) => step.kind === 'filter' && step.matched === 'unknown')),
    ).toBe(true);
  });

  it('are all statements that nobody knows', () => {
    expect(summaryOf(forward({ rules: [[{ novelty: { a: 1 } }], [DROP]] }))).toEqual([
      '0..1 accept',
      '0..1 drop',
      '0..1 drop',
    ]);
    expect(summaryOf(forward({ rules: [[is({ novelty: 1 }, 1), ACCEPT], [DROP]] }))).toEqual([
      '0..1 accept',
      '0..1 drop',
    ]);
    expect(summaryOf(forward({ rules: [[is(payload('ip', 'saddr'), { novelty: 1 }), ACCEPT], [DROP]] }))).toEqual([
      '0..1 accept',
      '0..1 drop',
    ]);
  });

  it('include calls of chains that were not read', () => {
    const outcomes = forward({ rules: [[{ jump: { target: 'gone' } }]] });
    expect(summaryOf(outcomes)).toEqual(['0..1 accept', '0..1 drop']);
    expect(outcomes[0]?.steps.at(-1)).toMatchObject({
      kind: 'filter',
      matched: 'unknown',
      values: { reason: 'unseen' },
    });
  });

  it('survive a loop in the text', () => {
    const chains = { a: [[{ goto: { target: 'b' } }]], b: [[{ goto: { target: 'a' } }]] };
    expect(summaryOf(forward({ rules: [[{ goto: { target: 'a' } }]], chains }))).toEqual(['0..1 accept', '0..1 drop']);
    const deep = { a: [[{ jump: { target: 'a' } }]] };
    expect(summaryOf(forward({ rules: [[{ jump: { target: 'a' } }]], chains: deep }))).toEqual([
      '0..1 accept',
      '0..1 drop',
    ]);
  });
});

describe('lots and hashes', () => {
  const numgen = (mod: number, mode = 'random'): object => ({ numgen: { mode, mod, offset: 0 } });

  it('have their chances', () => {
    expect(summaryOf(forward({ rules: [[is(numgen(100), 30, '<'), DROP]] }))).toEqual(['0.3 drop', '0.7 accept']);
    expect(summaryOf(forward({ rules: [[is(numgen(4, 'inc'), 0), DROP]] }))).toEqual(['0.25 drop', '0.75 accept']);
    expect(summaryOf(forward({ rules: [[is(numgen(1), 0), DROP]] }))).toEqual(['1 drop']);
    const [drop] = forward({ rules: [[is(numgen(4), 0), DROP]] });
    expect(drop).toMatchObject({ fork: 'random', steps: [{ matched: 'yes', values: { probability: 0.25 } }] });
  });

  it('multiply and add up', () => {
    const half = is(numgen(2), 0);
    expect(summaryOf(forward({ rules: [[half, ACCEPT], [half, ACCEPT], [DROP]] }))).toEqual([
      '0.25 drop',
      '0.75 accept',
    ]);
    expect(summaryOf(forward({ rules: [[half, { jump: { target: 'a' } }]], chains: { a: [[half, DROP]] } }))).toEqual([
      '0.25 drop',
      '0.75 accept',
    ]);
  });

  it('stay open where they depend on a hash', () => {
    const hash = { jhash: { mod: 2, expr: payload('ip', 'saddr') } };
    const data = {
      set: [
        [0, ACCEPT],
        [1, DROP],
      ],
    };
    expect(summaryOf(forward({ rules: [[{ vmap: { key: hash, data } }]] }))).toEqual(['0..1 accept', '0..1 drop']);
    expect(
      summaryOf(
        forward({
          rules: [
            [
              {
                vmap: {
                  key: { symhash: { mod: 2 } },
                  data: {
                    set: [
                      [0, DROP],
                      [1, DROP],
                    ],
                  },
                },
              },
            ],
          ],
        }),
      ),
    ).toEqual(['1 drop']);
  });

  it('too large to unfold are not known', () => {
    expect(summaryOf(forward({ rules: [[is(numgen(100_000), 50_000, '<'), DROP]] }))).toEqual([
      '0..1 accept',
      '0..1 drop',
    ]);
    expect(summaryOf(forward({ rules: [[is(numgen(100_000), 100_000, '<'), DROP]] }))).toEqual(['1 drop']);
  });
});

describe('sets and maps', () => {
  const inSet = (name: string): object => is(payload('ip', 'saddr'), `@${name}`);

  it('of which elements were not listed leave the rule open', () => {
    const table = { sets: [{ name: 's', type: 'ipv4_addr' }], rules: [[inSet('s'), DROP]] };
    expect(summaryOf(forward(table))).toEqual(['1 accept']);
    const terse = parseNftJson(ruleset(table), { terse: true }).value;
    const facts: FixtureFact[] = [
      { name: 'nft.tables', value: [{ family: 'ip', name: 't' }] },
      { name: 'nft.table', args: { family: 'ip', name: 't' }, value: terse },
    ];
    const snapshot = snapshotOf(facts);
    expect(summaryOf(throughHook('forward', snapshot, PACKET))).toEqual(['0..1 accept', '0..1 drop']);
    expect(nftHookEntries(snapshot, HERE).incomplete).toEqual(['table ip t of w1: elements not listed of s']);
  });

  it('that are not there leave the rule open', () => {
    expect(summaryOf(forward({ rules: [[inSet('gone'), DROP]] }))).toEqual(['0..1 accept', '0..1 drop']);
    const vmap = { vmap: { key: payload('ip', 'saddr'), data: '@gone' } };
    expect(summaryOf(forward({ rules: [[vmap]] }))).toEqual(['0..1 accept', '0..1 drop']);
  });

  it('hold what this packet has just been added with, and not what it has not', () => {
    const add = (elem: unknown): unknown[] => [{ set: { op: 'add', elem, set: '@s' } }];
    const sets = [{ name: 's', type: 'ipv4_addr', flags: ['timeout'] }];
    const look = [inSet('s'), DROP];
    const [source, destination] = [payload('ip', 'saddr'), payload('ip', 'daddr')];
    expect(summaryOf(forward({ sets, rules: [add(source), look] }))).toEqual(['1 drop']);
    expect(summaryOf(forward({ sets, rules: [add(destination), look] }))).toEqual(['1 accept']);
    const marked = [{ name: 's', type: 'mark', flags: ['timeout'] }];
    const inMarks = [is(meta('mark'), '@s'), DROP];
    const rules = [[{ set: { op: 'add', elem: meta('cpu'), set: '@s' } }], inMarks];
    expect(summaryOf(forward({ sets: marked, rules }))).toEqual(['0..1 accept', '0..1 drop']);
    const gone = [{ ...sets[0], elem: ['10.0.0.1'] }];
    const remove = [{ set: { op: 'delete', elem: source, set: '@s' } }];
    expect(summaryOf(forward({ sets: gone, rules: [remove, look] }))).toEqual(['0..1 accept', '0..1 drop']);
  });

  it('that were added to at an earlier hook are no longer as they were listed', () => {
    const sets = [{ name: 's', type: 'ipv4_addr', flags: ['timeout'] }];
    const snapshot = snapshotOf(nftFacts(ruleset({ sets, rules: [[inSet('s'), DROP]] })));
    const entry = nftHookEntries(snapshot, HERE).entries[0]!;
    const input = inputOf('forward', snapshot, { from: '10.0.0.1', to: '10.0.0.2' });
    const having = (touched: readonly string[]): readonly string[] => summaryOf(entry.evaluate({ ...input, touched }));
    expect(having(['ip t s +10.0.0.1'])).toEqual(['1 drop']);
    expect(having(['ip t s +10.0.0.9', 'ip u s +10.0.0.1', 'ipset s'])).toEqual(['1 accept']);
    expect(having(['ip t s +?'])).toEqual(['0..1 accept', '0..1 drop']);
  });

  it('that are full may refuse', () => {
    const add = { set: { op: 'add', elem: payload('ip', 'saddr'), set: '@s' } };
    const set = (size: number): object => ({ name: 's', type: 'ipv4_addr', size, elem: ['10.9.9.9'] });
    expect(summaryOf(forward({ sets: [set(2)], rules: [[add, DROP]] }))).toEqual(['1 drop']);
    expect(summaryOf(forward({ sets: [set(1)], rules: [[add, DROP]] }))).toEqual(['0..1 accept', '0..1 drop']);
  });

  it('of many ranges give the one that holds the key', () => {
    const elem = Array.from({ length: 200 }, (_, n) => [
      { prefix: { addr: `10.0.${n}.0`, len: 25 } },
      n % 2 ? DROP : ACCEPT,
    ]);
    const data = { set: elem };
    const at = (from: string): readonly string[] =>
      summaryOf(forward({ rules: [[{ vmap: { key: payload('ip', 'saddr'), data } }], [DROP]] }, { from }));
    expect(at('10.0.7.127')).toEqual(['1 drop']);
    expect(at('10.0.8.0')).toEqual(['1 accept']);
    expect(at('10.0.8.128')).toEqual(['1 drop']);
    expect(at('9.255.255.255')).toEqual(['1 drop']);
  });

  it('hold their elements whatever the timeout', () => {
    const elem = [{ elem: { val: '10.0.0.1', timeout: 600, expires: 1 } }];
    expect(
      summaryOf(
        forward({ sets: [{ name: 's', type: 'ipv4_addr', flags: ['timeout'], elem }], rules: [[inSet('s'), DROP]] }),
      ),
    ).toEqual(['1 drop']);
  });

  it('whose elements carry a limit leave the rule open', () => {
    const elem = [{ elem: { val: '10.0.0.1', limit: { rate: 1, per: 'second' } } }];
    expect(summaryOf(forward({ sets: [{ name: 's', type: 'ipv4_addr', elem }], rules: [[inSet('s'), DROP]] }))).toEqual(
      ['0..1 accept', '0..1 drop'],
    );
  });

  it('asked with a key that is not known try what could be meant', () => {
    const data = {
      set: [
        [{ range: [1, 1023] }, DROP],
        [{ range: [40000, 50000] }, DROP],
        [{ range: [1024, 2000] }, { reject: null }],
        ['*', ACCEPT],
      ],
    };
    const vmap = { vmap: { key: payload('tcp', 'sport'), data } };
    const outcomes = forward({ rules: [[vmap]] }, { l4: syn(80, 'ephemeral') });
    expect(summaryOf(outcomes)).toEqual(['0..1 accept', '0..1 drop']);
    expect(outcomes[0]?.steps[0]?.features).toContain('tcp sport vmap');
    expect(summaryOf(forward({ rules: [[vmap]] }, { l4: syn(80, 99) }))).toEqual(['1 drop']);
    expect(summaryOf(forward({ rules: [[vmap]] }, { l4: syn(80, 3000) }))).toEqual(['1 accept']);
  });

  it('with concatenated keys rule out what one part rules out', () => {
    const key = { concat: [payload('ip', 'daddr'), meta('l4proto'), payload('th', 'dport')] };
    const data = { set: [[{ concat: ['10.0.0.2', 'tcp', 80] }, DROP]] };
    const ping: L4 = { protocol: 'icmp', type: 8, code: 0 };
    expect(summaryOf(forward({ rules: [[{ vmap: { key, data } }]] }, { l4: ping }))).toEqual(['1 accept']);
    expect(summaryOf(forward({ rules: [[{ vmap: { key, data } }]] }))).toEqual(['1 drop']);
  });
});

describe('marks', () => {
  const setMark = (value: unknown): object => ({ mangle: { key: meta('mark'), value } });

  it('that are set to what is not known are not decided from there on', () => {
    const rules = [[setMark({ socket: { key: 'mark' } })], [is(meta('mark'), 0), DROP]];
    expect(summaryOf(forward({ rules }))).toEqual(['0..1 accept', '0..1 drop']);
    expect(summaryOf(forward({ rules: [...rules.slice(0, 1), [setMark(7)], ...rules.slice(1)] }))).toEqual([
      '1 accept mark 0x7',
    ]);
  });

  it('tell their change', () => {
    const [outcome] = forward({ rules: [[setMark({ '|': [meta('mark'), 0x4000] })]] }, { meta: { mark: 1 } });
    expect(outcome?.meta.mark).toBe(0x4001);
    expect(outcome?.steps[0]).toMatchObject({
      text: 'mark 0x1 → 0x4001',
      changes: [{ field: 'mark', from: 1, to: 0x4001 }],
    });
  });
});

describe('verdicts', () => {
  const rejects: readonly [object | null, string][] = [
    [null, '{"type":3,"code":3}'],
    [{ type: 'icmp', expr: 'host-prohibited' }, '{"type":3,"code":10}'],
    [{ type: 'icmpx', expr: 'no-route' }, '{"type":3,"code":0}'],
    [{ type: 'icmpx', expr: 'admin-prohibited' }, '{"type":3,"code":13}'],
    [{ type: 'tcp reset' }, '"tcp-reset"'],
  ];
  it.each(rejects)('reject %j answers %s', (reject, answer) => {
    expect(summaryOf(forward({ rules: [[{ reject }]] }))).toEqual([`1 reject ${answer}`]);
  });

  it('reject IPv6 with its own codes, and only what the kind is for', () => {
    const v6 = { from: 'fd00::1', to: 'fd00::2' };
    const table = (reject: unknown): Table => ({ family: 'inet', rules: [[{ reject }], [ACCEPT]] });
    expect(summaryOf(forward(table({ type: 'icmpx', expr: 'host-unreachable' }), v6))).toEqual([
      '1 reject {"type":1,"code":3}',
    ]);
    expect(summaryOf(forward(table({ type: 'icmpv6', expr: 'port-unreachable' }), v6))).toEqual([
      '1 reject {"type":1,"code":4}',
    ]);
    expect(summaryOf(forward(table({ type: 'icmp', expr: 'port-unreachable' }), v6))).toEqual(['1 accept']);
    const udp: L4 = { protocol: 'udp', sourcePort: 1, destinationPort: 2 };
    expect(summaryOf(forward(table({ type: 'tcp reset' }), { l4: udp }))).toEqual(['1 accept']);
  });

  it('name the policy that decided', () => {
    const [outcome] = forward({ base: { policy: 'drop' }, rules: [[{ return: null }], [ACCEPT]] });
    expect(outcome?.verdict).toEqual({ kind: 'drop' });
    expect(outcome?.steps.at(-1)).toMatchObject({
      kind: 'policy',
      at: 'forward nft ip t base policy',
      values: { backend: 'nft', table: 't', chain: 'base', policy: 'DROP', family: 'ip' },
    });
  });

  it('hand over to a transparent proxy only where there may be one', () => {
    const table = { rules: [[{ tproxy: { family: 'ip', addr: '127.0.0.1', port: 15001 } }, ACCEPT], [DROP]] };
    const socket = {
      protocol: 'tcp',
      state: 'LISTEN',
      port: 15001,
      address: '127.0.0.1',
      receiveQueue: 0,
      sendQueue: 0,
      processes: [],
      text: '',
    };
    const sockets = (value: unknown): FixtureFact[] => [{ name: 'sockets', value }];
    expect(summaryOf(forward(table, {}, sockets([])))).toEqual(['1 drop']);
    expect(summaryOf(forward(table, {}, sockets([socket])))).toEqual(['0..1 drop', '0..1 tproxy']);
    expect(summaryOf(forward(table))).toEqual(['0..1 drop', '0..1 tproxy']);
    const [taken] = forward(table);
    expect(taken?.verdict).toEqual({ kind: 'tproxy', address: '127.0.0.1', port: 15001 });
  });

  it('queue, and untrack what conntrack has not seen yet', () => {
    expect(summaryOf(forward({ rules: [[{ queue: { num: 1 } }]] }))).toEqual(['1 queue']);
    const bypass = { queue: { num: 1, flags: 'bypass' } };
    expect(summaryOf(forward({ rules: [[bypass], [DROP]] }))).toEqual(['0..1 accept', '0..1 queue']);
    const [raw] = forward({ rules: [[{ notrack: null }]] }, { meta: { conntrack: 'none' } });
    expect(raw).toMatchObject({ notrack: true, meta: { conntrack: 'untracked' } });
    expect(forward({ rules: [[{ notrack: null }]] })[0]?.notrack).toBeUndefined();
  });
});

describe('routes to an address', () => {
  const rpf = is({ fib: { result: 'oif', flags: ['saddr', 'iif'] } }, false);
  const route = (destination: string, length: number, device: string): object => ({
    table: 254,
    type: 'unicast',
    destination: { address: destination, length },
    nextHops: [{ device, weight: 1, flags: [] }],
    metric: 0,
    flags: [],
    text: destination,
  });
  const rule = {
    priority: 32766,
    not: false,
    action: { kind: 'lookup', table: 254 },
    undecidable: [],
    text: 'from all lookup main',
  };
  const facts = (...routes: readonly object[]): FixtureFact[] => [
    { name: 'routes', args: { family: 4 }, value: routes },
    { name: 'rules', args: { family: 4 }, value: [rule] },
  ];

  it('decide a reverse path test', () => {
    const table = { rules: [[rpf, DROP]] };
    expect(summaryOf(forward(table, {}, facts(route('10.0.0.0', 8, 'eth0'))))).toEqual(['1 accept']);
    expect(summaryOf(forward(table, {}, facts(route('10.0.0.0', 8, 'eth1'))))).toEqual(['1 drop']);
    expect(summaryOf(forward(table, {}, facts(route('192.0.2.0', 24, 'eth0'))))).toEqual(['1 drop']);
    expect(summaryOf(forward(table))).toEqual(['0..1 accept', '0..1 drop']);
  });

  it('name the device', () => {
    const named = is({ fib: { result: 'oifname', flags: ['daddr'] } }, 'eth1');
    expect(summaryOf(forward({ rules: [[named, DROP]] }, {}, facts(route('10.0.0.0', 8, 'eth1'))))).toEqual(['1 drop']);
    const index = is({ fib: { result: 'oif', flags: ['saddr', 'iif'] } }, '0');
    expect(summaryOf(forward({ rules: [[index, DROP]] }, {}, facts(route('10.0.0.0', 8, 'eth1'))))).toEqual(['1 drop']);
  });
});

describe('which tables are walked', () => {
  const iptables = (family: number, tables: readonly string[]): FixtureFact => ({
    name: 'iptables.nft',
    args: { family, table: '' },
    value: { tables: tables.map((name) => ({ name, chains: [] })) },
  });
  const entriesWith = (json: string, ...facts: readonly FixtureFact[]) => {
    const { entries, wants, incomplete } = nftHookEntries(snapshotOf([...nftFacts(json), ...facts]), HERE);
    return {
      names: entries.map((entry) => entry.name),
      wants: wants.map((want) => [want.action, want.args]),
      incomplete,
    };
  };

  it('asks for the list, and then for each table', () => {
    expect(nftHookEntries(snapshotOf([]), HERE)).toMatchObject({
      entries: [],
      wants: [{ action: 'nft.tables', place: HERE }],
      incomplete: ['nftables of w1: nft.tables was not asked'],
    });
    const listed = snapshotOf([{ name: 'nft.tables', value: [{ family: 'inet', name: 'fw' }] }]);
    expect(nftHookEntries(listed, HERE)).toMatchObject({
      wants: [{ action: 'nft.table', args: { family: 'inet', name: 'fw' } }],
      incomplete: ['table inet fw of w1: nft.table was not asked'],
    });
  });

  const xt = { name: 'filter', rules: [[{ xt: { type: 'match', name: 'conntrack' } }, DROP]] };

  it('leaves what iptables-nft-save shows to iptables', () => {
    expect(entriesWith(ruleset(xt), iptables(4, ['filter']))).toEqual({ names: [], wants: [], incomplete: [] });
  });

  it('wants iptables-nft-save where a table may be its own', () => {
    expect(entriesWith(ruleset(xt))).toEqual({
      names: [],
      wants: [['iptables.nft', { family: 4, table: '' }]],
      incomplete: ["table ip filter of w1 may be iptables-nft's, whose rules were not read"],
    });
    expect(entriesWith(ruleset({ name: 'filter' })).wants).toEqual([]);
  });

  it('walks a table that iptables calls incompatible, its own expressions undecided', () => {
    const json = ruleset(xt);
    expect(entriesWith(json, iptables(4, [])).names).toEqual(['nft ip filter base']);
    const snapshot = snapshotOf([...nftFacts(json), iptables(4, [])]);
    expect(summaryOf(throughHook('forward', snapshot, PACKET))).toEqual(['0..1 accept', '0..1 drop']);
  });

  it('takes the tables of that name that are not iptables-nft’s', () => {
    expect(entriesWith(ruleset({ family: 'inet', name: 'filter', rules: [[DROP]] })).names).toEqual([
      'nft inet filter base',
    ]);
  });

  it('does not walk a dormant table', () => {
    expect(entriesWith(ruleset({ flags: 'dormant', rules: [[DROP]] }))).toEqual({
      names: [],
      wants: [],
      incomplete: [],
    });
  });

  it('gives bridge, device and ARP chains to those who ask for them', () => {
    const names = (asker: 4 | 'frames' | 'arp'): readonly string[] => {
      const tables = [
        { family: 'bridge', name: 'b', rules: [[DROP]] },
        { family: 'netdev', name: 'n', base: { hook: 'ingress', dev: ['eth0', 'eth1'] }, rules: [[DROP]] },
        { family: 'arp', name: 'a', base: { hook: 'input' }, rules: [[DROP]] },
      ];
      const snapshot = snapshotOf(
        tables.flatMap((one) => nftFacts(ruleset(one))).filter((fact) => fact.name === 'nft.table'),
      );
      const listed = { name: 'nft.tables' as const, value: tables.map(({ family, name }) => ({ family, name })) };
      const whole = {
        ...snapshot,
        fact: ((name, place, args) =>
          name === 'nft.tables'
            ? snapshotOf([listed]).fact(name, place)
            : snapshot.fact(name, place, args)) as typeof snapshot.fact,
      };
      return nftHookEntries(whole, HERE, asker).entries.map(
        (entry) => `${entry.family} ${entry.hook} ${entry.devices ?? ''}`,
      );
    };
    expect(names(4)).toEqual([]);
    expect(names('frames')).toEqual(['bridge forward ', 'netdev ingress eth0,eth1']);
    expect(names('arp')).toEqual(['arp input ']);
  });

  it('says that a table was not read whole', () => {
    const facts = nftFacts(ruleset({ rules: [[DROP]] })).map((fact) =>
      fact.name === 'nft.table' ? { ...fact, unparsed: [{ line: 0, text: '{"novelty":1}' }] } : fact,
    );
    const found = nftHookEntries(snapshotOf(facts), HERE);
    expect(found.entries).toHaveLength(1);
    expect(found.incomplete).toEqual(['table ip t of w1 was not read whole']);
  });

  it('keeps the families apart', () => {
    expect(summaryOf(forward({ family: 'ip6', rules: [[DROP]] }))).toEqual(['1 accept']);
    const [entry] = nftHookEntries(snapshotOf(nftFacts(ruleset({ family: 'ip6', rules: [[DROP]] }))), HERE).entries;
    expect(entry?.family).toBe(6);
    expect(summaryOf(entry!.evaluate(inputOf('forward', snapshotOf([]), PACKET)))).toEqual(['1 accept']);
  });
});

describe('every kind of rule that nft 1.0.6 can print', () => {
  const { value, unparsed } = parseNftJson(recorded('grammar/inet-table.json'));
  const table = value.tables[0]!;
  const udp: L4 = { protocol: 'udp', sourcePort: 5, destinationPort: 53 };
  const packets: readonly FixturePacket[] = [
    PACKET,
    { ...PACKET, l4: syn(443), meta: { conntrack: 'established', nat: ['destination'] } },
    { ...PACKET, from: '192.168.1.7', l4: udp },
    { ...PACKET, from: 'fd00::1', to: 'fd00::2' },
  ];

  it('is read, and shown as nft shows it', () => {
    expect(unparsed).toEqual([]);
    const shown = new Map(
      [...recorded('grammar/inet-table.txt').matchAll(/^\t\t(?<text>.*) # handle (?<handle>\d+)$/gm)].map((line) => [
        Number(line.groups?.handle),
        line.groups?.text?.replace(/counter packets \d+ bytes \d+/g, 'counter'),
      ]),
    );
    const rules = table.chains.flatMap((chain) => chain.rules);
    expect(rules.length).toBeGreaterThan(150);
    expect(rules.filter((rule) => shown.get(rule.handle) !== rule.text).map((rule) => rule.text)).toEqual([
      'reject with icmpx port-unreachable', // nft: reject
      '@nh,128,32 167772161 accept', // nft: in hexadecimal
      'ct expiration 30 accept', // nft: 30s
    ]);
  });

  it('is decided, but for what no snapshot tells', () => {
    const features = new Set<string>();
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        for (const packet of packets) {
          const input = inputOf('prerouting', snapshotOf([]), packet);
          const state = { packet: input.packet, meta: input.meta, doubtfulMarks: [], touched: [] };
          for (const branch of runRule(rule, { input, table, state })) {
            for (const what of [...branch.doubts, ...branch.features]) features.add(what);
          }
        }
      }
    }
    expect([...features].sort()).toEqual([
      'add @tp { ip saddr . tcp dport limit rate 10/second }',
      'ct bytes',
      'ct count over 10',
      'ct expiration',
      'ct id',
      'ct label',
      'ct reply ip daddr',
      'ether saddr',
      'fib saddr . iif oif',
      'fib saddr . iif oifname',
      'fib saddr . mark . iif oif',
      'iifgroup',
      'limit name "ln"',
      'limit rate 10/second',
      'limit rate over 10 mbytes/second burst 1 mbytes',
      'meta hour',
      'meta iifkind',
      'quota name "qn"',
      'quota over 1 mbytes',
      'reset tcp option sack-perm',
      'socket mark',
      'socket transparent',
      'tproxy ip to 127.0.0.1:15001',
      'tproxy ip6 to [::1]:15001',
      'tproxy to :15001',
    ]);
  });

  it.each([
    ['meta l4proto tcp dnat ip to 10.0.0.1:80', ['1 destination {"address":"10.0.0.1","port":80}']],
    [
      'meta l4proto tcp dnat ip to 10.0.0.1-10.0.0.5:80-90',
      ['1 destination {"address":"10.0.0.1","addressTo":"10.0.0.5","port":80,"portTo":90}'],
    ],
    ['meta l4proto tcp dnat ip to ip saddr map @nat4', ['1 destination {"address":"10.2.0.1","port":8080}']],
    ['dnat ip to ip saddr map @ints', ['1 destination {"address":"10.2.0.1","addressTo":"10.2.0.9"}']],
    [
      'meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }',
      ['0.5 destination {"address":"10.0.0.1","port":80}', '0.5 destination {"address":"10.0.0.2","port":81}'],
    ],
    [
      'dnat ip to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }',
      ['0.5 destination {"address":"10.0.0.1"}', '0.5 destination {"address":"10.0.0.2"}'],
    ],
    [
      'dnat ip to jhash ip saddr mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }',
      ['0..1 destination {"address":"10.0.0.1"}', '0..1 destination {"address":"10.0.0.2"}'],
    ],
    [
      'dnat ip to ip saddr . tcp dport map { 10.0.0.1 . 80 : 10.2.0.1 . 8080 }',
      ['1 destination {"address":"10.2.0.1","port":8080}'],
    ],
    ['dnat ip prefix to ip daddr map { 10.0.0.0/24 : 10.9.0.0/24 }', ['1 destination {"address":"10.9.0.2"}']],
    ['snat ip prefix to ip saddr map { 10.0.0.0/24 : 10.9.0.0/24 }', ['1 source {"address":"10.9.0.1"}']],
    ['meta l4proto tcp dnat ip6 to [fd00::1]:80', ['1 none']],
    ['meta l4proto tcp redirect to :tcp dport map { 80 : 8080 }', ['1 redirect {"port":8080}']],
    ['tcp dport 80 redirect to :8080-8090', ['1 redirect {"port":8080,"portTo":8090}']],
    ['masquerade random,persistent', ['1 masquerade {}']],
    ['meta l4proto tcp masquerade to :1024-65535', ['1 masquerade {"port":1024,"portTo":65535}']],
    [
      'meta l4proto tcp snat ip to 10.0.0.1:1-100 fully-random',
      ['1 source {"address":"10.0.0.1","port":1,"portTo":100}'],
    ],
  ])('%s', (text, expected) => {
    const rule = table.chains.flatMap((chain) => chain.rules).find((one) => one.text === text)!;
    const input = inputOf('prerouting', snapshotOf([]), PACKET);
    const state = { packet: input.packet, meta: input.meta, doubtfulMarks: [], touched: [] };
    const told = runRule(rule, { input, table, state }).map(({ chance, state: { nat } }) => {
      const likely = chance.min === chance.max ? chance.min : `${chance.min}..${chance.max}`;
      const how = nat?.masquerade ? 'masquerade' : nat?.redirect ? 'redirect' : nat?.kind;
      return nat ? `${likely} ${how} ${JSON.stringify(nat.to)}` : `${likely} none`;
    });
    expect(told).toEqual(expected);
  });
});
