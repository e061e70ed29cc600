import { describe, expect, it } from 'vitest';
import { parseIpRouteLine } from '../parse/ip-route-line.ts';
import { isDiscarding, refusalOf, toldBy } from './refusal.ts';

const route = parseIpRouteLine('unreachable 10.0.0.0/8', 4)!;

describe('refusals', () => {
  it.each([
    ['none', false, 'network', 'network', 'network'],
    ['unreachable', true, 'host', 'host', 'network'],
    ['unreachable', false, 'network', 'network', 'network'],
    ['prohibit', true, 'prohibited', 'prohibited', 'prohibited'],
    ['blackhole', true, 'invalid', undefined, undefined],
  ] as const)('%s (of a route: %s)', (type, isRoute, refusal, four, six) => {
    const found = { type, ...(isRoute ? { route } : {}) };
    expect(refusalOf(found)).toBe(refusal);
    expect([toldBy(refusal, 4), toldBy(refusal, 6)]).toEqual([four, six]);
  });

  it('are none where the route can be used', () => {
    for (const type of ['unicast', 'local', 'broadcast', 'anycast']) expect(refusalOf({ type })).toBeUndefined();
  });

  it('of a route of IPv6 to lo come when it is taken, but for one to this host', () => {
    const found = (line: string, family: 4 | 6, device = 'lo') => {
      const route = parseIpRouteLine(line, family)!;
      return { type: route.type, route, hop: { device, weight: 1, flags: [] } };
    };
    expect(isDiscarding(found('default dev lo metric 1024', 6))).toBe(true);
    expect(refusalOf(found('default dev lo metric 1024', 6))).toBeUndefined();
    expect(isDiscarding(found('default dev eth0 metric 1024', 6, 'eth0'))).toBe(false);
    expect(isDiscarding(found('local fd00::1 dev lo metric 0', 6))).toBe(false);
    expect(isDiscarding(found('::1 dev lo metric 256', 6))).toBe(false);
    expect(isDiscarding(found('default dev lo', 4))).toBe(false);
  });
});
