import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { Cursor } from './cursor.ts';
import { runHook } from './hooks.ts';
import { buildPacket, tcpSyn } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';
import { NO_CONNECTIONS, untouched } from './tracking.ts';

const W1 = hostOf('w1');
const CT_NEW = { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'new' } };

/** What becomes of a first packet at a prerouting chain of that priority, with a rule set that has connections tracked. */
function outcomes(priority: number, statements: readonly unknown[]): string[] {
  const of = { family: 'ip', table: 't' };
  const tables = [{ table: { family: 'ip', name: 't', handle: 1 } }];
  const items = [
    ...tables,
    { chain: { ...of, name: 'c', handle: 1, type: 'filter', hook: 'prerouting', prio: priority, policy: 'accept' } },
    { chain: { ...of, name: 'd', handle: 2, type: 'filter', hook: 'input', prio: 0, policy: 'accept' } },
    { rule: { ...of, chain: 'c', handle: 3, expr: statements } },
    { rule: { ...of, chain: 'd', handle: 4, expr: [CT_NEW, { accept: null }] } },
  ];
  const snapshot = snapshotOfTexts([
    ['iptables.legacy', W1, { family: 4 }, ''],
    ['iptables.nft', W1, { family: 4, table: '' }, ''],
    ['nft.tables', W1, {}, JSON.stringify({ nftables: tables })],
    ['nft.table', W1, { family: 'ip', name: 't' }, JSON.stringify({ nftables: items })],
    ['sysctls', W1, {}, '{"files":[]}'],
    ['links', W1, {}, '[]'],
  ]);
  const cursor: Cursor = {
    place: W1,
    stage: { name: 'hook', hook: 'prerouting', next: 0, after: { name: 'route-input' } },
    packet: buildPacket({ l4: tcpSyn(80) }),
    meta: untouched(),
    tracking: NO_CONNECTIONS,
    path: { local: false, input: 'eth0' },
    visited: [],
  };
  const walk = { world: { snapshot, gate: { parts: [], podAddressesRoutable: 'no' as const } } };
  const { ways } = runHook(walk, cursor);
  return ways.map(({ to, chance }) => `${chance.min} ${'end' in to ? to.end : to.meta.conntrack}`).toSorted();
}

describe('a chain of the priority of connection tracking', () => {
  const rule = [CT_NEW, { drop: null }];

  it('may come before it or behind it', () => {
    expect(outcomes(-201, rule)).toEqual(['1 new']);
    expect(outcomes(-199, rule)).toEqual(['1 dropped-by-rule']);
    expect(outcomes(-200, rule)).toEqual(['0 dropped-by-rule', '0 new']);
  });

  it('is sure where it does the same either way', () => {
    expect(outcomes(-200, [{ counter: null }])).toEqual(['1 new']);
  });
});
