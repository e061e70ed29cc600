import { describe, expect, it } from 'vitest';
import type { Packet } from '../net/packet.ts';
import { icmpError, unreachableCode } from './error-packet.ts';
import { buildPacket } from './testing/build-hook-input.ts';
import { arrivedAt } from './testing/route-state.ts';
import { errorAbout } from './with-error.ts';

const FOUR = buildPacket({ source: '10.0.0.9', destination: '10.1.0.9' });
const SIX = buildPacket({ source: 'fd00::9', destination: 'fd00:1::9' });

function about(packet: Packet, change: Partial<Packet['ip']>, type = 3) {
  return icmpError({ ...packet, ip: { ...packet.ip, ...change } }, type, 0) !== undefined;
}

describe('an ICMP error', () => {
  it('is sent about what one host sent to one', () => {
    expect(about(FOUR, {})).toBe(true);
    expect(about(SIX, {}, 1)).toBe(true);
  });

  it.each([
    ['a source that is a group', { source: '224.0.0.9' }],
    ['no source', { source: '0.0.0.0' }],
    ['a group as destination', { destination: '224.0.0.9' }],
    ['all on the wire as destination', { destination: '255.255.255.255' }],
    ['a fragment behind the first', { fragmentOffset: 185 }],
  ])('of IPv4 is not about %s', (_name, change) => {
    expect(about(FOUR, change)).toBe(false);
  });

  it('of IPv6 is about a fragment as well, and about a group’s size alone', () => {
    expect(about(SIX, { fragmentOffset: 185 }, 1)).toBe(true);
    expect(about(SIX, { destination: 'ff0e::1' }, 1)).toBe(false);
    expect(about(SIX, { destination: 'ff0e::1' }, 2)).toBe(true);
    expect(about(SIX, { source: '::' }, 2)).toBe(false);
    expect(about(SIX, { source: 'ff02::1' }, 1)).toBe(false);
  });

  it.each([
    [{ protocol: 'icmp', type: 8, code: 0 }, true],
    [{ protocol: 'icmp', type: 3, code: 1 }, false],
    [{ protocol: 'icmp', type: 40, code: 0 }, false],
  ] as const)('is not about another: %j', (l4, isSent) => {
    expect(icmpError({ ...FOUR, l4 }, 3, 1) !== undefined).toBe(isSent);
  });

  it('is not about a frame to many, nor about a directed broadcast', () => {
    const ip = { source: '10.0.0.9', destination: '10.1.0.9' };
    const macs = { source: '02:00:00:00:00:09', destination: '01:00:5e:00:00:09' };
    expect(errorAbout(arrivedAt('eth0', ip), 3, 1)).toBeDefined();
    expect(errorAbout(arrivedAt('eth0', ip, { macs }), 3, 1)).toBeUndefined();
    const cursor = arrivedAt('eth0', ip);
    expect(errorAbout({ ...cursor, path: { ...cursor.path, route: { type: 'broadcast' } } }, 3, 1)).toBeUndefined();
  });
});

describe('unreachableCode', () => {
  it('names the same thing in both families', () => {
    expect(unreachableCode(FOUR, 'prohibited')).toEqual([3, 13]);
    expect(unreachableCode(SIX, 'prohibited')).toEqual([1, 1]);
    expect(unreachableCode(SIX, 'scope')).toEqual([1, 2]);
  });
});
