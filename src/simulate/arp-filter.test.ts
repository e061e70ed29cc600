import { describe, expect, it } from 'vitest';
import { arpPasses } from './arp-filter.ts';
import type { ArpMessage } from './hook.ts';
import { HERE, nftFacts, snapshotOf } from './testing/nftables-fixture.ts';

const arp = (field: string): object => ({ payload: { protocol: 'arp', field } });
const is = (left: unknown, right: unknown, op = '=='): object => ({ match: { op, left, right } });
const DROP = { drop: null };

function snapshotWith(hook: string, rules: readonly (readonly unknown[])[], policy = 'accept') {
  const items = [
    { table: { family: 'arp', name: 't', handle: 1 } },
    { chain: { family: 'arp', table: 't', name: 'c', handle: 1, type: 'filter', hook, prio: 0, policy } },
    ...rules.map((expr, index) => ({ rule: { family: 'arp', table: 't', chain: 'c', handle: index + 2, expr } })),
  ];
  return snapshotOf(nftFacts(JSON.stringify({ nftables: items })));
}

const REQUEST: ArpMessage = {
  operation: 'request',
  senderMac: '02:00:00:00:00:01',
  senderIp: '10.0.0.1',
  targetIp: '10.0.0.2',
};

describe('chains of family arp', () => {
  it.each([
    [[is(arp('operation'), 'request'), DROP], 'no'],
    [[is(arp('operation'), 'reply'), DROP], 'yes'],
    [[is(arp('saddr ip'), '10.0.0.1'), DROP], 'no'],
    [[is(arp('daddr ip'), { prefix: { addr: '10.0.0.0', len: 24 } }), DROP], 'no'],
    [[is(arp('daddr ip'), '10.0.0.9'), DROP], 'yes'],
    [[is(arp('saddr ether'), '02:00:00:00:00:01'), DROP], 'no'],
    [[is(arp('htype'), 1), is(arp('ptype'), 'ip'), is(arp('hlen'), 6), is(arp('plen'), 4), DROP], 'no'],
    [[is({ meta: { key: 'iifname' } }, 'eth1'), DROP], 'yes'],
    [[is({ meta: { key: 'iifname' } }, 'eth0'), DROP], 'no'],
    [[is({ meta: { key: 'protocol' } }, 'arp'), DROP], 'no'],
    [[is({ meta: { key: 'l4proto' } }, 'tcp', '!='), DROP], 'yes'],
    [[{ limit: { rate: 1, per: 'second' } }, DROP], 'unknown'],
  ] as const)('%j', (rule, expected) => {
    expect(arpPasses(snapshotWith('input', [rule]), HERE, 'input', 'eth0', REQUEST)).toBe(expected);
  });

  it('count at their hook alone, and with their policy', () => {
    expect(arpPasses(snapshotWith('output', [[DROP]]), HERE, 'input', 'eth0', REQUEST)).toBe('yes');
    expect(arpPasses(snapshotWith('input', [], 'drop'), HERE, 'input', 'eth0', REQUEST)).toBe('no');
  });

  it('of which nothing was seen are left to the hooks that the packet meets next', () => {
    expect(arpPasses(snapshotOf([]), HERE, 'input', 'eth0', REQUEST)).toBe('yes');
  });

  it('cannot decide about a MAC that is not known', () => {
    const { senderMac: _, ...unknown } = REQUEST;
    const snapshot = snapshotWith('input', [[is(arp('saddr ether'), '02:00:00:00:00:01'), DROP]]);
    expect(arpPasses(snapshot, HERE, 'input', 'eth0', unknown)).toBe('unknown');
  });
});
