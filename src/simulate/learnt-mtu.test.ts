import { describe, expect, it } from 'vitest';
import { learntMtu } from './learnt-mtu.ts';
import { arrivedAt, type RouteState, stateOf } from './testing/route-state.ts';

const VIA = { type: 'unicast', hop: { via: '10.1.0.254', device: 'eth1', weight: 1, flags: [] } } as const;

function learnt(state: RouteState, local = true, destination = '10.7.0.1'): number | undefined {
  const cursor = arrivedAt('eth0', { source: '10.0.0.1', destination }, {});
  return learntMtu(stateOf(state), { ...cursor, path: { local, output: 'eth1', route: VIA as never } })?.mtu;
}

const CACHE = '10.7.0.1 via 10.1.0.254 dev eth1 expires 300sec mtu 1400';

describe('what the kernel has learnt of a path', () => {
  it('counts for this destination by this next hop', () => {
    expect(learnt({ exceptions: [CACHE] })).toBe(1400);
    expect(learnt({ exceptions: [CACHE] }, true, '10.7.0.2')).toBeUndefined();
    expect(learnt({ exceptions: [CACHE.replace('.254', '.253')] })).toBeUndefined();
    expect(learnt({ exceptions: [CACHE.replace('eth1', 'eth0')] })).toBeUndefined();
    expect(learnt({})).toBeUndefined();
  });

  it('until it has expired', () => {
    expect(learnt({ exceptions: [CACHE.replace('300sec', '-2sec')] })).toBeUndefined();
  });

  it('for what this host sends, and what it forwards only where it is told so', () => {
    expect(learnt({ exceptions: [CACHE] }, false)).toBeUndefined();
    const told = { 'net.ipv4.ip_forward_use_pmtu': 1 };
    expect(learnt({ exceptions: [CACHE], sysctls: told }, false)).toBe(1400);
  });
});
