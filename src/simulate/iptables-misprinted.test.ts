import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { HookOutcome } from './hook.ts';
import { iptablesHookEntries } from './iptables.ts';
import { buildHookInput } from './testing/build-hook-input.ts';
import { snapshotOfTexts, type TextFact } from './testing/build-snapshot.ts';

const W1 = hostOf('w1');
const SADDR = { payload: { protocol: 'ip', field: 'saddr' } };
const is = (right: unknown): object => ({ match: { op: '==', left: SADDR, right } });

/** What becomes of a packet at a chain that iptables-nft-save prints so, and nft, where it was asked, otherwise. */
function outcomeOf(rules: readonly string[], native?: readonly unknown[]): HookOutcome {
  const save = `*filter\n:FORWARD ACCEPT [0:0]\n${rules.map((rule) => `-A FORWARD${rule}\n`).join('')}COMMIT\n`;
  const of = { family: 'ip', table: 'filter' };
  const items = [
    { chain: { ...of, name: 'FORWARD', handle: 1, type: 'filter', hook: 'forward', prio: 0, policy: 'accept' } },
    ...(native ?? []).map((expr, index) => ({ rule: { ...of, chain: 'FORWARD', handle: index + 2, expr } })),
  ];
  const facts: TextFact[] = [
    ['iptables.legacy', W1, { family: 4 }, ''],
    ['iptables.nft', W1, { family: 4, table: '' }, save],
  ];
  if (native) {
    facts.push([
      'nft.chain',
      W1,
      { family: 'ip', name: 'filter', chain: 'FORWARD' },
      JSON.stringify({ nftables: items }),
    ]);
  }
  const snapshot = snapshotOfTexts(facts);
  const entry = iptablesHookEntries(snapshot, W1, 4).entries.find(({ hook }) => hook === 'forward')!;
  return entry.evaluate(buildHookInput(snapshot))[0]!;
}

describe('a bare rule of iptables-nft', () => {
  it('is looked at with nft, too', () => {
    const { verdict, wants } = outcomeOf([' -j DROP']);
    expect(verdict.kind).toBe('drop');
    expect(wants).toMatchObject([{ action: 'nft.chain', args: { family: 'ip', name: 'filter', chain: 'FORWARD' } }]);
    expect(outcomeOf([' -j DROP'], [[{ counter: null }, { drop: null }]])).toMatchObject({ verdict: { kind: 'drop' } });
  });

  it.each([
    ['a set', ' -j DROP', [is('@bad'), { drop: null }]],
    ['an anonymous set', ' -j ACCEPT', [is({ set: ['1.1.1.1'] }), { accept: null }]],
    [
      'a range of addresses',
      ' -s 10.244.0.5/32 -j DROP',
      [is({ range: ['10.244.0.1', '10.244.0.5'] }), { drop: null }],
    ],
    ['a map of verdicts', '', [{ vmap: { key: SADDR, data: { set: [['1.1.1.1', { drop: null }]] } } }]],
  ])('says nothing where nft has put it there with %s', (_, printed, native) => {
    const { verdict } = outcomeOf([printed, ' -p tcp -m comment --comment x -j ACCEPT'], [native, [{ accept: null }]]);
    expect(verdict).toMatchObject({ kind: 'unknown', because: expect.stringContaining('iptables-nft-save prints') });
  });

  it('is not asked about where it cannot matter, or is none', () => {
    expect(outcomeOf([' -j RETURN']).wants).toBeUndefined();
    expect(outcomeOf([' -j RETURN', ' -j DROP']).wants).toHaveLength(1);
    expect(outcomeOf([' -i eth0 -j DROP', ' -m comment --comment "all" -j ACCEPT']).wants).toBeUndefined();
  });
});
