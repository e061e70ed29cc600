import {
  type Arbitrary,
  array,
  assert,
  constant,
  constantFrom,
  integer,
  oneof,
  property,
  record,
  tuple,
} from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { L4, Meta } from '../net/packet.ts';
import { type NftRule, parseNftJson } from '../parse/nft-json.ts';
import { readyStatements } from './nftables-ready.ts';
import { runRule } from './nftables-rule.ts';
import type { NftState } from './nftables-state.ts';
import { inputOf, recorded, snapshotOf } from './testing/nftables-fixture.ts';

/* What is made ready says the same as the readable evaluator, of whatever packet. */

const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.1.7', '192.168.3.4', '127.0.0.1'] as const;
const PORTS = [53, 80, 443, 8080] as const;
const MARKS = [0, 1, 0x4000, 0x4001, 0xffff_ffff] as const;

const payload = (protocol: string, field: string): object => ({ payload: { protocol, field } });
const MARK = { meta: { key: 'mark' } };
const L4PROTO = { meta: { key: 'l4proto' } };
const address = constantFrom(...ADDRESSES);
const key = constantFrom<object>(
  payload('ip', 'saddr'),
  payload('ip', 'daddr'),
  payload('ip6', 'daddr'),
  payload('th', 'dport'),
  payload('tcp', 'dport'),
  L4PROTO,
  MARK,
);
const literal: Arbitrary<unknown> = oneof(
  address,
  constantFrom<unknown>('tcp', 'udp', 6, 80, 0x4000, '0x1', 'fd00::1', 'nonsense', '*'),
  tuple(address, integer({ min: 0, max: 33 })).map(([addr, len]) => ({ prefix: { addr, len } })),
  tuple(address, address).map((range) => ({ range })),
);
const match = (left: unknown, right: unknown, op: string): object => ({ match: { op, left, right } });
const op = constantFrom('==', '!=');
const turn = constantFrom<unknown>(
  { accept: null },
  { drop: null },
  { return: null },
  { jump: { target: 'c' } },
  { goto: { target: 'c' } },
);
const concat = constantFrom<object>(
  { concat: [payload('ip', 'daddr'), L4PROTO, payload('th', 'dport')] },
  { concat: [L4PROTO, payload('th', 'sport')] },
  payload('ip', 'daddr'),
);
const element = tuple(address, constantFrom('tcp', 'udp'), constantFrom(...PORTS)).map((parts) => ({ concat: parts }));
const verdicts = array(tuple(oneof(element, literal), turn), { maxLength: 6 });

const statement: Arbitrary<unknown> = oneof(
  tuple(key, literal, op).map(([left, right, how]) => match(left, right, how)),
  tuple(key, array(literal, { minLength: 1, maxLength: 3 }), op).map(([left, set, how]) => match(left, { set }, how)),
  tuple(concat, constantFrom('@addresses', '@services', '@cut', '@none'), op).map(([left, set, how]) =>
    match(left, set, how),
  ),
  tuple(constantFrom(...MARKS), constantFrom(...MARKS), op).map(([mask, value, how]) =>
    match({ '&': [MARK, mask] }, value, how),
  ),
  constantFrom<unknown>('new', ['established', 'related'], 'invalid', 'untracked').map((right) =>
    match({ ct: { key: 'state' } }, right, 'in'),
  ),
  tuple(concat, constantFrom('@map', '@none')).map(([of, data]) => ({ vmap: { key: of, data } })),
  tuple(concat, verdicts).map(([of, set]) => ({ vmap: { key: of, data: { set } } })),
  tuple(integer({ min: 1, max: 4 }), verdicts).map(([mod, set]) => ({
    vmap: {
      key: { numgen: { mode: 'random', mod, offset: 0 } },
      data: { set: [...set, [0, { goto: { target: 'c' } }]] },
    },
  })),
  constantFrom<unknown>(
    { counter: { packets: 1, bytes: 2 } },
    { counter: 'named' },
    { counter: null },
    { notrack: null },
  ),
  turn,
  tuple(constantFrom('&', '|', '^'), constantFrom(...MARKS)).map(([by, operand]) => ({
    mangle: { key: MARK, value: { [by]: [MARK, operand] } },
  })),
  constantFrom(...MARKS).map((value) => ({ mangle: { key: MARK, value } })),
  constant({ mangle: { key: MARK, value: { numgen: { mode: 'random', mod: 2, offset: 0 } } } }),
  tuple(address, constantFrom(...PORTS)).map(([addr, port]) => ({ dnat: { addr, port } })),
  constantFrom<unknown>(
    { dnat: { addr: 'fd00::9' } },
    { snat: { family: 'ip', addr: '10.0.0.9' } },
    { masquerade: { flags: 'fully-random' } },
    { masquerade: null },
    { redirect: { port: 80 } },
  ),
);

const l4: Arbitrary<L4> = oneof(
  record({
    protocol: constantFrom('tcp' as const, 'udp' as const),
    sourcePort: constantFrom(...PORTS),
    destinationPort: constantFrom(...PORTS, 'ephemeral' as const),
  }),
  constant<L4>({ protocol: 'icmp', type: 8, code: 0 }),
  constant<L4>({ protocol: 47 }),
);
const meta: Arbitrary<Partial<Meta>> = record({
  mark: constantFrom(...MARKS),
  conntrack: constantFrom<Meta['conntrack']>('new', 'established', 'related', 'invalid', 'untracked', 'none'),
  zone: constantFrom(0, 3),
});

