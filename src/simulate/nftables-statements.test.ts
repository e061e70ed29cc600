import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { parseIpLink } from '../parse/ip-link.ts';
import type { RouteFound } from './routes.ts';
import {
  FIRST,
  type FixtureFact,
  type FixturePacket,
  nftFacts,
  snapshotOf,
  summaryOf,
  syn,
  throughHook,
} from './testing/nftables-fixture.ts';

/** One chain of table `ip t` whose last rule drops what no rule before it has accepted. */
function outcomesOf(
  rules: readonly (readonly unknown[])[],
  packet: Partial<FixturePacket> = {},
  objects: readonly object[] = [],
  facts: readonly FixtureFact[] = [],
  family: 'ip' | 'inet' = 'ip',
) {
  const of = { family, table: 't' };
  const items = [
    { table: { family, name: 't', handle: 1 } },
    { chain: { ...of, name: 'c', handle: 1, type: 'filter', hook: 'forward', prio: 0, policy: 'drop' } },
    ...objects,
    ...rules.map((expr, index) => ({ rule: { ...of, chain: 'c', handle: index + 2, expr } })),
  ];
  const given = {
    from: '10.0.0.1',
    to: '10.0.0.2',
    l4: syn(80),
    input: 'eth0',
    output: 'eth1',
    status: FIRST,
    ...packet,
  };
  return throughHook('forward', snapshotOf([...nftFacts(JSON.stringify({ nftables: items })), ...facts]), given);
}

const ACCEPT = { accept: null };
const is = (left: object, right: unknown, op = '=='): object => ({ match: { op, left, right } });
const payload = (protocol: string, field: string): object => ({ payload: { protocol, field } });
const ct = (key: string, dir?: string): object => ({ ct: { key, ...(dir && { dir }) } });
const named = (kind: string, name: string, body: object = {}): object => {
  return { [kind]: { family: 'ip', table: 't', name, handle: 1, ...body } };
};
const YES = ['1 accept'];
const NO = ['1 drop'];
const EITHER = ['0..1 accept', '0..1 drop'];

describe('stateful objects', () => {
  const byPort = { map: { key: payload('tcp', 'dport'), data: { set: [[80, 'web']] } } };

  it('are chosen by a map, which leaves the rule where it has none', () => {
    const objects = [named('counter', 'web')];
    expect(summaryOf(outcomesOf([[{ counter: byPort }, ACCEPT]], {}, objects))).toEqual(YES);
    expect(summaryOf(outcomesOf([[{ counter: byPort }, ACCEPT]], { l4: syn(81) }, objects))).toEqual(NO);
  });

  it.each([
    [{ bytes: 1000, used: 2000, inv: true }, YES],
    [{ bytes: 1000, used: 2000, inv: false }, NO],
    [{ bytes: 1000, used: 1000, inv: true }, EITHER],
    [{ bytes: 1000, used: 0, inv: false }, EITHER],
  ])('a quota that is used up stays so: %j', (quota, expected) => {
    expect(summaryOf(outcomesOf([[{ quota: 'q' }, ACCEPT]], {}, [named('quota', 'q', quota)]))).toEqual(expected);
  });

  it('expect nothing of a connection that has begun', () => {
    const rule = [{ 'ct expectation': 'e' }, ACCEPT];
    expect(summaryOf(outcomesOf([rule]))).toEqual(YES);
    expect(summaryOf(outcomesOf([rule], { status: { ...FIRST, confirmed: 'yes' } }))).toEqual(NO);
    expect(summaryOf(outcomesOf([rule], { meta: { conntrack: 'untracked' } }))).toEqual(NO);
  });
});

describe('statements that end the walk elsewhere', () => {
  it('synproxy takes a SYN, and is nothing to what is no TCP', () => {
    const rule = [{ synproxy: { mss: 1460 } }, ACCEPT];
    expect(summaryOf(outcomesOf([rule]))).toEqual(['1 unknown']);
    expect(summaryOf(outcomesOf([rule], { l4: { protocol: 'icmp', type: 8, code: 0 } }))).toEqual(NO);
  });

  it('a flowtable takes only what is established', () => {
    const rule = [{ flow: { op: 'add', flowtable: '@f' } }, ACCEPT];
    const data: L4 = { protocol: 'tcp', sourcePort: 40000, destinationPort: 80, flags: ['ack'] };
    const established = { meta: { conntrack: 'established' }, status: { ...FIRST, confirmed: 'yes' } } as const;
    expect(summaryOf(outcomesOf([rule]))).toEqual(NO);
    expect(summaryOf(outcomesOf([rule], established))).toEqual(NO);
    expect(summaryOf(outcomesOf([rule], { ...established, l4: data }))).toEqual(EITHER);
  });

  it('a frame sent on by another device is not followed', () => {
    expect(summaryOf(outcomesOf([[{ fwd: { dev: 'eth2' } }]]))).toEqual(['1 unknown']);
  });
});

