import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseNftJson, parseNftTables } from './nft-json.ts';
import { expectEveryTruncationParses, expectFuzzParses, expectWrongTypesParse } from './testing/parser-properties.ts';

const FIXTURES = new URL('../simulate/fixtures-nft/kube-proxy/', import.meta.url);
const real = (name: string): string => readFileSync(new URL(name, FIXTURES), 'utf8');

/** `nft -j list table inet t` of nft 1.0.6, cut down to one of each. */
const SMALL = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 } },
    { table: { family: 'inet', name: 't', handle: 3, flags: 'dormant' } },
    { set: { family: 'inet', name: 's', table: 't', type: 'ipv4_addr', handle: 2, flags: ['interval'], elem: ['10.0.0.1'] } },
    { map: { family: 'inet', name: 'm', table: 't', type: 'mark', map: 'verdict', handle: 4 } },
    { element: { family: 'inet', table: 't', name: 's', elem: [{ prefix: { addr: '10.1.0.0', len: 16 } }] } },
    { chain: { family: 'inet', table: 't', name: 'c', handle: 1, type: 'filter', hook: 'input', prio: 'filter - 5' } },
    {
      rule: {
        family: 'inet', table: 't', chain: 'c', handle: 9, comment: 'no "telnet"',
        expr: [
          { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'eth0' } },
          { match: { op: '!=', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: { set: [22, { range: [80, 90] }] } } },
          { counter: { packets: 12, bytes: 720 } },
          { reject: { type: 'tcp reset' } },
        ],
      },
    },
    { flowtable: { family: 'inet', name: 'f', table: 't', handle: 5, hook: 'ingress', prio: 0, dev: 'eth0' } },
  ],
}); // biome-ignore format: data