const SETS = [
  { name: 'addresses', type: 'ipv4_addr', elem: ['10.0.0.1', { prefix: { addr: '10.0.1.0', len: 24 } }] },
  {
    name: 'services',
    type: ['ipv4_addr', 'inet_proto', 'inet_service'],
    elem: [
      { concat: ['10.0.0.1', 'tcp', 80] },
      { elem: { val: { concat: ['10.0.0.2', 'udp', 53] }, limit: { rate: 1, per: 'second' } } },
    ],
  },
  { name: 'none', type: 'ipv4_addr', elem: [] },
  { name: 'cut', type: 'ipv4_addr' },
];
const MAP = {
  name: 'map',
  type: ['ipv4_addr', 'inet_proto', 'inet_service'],
  map: 'verdict',
  elem: [
    [{ concat: ['10.0.0.1', 'tcp', 80] }, { goto: { target: 'c' } }],
    [{ concat: ['10.0.0.2', 'udp', 53] }, { drop: null }],
  ],
};

function tableWith(statements: readonly unknown[], set: readonly object[] = SETS) {
  const home = { family: 'ip', table: 't' };
  const items = [
    { table: { family: 'ip', name: 't', handle: 1 } },
    { chain: { ...home, name: 'c', handle: 2 } },
    ...set.map((one, index) => ({ set: { ...home, handle: 10 + index, ...one } })),
    { map: { ...home, handle: 30, ...MAP } },
    { rule: { ...home, chain: 'c', handle: 40, expr: statements } },
  ];
  return parseNftJson(JSON.stringify({ nftables: items })).value.tables[0]!;
}

interface Sent {
  readonly from: string;
  readonly to: string;
  readonly l4: L4;
  readonly meta: Partial<Meta>;
  readonly fragmentOffset: number | undefined;
  readonly touched: readonly string[];
  readonly doubtful: boolean;
}

/** Two of the elements, and whoever. */
const AIMED = [
  { to: '10.0.0.1', l4: { protocol: 'tcp', sourcePort: 80, destinationPort: 80 } },
  { to: '10.0.0.2', l4: { protocol: 'udp', sourcePort: 53, destinationPort: 53 } },
] as const;

const sent: Arbitrary<Sent> = oneof(
  constantFrom(...AIMED).map((aimed) => ({
    from: constant('10.0.1.7'),
    to: constant(aimed.to),
    l4: constant(aimed.l4),
  })),
  constantFrom({ from: address, to: address, l4 }, { from: constant('fd00::1'), to: constant('fd00::2'), l4 }),
).chain((ends) =>
  record({
    from: ends.from as Arbitrary<string>,
    to: ends.to as Arbitrary<string>,
    l4: ends.l4 as Arbitrary<L4>,
    meta,
    fragmentOffset: constantFrom(undefined, undefined, 0, 1),
    touched: constantFrom<readonly string[]>(
      [],
      [],
      ['ip t services +10.0.0.1|17|80|', 'ip t map -10.0.0.1|6|80|'],
      ['ip t services -10.0.0.1|6|80|', 'ip t none +10.0.0.2|17|53|', 'ip t map -?'],
    ),
    doubtful: constantFrom(false, false, true),
  }),
);

function stateOf({ from, to, l4: layer, meta: beside, fragmentOffset, touched, doubtful }: Sent) {
  const input = inputOf('prerouting', snapshotOf([]), { from, to, l4: layer, meta: beside, touched });
  const ip = fragmentOffset === undefined ? input.packet.ip : { ...input.packet.ip, fragmentOffset };
  const packet = { ...input.packet, ip };
  const state: NftState = { packet, meta: input.meta, doubtfulMarks: doubtful ? ['mark'] : [], touched: [] };
  return { input: { ...input, packet }, state };
}

function expectSame(table: ReturnType<typeof tableWith>, rule: NftRule, one: Sent): void {
  const scope = { table, ...stateOf(one) };
  // Twice: what is kept of the first time must serve the second.
  for (const _ of [1, 2]) expect(runRule(rule, scope)).toEqual(runRule(rule, scope, []));
}

describe('rules that are made ready', () => {
  it('do what the readable evaluator says', () => {
    assert(
      property(
        array(statement, { minLength: 1, maxLength: 4 }),
        array(sent, { minLength: 2, maxLength: 4 }),
        (statements, packets) => {
          const table = tableWith(statements);
          for (const one of packets) expectSame(table, table.chains[0]!.rules[0]!, one);
        },
      ),
      { numRuns: 1000 },
    );
  }, 30_000);

  it.each(['kube-proxy/w1.nft-ruleset.json', 'grammar/inet-table.json'])('also those of %s', (file) => {
    const { tables } = parseNftJson(recorded(file)).value;
    const rules = tables.flatMap((table) =>
      table.chains.flatMap((chain) => chain.rules.map((rule) => ({ table, rule }))),
    );
    expect(rules.length).toBeGreaterThan(20);
    assert(
      property(sent, (one) => {
        for (const { table, rule } of rules) expectSame(table, rule, one);
      }),
      { numRuns: 40 },
    );
  });

  it('are most of what a kube-proxy writes', () => {
    const { tables } = parseNftJson(recorded('kube-proxy/w1.nft-ruleset.json')).value;
    const ready = tables.flatMap((table) => table.chains.flatMap((chain) => chain.rules.flatMap(readyStatements)));
    expect(ready.filter((one) => one !== undefined).length / ready.length).toBeGreaterThan(0.8);
  });
});
