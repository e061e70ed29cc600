import { describe, expect, it } from 'vitest';
import { lookupRoute, type RouteKey } from './routes.ts';
import { HERE, type RouteState, stateOf } from './testing/route-state.ts';

const KEY: RouteKey = { destination: 'fd00:5::9', tos: 0, mark: 0, user: 0 };

function look(routes: readonly string[], key: Partial<RouteKey> = {}, state: RouteState = {}) {
  const lookup = lookupRoute(stateOf({ ...state, family: 6, routes }), HERE, { ...KEY, ...key });
  if (lookup.state === 'unseen') throw new Error('unseen');
  return lookup.ways.map(
    ({ found, chance }) => `${found.type} ${found.hop?.via ?? found.hop?.device ?? '.'} ${chance.min}`,
  );
}

describe('one table of IPv6', () => {
  it('takes the narrowest prefix, then the lowest metric, then the preference of routers', () => {
    const routes = [
      'fd00::/16 via fe80::1 dev eth0 metric 1',
      'fd00:5::/32 via fe80::2 dev eth0 metric 1024',
      'fd00:5::/32 via fe80::3 dev eth0 metric 512',
    ];
    expect(look(routes)).toEqual(['unicast fe80::3 1']);
    const by = (pref: string) => `default via fe80::${pref.length} dev eth0 metric 1024 pref ${pref}`;
    expect(look([by('low'), by('medium'), by('high')])).toEqual(['unicast fe80::4 1']);
  });

  it('prefers the device by which it comes in or is to leave, without insisting', () => {
    const routes = ['fd00:5::/32 dev eth0 metric 256', 'fd00:5::/32 dev eth1 metric 256'];
    expect(look(routes)).toEqual(['unicast eth0 1']);
    expect(look(routes, { input: 'eth1' })).toEqual(['unicast eth1 1']);
    expect(look(routes.slice(0, 1), { input: 'eth1' })).toEqual(['unicast eth0 1']);
  });

  it('for a rule’s question goes by the device that is asked for, or has the source, whatever the metric', () => {
    const routes = ['fd00:5::/32 dev eth0 metric 256', 'fd00:5::/32 dev eth1 metric 512', 'default dev lo metric 1024'];
    const state = { addresses: ['eth1 fd00:1::1/64'] };
    expect(look(routes, { isPlain: true })).toEqual(['unicast eth0 1']);
    expect(look(routes, { isPlain: true, output: 'eth1' })).toEqual(['unicast eth1 1']);
    expect(look(routes, { isPlain: true, output: 'lo' })).toEqual(['unicast eth0 1']);
    expect(look(routes, { isPlain: true, source: 'fd00:1::1' }, state)).toEqual(['unicast eth1 1']);
    expect(look(routes, { source: 'fd00:1::1' }, state)).toEqual(['unicast eth0 1']);
    const link = ['fe80::/64 dev eth0 metric 256'];
    expect(look(link, { isPlain: true, destination: 'fe80::9', output: 'eth1' })).toEqual(['none . 1']);
  });

  it('insists on the device where no source is given, where the socket is bound, and for what is of a link', () => {
    const routes = ['fd00:5::/32 dev eth0 metric 256', 'default dev eth1 metric 1024'];
    expect(look(routes, { output: 'eth1' })).toEqual(['unicast eth1 1']);
    expect(look(routes, { output: 'eth1', source: 'fd00::1' })).toEqual(['unicast eth0 1']);
    expect(look(routes, { output: 'eth1', source: 'fd00::1', isBound: true })).toEqual(['unicast eth1 1']);
    const link = ['fe80::/64 dev eth0 metric 256', 'fe80::/64 dev eth1 metric 256'];
    expect(look(link, { destination: 'fe80::9', input: 'eth1' })).toEqual(['unicast eth1 1']);
    expect(look(link.slice(0, 1), { destination: 'fe80::9', input: 'eth1' })).toEqual(['none . 1']);
  });

  it('finds what refuses on lo, so that a device that is insisted on passes it over', () => {
    const routes = ['unreachable fd00:5::/32 dev lo metric 1024', 'default dev eth1 metric 1024'];
    expect(look(routes)).toEqual(['unreachable . 1']);
    expect(look(routes, { output: 'eth1' })).toEqual(['unicast eth1 1']);
  });

  it('serves some sources alone with `from`; where none of those serves, the first look-up passes over the whole prefix', () => {
    const routes = [
      'fd00:5::/32 from fd00:1::/32 via fe80::1 dev eth0 metric 1024',
      'fd00:5::/32 via fe80::2 dev eth0 metric 1024',
      'fd00::/16 via fe80::3 dev eth0 metric 1024',
    ];
    expect(look(routes, { source: 'fd00:1::1' })).toEqual(['unicast fe80::1 1']);
    expect(look(routes, { source: 'fd00:2::1' })).toEqual(['unicast fe80::3 1']);
    expect(look(routes)).toEqual(['unicast fe80::3 1']);
    const root = routes.map((line) => line.replace(/^\S+/, 'default'));
    expect(look(root.slice(0, 2), { source: 'fd00:2::1' })).toEqual(['unicast fe80::2 1']);
  });

  it('does not use what has expired', () => {
    const routes = [
      'fd00:5::/32 via fe80::1 dev eth0 metric 1 expires -3sec',
      'default via fe80::2 dev eth0 metric 1024',
    ];
    expect(look(routes)).toEqual(['unicast fe80::2 1']);
  });

  it('of a host that does not forward, passes over gateways that did not answer, if there is another way', () => {
    const routes = ['fd00:5::/32 via fe80::1 dev eth0 metric 1024', 'default via fe80::2 dev eth0 metric 1024'];
    const neighbours = [{ dst: 'fe80::1', dev: 'eth0', state: ['FAILED'] }];
    const forwarding = (value: number) => ({ neighbours, sysctls: { 'net.ipv6.conf.all.forwarding': value } });
    expect(look(routes, {}, forwarding(0))).toEqual(['unicast fe80::2 1']);
    expect(look(routes, {}, forwarding(1))).toEqual(['unicast fe80::1 1']);
    expect(look(routes.slice(0, 1), {}, forwarding(0))).toEqual(['unicast fe80::1 1']);
  });

  it('takes each next hop of one route by its weight, without the dead', () => {
    const route = (flags: string) =>
      `fd00:5::/32 metric 1024\n\tnexthop via fe80::1 dev eth0 weight 3\n\tnexthop via fe80::2 dev eth1 weight 1${flags}`;
    expect(look([route('')])).toEqual(['unicast fe80::1 0.75', 'unicast fe80::2 0.25']);
    expect(look([route(' dead linkdown')])).toEqual(['unicast fe80::1 1']);
  });

  it('goes on with the next rule at throw, and ends at a black hole that is a nexthop object', () => {
    expect(look(['throw fd00:5::/32 dev lo metric 1024', 'default dev eth0 metric 1024'])).toEqual(['none . 1']);
    expect(look(['blackhole fd00:5::/32 nhid 8 dev lo metric 1024', 'default dev eth0 metric 1'])).toEqual([
      'blackhole . 1',
    ]);
  });
});