describe('what a packet carries', () => {
  it.each([
    [is({ 'ip option': { name: 'rr' } }, true), NO],
    [is({ 'ip option': { name: 'rr' } }, false), YES],
    [is({ exthdr: { name: 'hbh' } }, false), NO],
    [is({ 'tcp option': { name: 'maxseg' } }, true), YES],
    [is({ 'tcp option': { name: 'maxseg', field: 'size' } }, 1460), YES],
    [is({ 'tcp option': { name: 'fastopen' } }, true), EITHER],
    [is({ payload: { base: 'th', offset: 96, len: 4 } }, 5, '!='), EITHER],
    [is({ payload: { base: 'th', offset: 104, len: 8 } }, 2), YES],
    [is({ payload: { base: 'nh', offset: 128, len: 24 } }, 0x0a0000), YES],
    [is({ payload: { base: 'th', offset: 4000, len: 8 } }, 0, '!='), NO],
    [is({ osf: { key: 'name' } }, 'Linux'), EITHER],
  ])('%j', (condition, expected) => {
    expect(summaryOf(outcomesOf([[condition, ACCEPT]]))).toEqual(expected);
  });

  it('lacks every option of TCP where it is none', () => {
    const udp: L4 = { protocol: 'udp', sourcePort: 1, destinationPort: 2 };
    const missing = (name: string): object => is({ 'tcp option': { name } }, false);
    expect(summaryOf(outcomesOf([[missing('maxseg'), ACCEPT]], { l4: udp }))).toEqual(YES);
    const set = { mangle: { key: { 'tcp option': { name: 'maxseg', field: 'size' } }, value: 900 } };
    expect(summaryOf(outcomesOf([[set, ACCEPT]], { l4: udp }))).toEqual(NO);
  });

  it('is lost where a rule writes what would break it', () => {
    const write = (key: object, value: unknown): object => ({ mangle: { key, value } });
    expect(summaryOf(outcomesOf([[write(payload('ip', 'protocol'), 17), ACCEPT]]))).toEqual(['1 unknown']);
    const [changed] = outcomesOf([[write({ payload: { base: 'nh', offset: 128, len: 32 } }, 0x0a000009), ACCEPT]]);
    expect(changed?.packet.ip.destination).toBe('10.0.0.9');
    const [indifferent] = outcomesOf([[write(payload('tcp', 'window'), 1), ACCEPT]]);
    expect(indifferent).toMatchObject({ verdict: { kind: 'accept' }, packet: { l4: syn(80) } });
  });
});

describe('hashes', () => {
  // Held against the kernel by test/namespace/nftables.test.ts.
  it.each([
    [{ expr: payload('ip', 'saddr'), mod: 5, seed: 0x1234 }, '192.0.2.1'],
    [{ expr: { concat: [payload('ip', 'saddr'), payload('ip', 'daddr')] }, mod: 7, seed: 1, offset: 10 }, '192.0.2.1'],
  ])('with a seed are one value: %j', (jhash, from) => {
    const values = Array.from({ length: jhash.mod }, (_, value) => value + ('offset' in jhash ? jhash.offset! : 0));
    const hits = values.filter(
      (value) => summaryOf(outcomesOf([[is({ jhash }, value), ACCEPT]], { from }))[0] === YES[0],
    );
    expect(hits).toHaveLength(1);
  });

  it('without one may be any', () => {
    const jhash = { expr: payload('ip', 'saddr'), mod: 2 };
    expect(summaryOf(outcomesOf([[is({ jhash }, 0), ACCEPT]]))).toEqual(EITHER);
  });
});

describe('connections', () => {
  it('that are only a template have nothing but a state', () => {
    const template = { meta: { conntrack: 'none', zone: 5 } } as const;
    const state = { match: { op: 'in', left: ct('state'), right: 'new' } };
    expect(summaryOf(outcomesOf([[state, ACCEPT]], template))).toEqual(YES);
    expect(summaryOf(outcomesOf([[is(ct('zone'), 5), ACCEPT]], template))).toEqual(NO);
    expect(outcomesOf([[{ notrack: null }, ACCEPT]], template)[0]?.notrack).toBeUndefined();
  });

  it.each([
    [is(ct('packets'), 1), YES],
    [is(ct('bytes', 'reply'), 0), YES],
    [is(ct('helper'), 'ftp', '!='), NO],
    [{ match: { op: 'in', left: ct('status'), right: 'assured' } }, NO],
    [is(ct('expiration'), 5, '>'), EITHER],
  ])('are counted and judged at their first packet: %j', (condition, expected) => {
    expect(summaryOf(outcomesOf([[condition, ACCEPT]]))).toEqual(expected);
  });

  it('have a zone for one direction alone', () => {
    const meta = { zone: 3, zoneDirection: 'original' } as const;
    expect(summaryOf(outcomesOf([[is(ct('zone', 'original'), 3), ACCEPT]], { meta }))).toEqual(YES);
    expect(summaryOf(outcomesOf([[is(ct('zone', 'reply'), 0), ACCEPT]], { meta }))).toEqual(YES);
  });
});

