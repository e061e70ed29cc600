import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Onward, reversePathCheck } from './reverse-path.ts';
import { arrivedAt, type RouteState, stateOf, walkIn } from './testing/route-state.ts';

const STATE: RouteState = {
  addresses: ['eth0 10.0.0.1/24', 'eth1 10.1.0.1/24'],
  routes: [
    'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
    'local 10.1.0.1 dev eth1 table local proto kernel scope host src 10.1.0.1',
    'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1',
    'broadcast 10.1.0.255 dev eth1 table local proto kernel scope link src 10.1.0.1',
    '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1',
    '10.1.0.0/24 dev eth1 proto kernel scope link src 10.1.0.1',
  ],
};

interface Asked {
  readonly source: string;
  readonly filter?: number;
  readonly state?: RouteState;
  readonly onward?: Onward;
  readonly mark?: number;
  /** Settings that are not named were not seen. */
  readonly isCut?: boolean;
}

function check({ source, filter = 0, state = {}, onward = {}, mark = 0, isCut = false }: Asked): string {
  const sysctls = { 'net.ipv4.conf.all.rp_filter': 0, 'net.ipv4.conf.eth0.rp_filter': filter, ...state.sysctls };
  const whole = stateOf({ ...STATE, ...state, sysctls });
  const snapshot = isCut ? withCutSettings(whole) : whole;
  const cursor = arrivedAt('eth0', { source, destination: '10.1.0.9' }, { meta: { mark } });
  return reversePathCheck(walkIn(snapshot), cursor, 'eth0', onward).end?.end ?? 'passes';
}

function withCutSettings(snapshot: Snapshot): Snapshot {
  return {
    ...snapshot,
    fact: (name, place, args) => {
      const observed = snapshot.fact(name, place, args);
      return name === 'sysctls' && observed.state === 'seen' ? { ...observed, complete: false } : observed;
    },
  };
}

describe('source validation', () => {
  it.each([
    ['10.0.0.9', 'passes', 'passes', 'passes'],
    ['10.1.0.9', 'passes', 'reverse-path-filtered', 'passes'],
    ['192.0.2.1', 'passes', 'reverse-path-filtered', 'reverse-path-filtered'],
    ['10.1.0.1', 'martian', 'martian', 'martian'],
  ])('of %s: rp_filter 0 %s, 1 %s, 2 %s', (source, off, strict, loose) => {
    expect([0, 1, 2].map((filter) => check({ source, filter }))).toEqual([off, strict, loose]);
  });

  it('takes the larger of `all` and the device', () => {
    const sysctls = { 'net.ipv4.conf.all.rp_filter': 1 };
    expect(check({ source: '10.1.0.9', state: { sysctls } })).toBe('reverse-path-filtered');
  });

  it('filters even loosely by a device without an address', () => {
    const state = { addresses: ['eth1 10.1.0.1/24'] };
    expect(check({ source: '10.1.0.9', filter: 2, state })).toBe('reverse-path-filtered');
  });

  it('accepts an own address where accept_local says so, if strictly then by its own device', () => {
    const sysctls = { 'net.ipv4.conf.eth0.accept_local': 1 };
    expect(check({ source: '10.1.0.1', state: { sysctls } })).toBe('passes');
    expect(check({ source: '10.1.0.1', filter: 1, state: { sysctls } })).toBe('reverse-path-filtered');
    expect(check({ source: '10.0.0.1', filter: 1, state: { sysctls } })).toBe('passes');
  });

  it('knows a device by any next hop of a multipath route', () => {
    const route = [
      '192.0.2.0/24',
      '\tnexthop via 10.1.0.2 dev eth1 weight 9',
      '\tnexthop via 10.0.0.2 dev eth0 weight 1',
    ];
    const state = { routes: [...STATE.routes!, route.join('\n')] };
    expect(check({ source: '192.0.2.1', filter: 1, state })).toBe('passes');
  });

  it('looks the way back up as if it had come in where the packet goes on', () => {
    const rules = [{ priority: 10, src: 'all', iif: 'eth1', table: '100' }];
    const state = { rules, routes: [...STATE.routes!, 'default dev eth0 table 100'] };
    expect(check({ source: '192.0.2.1', filter: 1, state, onward: { output: 'eth1' } })).toBe('passes');
    expect(check({ source: '192.0.2.1', filter: 1, state })).toBe('reverse-path-filtered');
  });

  it('with the mark only where src_valid_mark says so', () => {
    const rules = [{ priority: 10, src: 'all', fwmark: '0x1', table: '100' }];
    const routes = [...STATE.routes!, 'default dev eth0 table 100'];
    const sysctls = { 'net.ipv4.conf.eth0.src_valid_mark': 1 };
    expect(check({ source: '192.0.2.1', filter: 1, mark: 1, state: { rules, routes } })).toBe('reverse-path-filtered');
    expect(check({ source: '192.0.2.1', filter: 1, mark: 1, state: { rules, routes, sysctls } })).toBe('passes');
  });

  it('looks without a filter, too, where a redirect may be due', () => {
    const sysctls = { 'net.ipv4.conf.eth0.send_redirects': 1 };
    const onward = { output: 'eth0' };
    expect(check({ source: '10.1.0.255', state: { sysctls }, onward })).toBe('martian');
    expect(check({ source: '10.1.0.255', state: { sysctls } })).toBe('insufficient-information');
  });

  it('cannot tell where rules that may have been there before would change the answer', () => {
    expect(check({ source: '127.0.0.5' })).toBe('insufficient-information');
    const rules = [{ priority: 10, src: '198.51.100.0', srclen: 24, table: '7' }];
    expect(check({ source: '127.0.0.5', state: { rules } })).toBe('martian');
  });

  it('cannot tell where a setting that was not seen would change the answer', () => {
    const seen = { 'net.ipv4.conf.all.accept_local': 0, 'net.ipv4.conf.eth0.accept_local': 0 };
    const rules = [{ priority: 10, src: 'all', fwmark: '0x1', table: '100' }];
    const routes = [...STATE.routes!, 'default dev eth0 table 100'];
    const marked = { filter: 1, mark: 1, state: { rules, routes, sysctls: seen }, isCut: true };
    expect(check({ ...marked, source: '192.0.2.1' })).toBe('insufficient-information');
    expect(check({ ...marked, source: '192.0.2.1', mark: 0 })).toBe('reverse-path-filtered');
    expect(check({ ...marked, source: '10.0.0.9' })).toBe('passes');
    const back = { onward: { output: 'eth0' }, state: { sysctls: seen }, isCut: true };
    expect(check({ ...back, source: '10.0.0.9' })).toBe('passes');
    expect(check({ ...back, source: '10.1.0.255' })).toBe('insufficient-information');
  });
});
