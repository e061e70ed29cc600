import { describe, expect, it } from 'vitest';
import { parseIpRouteLine } from '../parse/ip-route-line.ts';
import { refusalOf, toldBy } from './refusal.ts';

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
});