describe('the route', () => {
  const route = { type: 'unicast', hop: { via: '10.9.9.9', device: 'eth1', weight: 1, flags: [] } } as RouteFound;

  it('has a next hop', () => {
    const nexthop = is({ rt: { key: 'nexthop', family: 'ip' } }, '10.9.9.9');
    expect(summaryOf(outcomesOf([[nexthop, ACCEPT]], { route }))).toEqual(YES);
    expect(summaryOf(outcomesOf([[nexthop, ACCEPT]], {}))).toEqual(EITHER);
  });
});

describe('a rule that is left behind its counter', () => {
  const restore = { mangle: { key: { meta: { key: 'mark' } }, value: { ct: { key: 'mark' } } } };
  const isCounted = (rule: readonly unknown[], conntrack: 'invalid' | 'new'): boolean =>
    outcomesOf([rule], { meta: { conntrack } })[0]!.steps.some(
      ({ kind, matched }) => kind === 'rule' && matched === 'yes',
    );

  it('has counted, though it sets nothing', () => {
    const counter = { counter: { packets: 0, bytes: 0 } };
    expect(isCounted([counter, restore], 'invalid')).toBe(true);
    expect(isCounted([counter, restore], 'new')).toBe(true);
    expect(isCounted([restore, counter], 'invalid')).toBe(false);
  });

  it('by a match has not matched', () => {
    expect(isCounted([{ counter: null }, is(payload('tcp', 'dport'), 81)], 'new')).toBe(false);
  });
});

describe('a field of Ethernet', () => {
  const link = (name: string, type: string): object => {
    return { ifindex: 1, ifname: name, flags: ['UP'], mtu: 1500, operstate: 'UP', link_type: type, addr_info: [] };
  };
  const links = parseIpLink(JSON.stringify([link('eth0', 'ether'), link('lo', 'loopback')])).value;
  const rule = [is(payload('ether', 'type'), 'ip'), ACCEPT];
  const told = (input: string) => summaryOf(outcomesOf([rule], { input }, [], [{ name: 'links', value: links }]));

  it('is met in what comes by Ethernet alone, outside of the tables of bridges and devices', () => {
    expect(told('eth0')).toEqual(YES);
    expect(told('lo')).toEqual(NO);
    expect(summaryOf(outcomesOf([rule]))).toEqual(EITHER);
  });
});

describe('the protocol of a connection', () => {
  it('is its own, whatever the packet that belongs to it', () => {
    const rule = [is(ct('protocol'), 'udp'), ACCEPT];
    const facts = { l4: { protocol: 'icmp', type: 3, code: 3 } as L4 };
    expect(
      summaryOf(
        outcomesOf([rule], {
          ...facts,
          original: { l4: { protocol: 'udp', sourcePort: 1, destinationPort: 2 }, to: '10.0.0.2' },
        }),
      ),
    ).toEqual(YES);
    expect(summaryOf(outcomesOf([rule], facts))).toEqual(NO);
  });
});

describe('a map of more verdicts than are walked', () => {
  const mapOf = (count: number): object => {
    const data = {
      set: Array.from({ length: count }, (_, index) => [index, { goto: { target: `c${index}` } }]),
    };
    return { vmap: { key: payload('ip', 'id'), data } };
  };
  const isLost = (count: number): boolean =>
    outcomesOf([[mapOf(count)]]).some(({ verdict }) => verdict.kind === 'unknown');

  it('does not forget the others', () => {
    expect(isLost(64)).toBe(false);
    expect(isLost(65)).toBe(true);
  });
});

describe('a rule that matches by chance', () => {
  it('is not sure to have been met, even where it changes nothing', () => {
    const drawn = is({ numgen: { mode: 'random', mod: 2, offset: 0 } }, 0);
    const write = { mangle: { key: payload('ip', 'ttl'), value: 64 } };
    const [{ steps }] = outcomesOf([[drawn, { counter: null }, write]]) as [ReturnType<typeof outcomesOf>[number]];
    expect(steps.map(({ kind, matched }) => `${kind} ${matched}`)).toEqual(['rule unknown', 'policy yes']);
  });
});
