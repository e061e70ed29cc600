import { describe, expect, it } from 'vitest';
import { parseIpRule } from '../parse/ip-rule.ts';
import { type RouteKey, ruleMatches, vrfOf } from './route-rule.ts';
import { HERE, stateOf } from './testing/route-state.ts';

function rule(words: object, family: 4 | 6 = 4) {
  return parseIpRule(JSON.stringify([{ priority: 10, src: 'all', table: '100', ...words }]), family).value[0]!;
}

const KEY: RouteKey = { source: '10.0.0.1', destination: '10.1.0.1', tos: 0, mark: 0, user: 0 };

function matches(words: object, key: Partial<RouteKey> = {}) {
  return ruleMatches(rule(words), { ...KEY, ...key });
}

describe('ruleMatches', () => {
  it.each([
    ['a mark under its mask', { fwmark: '0x10', fwmask: '0xf0' }, { mark: 0x1f }, 'yes'],
    ['another mark', { fwmark: '0x10', fwmask: '0xf0' }, { mark: 0x2f }, 'no'],
    ['a mask of nothing serves every mark', { fwmark: '0x3', fwmask: '0' }, { mark: 0x2f }, 'yes'],
    ['the highest bit of a mark', { fwmark: '0x80000000', fwmask: '0x80000000' }, { mark: 0x8000_0001 }, 'yes'],
    ['users', { uid_start: 0, uid_end: 99 }, { user: 99 }, 'yes'],
    ['another user', { uid_start: 0, uid_end: 99 }, { user: 100 }, 'no'],
    ['a user that is not known', { uid_start: 0, uid_end: 99 }, { user: 'unknown' as const }, 'unknown'],
    ['every user', { uid_start: 0, uid_end: 4294967294 }, { user: 'unknown' as const }, 'yes'],
    ['a tunnel’s id', { tun_id: 7 }, {}, 'no'],
    ['a tunnel’s id that is there', { tun_id: 7 }, { tunnelId: 7 }, 'yes'],
    ['a device that is gone', { iif: 'gone', iif_detached: null }, { input: 'gone' }, 'no'],
    ['not a device that is gone', { not: null, iif: 'gone', iif_detached: null }, {}, 'yes'],
    ['iif lo is what this host sends', { iif: 'lo' }, {}, 'yes'],
    ['iif lo is not what comes in', { iif: 'lo' }, { input: 'eth0' }, 'no'],
    ['a selector of a later kernel', { dscp: 'CS1' }, {}, 'unknown'],
  ] as const)('%s', (_name, words, key, expected) => {
    expect(matches(words, key)).toBe(expected);
  });

  it('looks at five bits of the TOS for IPv4 and at the whole DSCP for IPv6', () => {
    expect(matches({ tos: '0x10' }, { tos: 0xb0 })).toBe('yes');
    const six = rule({ tos: '0x10' }, 6);
    const key = { ...KEY, source: 'fd00::1', destination: 'fd00::2' };
    expect(ruleMatches(six, { ...key, tos: 0xb0 })).toBe('no');
    expect(ruleMatches(six, { ...key, tos: 0x11 })).toBe('yes');
  });

  it('finds no port in ICMP', () => {
    const l4 = { protocol: 'icmp', type: 8, code: 0 } as const;
    expect(matches({ dport_start: 1, dport_end: 65535 }, { l4 })).toBe('no');
    expect(matches({ ipproto: 'ipproto-1' }, { l4 })).toBe('yes');
  });

  it('takes a user that nobody told as unknown for what this host sends, and as 0 for what comes in', () => {
    const { user: _user, ...key } = KEY;
    expect(ruleMatches(rule({ uid_start: 0, uid_end: 0 }), key)).toBe('unknown');
    expect(ruleMatches(rule({ uid_start: 0, uid_end: 0 }), { ...key, input: 'eth0' })).toBe('yes');
  });
});

describe('VRFs', () => {
  const snapshot = stateOf({
    devices: [
      { ifname: 'blue', kind: 'vrf', table: 10 },
      { ifname: 'eth1', master: 'blue' },
    ],
  });
  const context = { snapshot, place: HERE };
  const l3mdev = rule({ l3mdev: null });

  it('are found by a device of theirs', () => {
    expect(vrfOf({ ...KEY, input: 'eth1' }, context)).toMatchObject({ name: 'blue', vrf: { table: 10 } });
    expect(vrfOf({ ...KEY, input: 'eth0' }, context)).toBeUndefined();
    expect(ruleMatches(l3mdev, { ...KEY, output: 'blue' }, context)).toBe('yes');
    expect(ruleMatches(l3mdev, { ...KEY, input: 'eth0' }, context)).toBe('no');
  });

  it('are none where all devices were seen, and unknown where none was', () => {
    expect(ruleMatches(l3mdev, KEY, { snapshot: stateOf({}), place: HERE })).toBe('no');
    expect(ruleMatches(l3mdev, KEY)).toBe('unknown');
  });
});