describe('parseNftJson', () => {
  it('reads the ruleset of a kube-proxy node whole', () => {
    const { value, unparsed } = parseNftJson(real('w1.nft-ruleset.json'));
    expect(unparsed).toEqual([]);
    expect(value.tables.map((table) => `${table.family} ${table.name} ${table.hasXt}`)).toEqual([
      'ip mangle false',
      'ip filter true',
      'ip6 mangle false',
      'ip nat true',
      'ip6 nat false',
      'ip6 filter false',
      'ip kube-proxy false',
      'ip6 kube-proxy false',
    ]);
    const proxy = value.tables.find((table) => table.name === 'kube-proxy' && table.family === 'ip')!;
    expect(proxy.chains.filter((chain) => chain.base).map((chain) => [chain.name, chain.base?.priority])).toEqual([
      ['filter-prerouting-pre-dnat', -110],
      ['filter-output-pre-dnat', -110],
      ['filter-input', 0],
      ['filter-forward', 0],
      ['filter-output', 0],
      ['nat-prerouting', -100],
      ['nat-output', -100],
      ['nat-postrouting', 100],
    ]);
    expect(proxy.sets.find((set) => set.name === 'service-ips')?.elements).toHaveLength(16);
    const check = proxy.chains.find((chain) => chain.name === 'cluster-ips-check')!;
    expect(check.rules.map((rule) => [rule.number, rule.text])).toEqual([
      [
        1,
        'ip daddr @cluster-ips reject with icmp port-unreachable comment "Reject traffic to invalid ports of ClusterIPs"',
      ],
      [2, 'ip daddr 10.96.0.0/16 drop comment "Drop traffic to unallocated ClusterIPs"'],
    ]);
  });

  it('renders the rules of kube-proxy as nft prints them', () => {
    const { value } = parseNftJson(real('w1.nft-ruleset.json'));
    const texts = value.tables.flatMap((table) =>
      table.chains.flatMap((chain) => chain.rules.map((rule) => rule.text)),
    );
    expect(texts).toContain('ip daddr . meta l4proto . th dport vmap @service-ips');
    expect(texts).toContain('meta mark & 0x00004000 == 0x00000000 return');
    expect(texts).toContain('meta mark set meta mark ^ 0x00004000');
    expect(texts).toContain('masquerade fully-random');
    expect(texts).toContain('meta l4proto tcp dnat to 10.244.1.3:8080');
    expect(texts).toContain('ip saddr != { 10.79.0.254, 192.0.2.0/24 } drop');
    expect(texts).toContain('fib saddr type local jump mark-for-masquerade comment "masquerade local traffic"');
    expect(texts).toContain(
      'ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 xt match comment counter xt target MASQUERADE',
    );
    expect(texts.filter((text) => text.includes('{"'))).toEqual([]);
  });

  it('keeps handles, comments, counters, flags and named priorities', () => {
    const { value, unparsed } = parseNftJson(SMALL);
    expect(unparsed).toEqual([]);
    const [table] = value.tables;
    expect(table).toMatchObject({ family: 'inet', name: 't', handle: 3, flags: ['dormant'], hasXt: false });
    expect(table?.chains[0]?.base).toEqual({ type: 'filter', hook: 'input', priority: -5, policy: 'accept' });
    expect(table?.chains[0]?.rules).toMatchObject([
      {
        handle: 9,
        number: 1,
        comment: 'no "telnet"',
        packets: 12,
        text: 'iifname "eth0" tcp dport != { 22, 80-90 } counter reject with tcp reset comment "no \\"telnet\\""',
      },
    ]);
    expect(table?.sets).toMatchObject([
      { name: 's', kind: 'set', elements: ['10.0.0.1', { prefix: { addr: '10.1.0.0', len: 16 } }], terse: false },
      { name: 'm', kind: 'map', map: 'verdict', elements: [], terse: false },
    ]);
  });

  it('says of a terse listing that elements were not listed', () => {
    const sets = parseNftJson(SMALL, { terse: true }).value.tables[0]?.sets;
    expect(sets?.map((set) => set.terse)).toEqual([false, true]);
  });

  it('takes an empty reply as an empty ruleset and a broken one as unparsed', () => {
    expect(parseNftJson('\n')).toEqual({ value: { tables: [] }, unparsed: [] });
    expect(parseNftJson(SMALL.slice(0, 300))).toMatchObject({ value: { tables: [] }, unparsed: [{ line: 0 }] });
  });

  it('puts items that it does not know, and rules of unknown chains, into unparsed', () => {
    const rule = { family: 'ip', table: 't', chain: 'nowhere', handle: 1, expr: [{ drop: null }] };
    const items = [{ table: { family: 'ip', name: 't', handle: 1 } }, { rule }, { novelty: { name: 'x' } }, 7];
    const { unparsed } = parseNftJson(JSON.stringify({ nftables: items }));
    expect(unparsed.map((line) => line.text)).toEqual([JSON.stringify({ rule }), '{"novelty":{"name":"x"}}', '7']);
  });

  it('knows tables of iptables-nft whose xt expressions a tool without libxtables prints as null', () => {
    const items = [
      { table: { family: 'ip', name: 'filter', handle: 1 } },
      { chain: { family: 'ip', table: 'filter', name: 'FORWARD', handle: 1, type: 'filter', hook: 'forward', prio: 0, policy: 'drop' } },
      { rule: { family: 'ip', table: 'filter', chain: 'FORWARD', handle: 2, expr: [{ xt: null }, { accept: null }] } },
    ]; // biome-ignore format: data
    expect(parseNftJson(JSON.stringify({ nftables: items })).value.tables[0]?.hasXt).toBe(true);
  });

  it('never throws', () => {
    expectEveryTruncationParses(SMALL, (text) => parseNftJson(text));
    expectWrongTypesParse(SMALL, (text) => parseNftJson(text));
    expectFuzzParses([SMALL, real('w1.nft-tables.json')], (text) => parseNftJson(text));
  });
});

describe('parseNftTables', () => {
  it('lists the tables by name', () => {
    const { value, unparsed } = parseNftTables(real('w1.nft-tables.json'));
    expect(unparsed).toEqual([]);
    expect(value).toContainEqual({ family: 'ip6', name: 'kube-proxy' });
    expect(value).toHaveLength(8);
  });

  it('never throws', () => {
    expectEveryTruncationParses(real('w1.nft-tables.json'), parseNftTables);
    expectFuzzParses([real('w1.nft-tables.json')], parseNftTables);
  });
});
