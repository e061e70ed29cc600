import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import { defragments, tracksConnections } from './conntrack-use.ts';
import { snapshotOfTexts, type TextFact } from './testing/build-snapshot.ts';

const W1 = hostOf('w1');

const iptables = (...rules: string[]): string =>
  `*filter\n:INPUT ACCEPT [0:0]\n${rules.map((rule) => `-A INPUT ${rule}\n`).join('')}COMMIT\n`;

function world(given: { legacy?: string; nft?: string; native?: unknown }): ReturnType<typeof snapshotOfTexts> {
  const { native } = given;
  const tables = native === undefined ? [] : [{ table: { family: 'inet', name: 't' } }];
  const facts: TextFact[] = [
    ['iptables.legacy', W1, { family: 4 }, given.legacy ?? ''],
    ['iptables.nft', W1, { family: 4, table: '' }, given.nft ?? ''],
    ['iptables.legacy', W1, { family: 6 }, ''],
    ['iptables.nft', W1, { family: 6, table: '' }, ''],
    ['nft.tables', W1, {}, JSON.stringify({ nftables: tables })],
  ];
  if (native !== undefined) {
    const rule = { rule: { family: 'inet', table: 't', chain: 'c', handle: 3, expr: native } };
    const items = [...tables, { chain: { family: 'inet', table: 't', name: 'c', handle: 1 } }, rule];
    facts.push(['nft.table', W1, { family: 'inet', name: 't' }, JSON.stringify({ nftables: items })]);
  }
  return snapshotOfTexts(facts);
}

const tracks = (given: Parameters<typeof world>[0], family: 4 | 6 = 4) => tracksConnections(world(given), W1, family);

describe('tracksConnections', () => {
  it('is off where no rule asks for it', () => {
    expect(tracks({})).toBe('no');
    expect(tracks({ legacy: iptables('-p tcp -j DROP', '-m mark --mark 0x1 -j ACCEPT') })).toBe('no');
    // These alone do not switch it on.
    expect(tracks({ legacy: iptables('-j CT --notrack') })).toBe('no');
    expect(tracks({ native: [{ notrack: null }] })).toBe('no');
  });

  it.each([
    ['-m conntrack --ctstate NEW -j ACCEPT'],
    ['-m state --state NEW -j ACCEPT'],
    ['-m connmark --mark 0x1 -j ACCEPT'],
    ['-j MASQUERADE'],
    ['-j CONNMARK --save-mark'],
    ['-j CT --zone 1'],
  ])('is on with %s, for that family', (rule) => {
    expect(tracks({ legacy: iptables(rule) })).toBe('yes');
    expect(tracks({ nft: iptables(rule) })).toBe('yes');
    expect(tracks({ nft: iptables(rule) }, 6)).toBe('no');
  });

  it('is on with nftables’ own, wherever it stands in a rule', () => {
    const state = { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'established' } };
    expect(tracks({ native: [state] })).toBe('yes');
    expect(tracks({ native: [{ vmap: { key: { concat: [{ ct: { key: 'state' } }] }, data: { set: [] } } }] })).toBe(
      'yes',
    );
    expect(tracks({ native: [{ masquerade: null }] }, 6)).toBe('yes');
    expect(tracks({ native: [{ dnat: { family: 'ip', addr: '10.0.0.1' } }] })).toBe('yes');
    expect(tracks({ native: [{ dnat: { family: 'ip', addr: '10.0.0.1' } }] }, 6)).toBe('no');
  });

  it('is not known where rules were not read', () => {
    expect(tracks({ legacy: `${iptables()}-A what is this\n` })).toBe('unknown');
    expect(tracksConnections(snapshotOfTexts([]), W1, 4)).toBe('unknown');
  });
});

describe('defragments', () => {
  const joins = (given: Parameters<typeof world>[0]) => defragments(world(given), W1, 4);

  it('is done where connections are tracked, and for what must know its socket', () => {
    expect(joins({ legacy: iptables('-p tcp -j DROP') })).toBe('no');
    expect(joins({ legacy: iptables('-m state --state NEW -j ACCEPT') })).toBe('yes');
    expect(joins({ nft: iptables('-m socket -j MARK --set-xmark 0x1') })).toBe('yes');
    expect(joins({ native: [{ tproxy: { family: 'ip', port: 1 } }] })).toBe('yes');
    expect(joins({ native: [{ tproxy: { family: 'ip6', port: 1 } }] })).toBe('no');
    expect(tracks({ nft: iptables('-m socket -j MARK --set-xmark 0x1') })).toBe('no');
  });
});
