import { describe, expect, it } from 'vitest';
import { lookupRoute, type RouteKey } from './routes.ts';
import { HERE, type RouteState, stateOf } from './testing/route-state.ts';

const KEY: RouteKey = { destination: '10.5.0.9', tos: 0, mark: 0, user: 0 };
/** A rule that serves nothing: from now on the tables are apart, and this is seen. */
const OWN_RULE = { priority: 5, src: '192.0.2.0', srclen: 24, table: '77' };

function look(state: RouteState, key: Partial<RouteKey> = {}) {
  const lookup = lookupRoute(stateOf({ rules: [OWN_RULE], ...state }), HERE, { ...KEY, ...key });
  if (lookup.state === 'unseen') return [`wants ${lookup.unseen.want.action}`];
  return lookup.ways.map(({ found, chance, fork }) => {
    const share = chance.min === chance.max ? String(chance.min) : `${chance.min}-${chance.max}`;
    return `${found.type} ${found.hop?.via ?? found.hop?.device ?? '.'} ${share}${fork ? ` ${fork}` : ''}`;
  });
}

const HOP = (device: string, weight: number, flags = '') =>
  `\tnexthop via 10.0.${device.slice(3)}.2 dev ${device} weight ${weight}${flags}`;
const MULTIPATH = ['10.5.0.0/16 scope global', HOP('eth0', 3), HOP('eth1', 1)].join('\n');
const ADDRESSES = ['eth0 10.0.0.1/24', 'eth1 10.0.1.1/24'];

describe('one table of IPv4', () => {
  it('asks for TOS before metric, and looks at five of its bits', () => {
    const routes = ['10.5.0.0/16 via 10.0.0.2 dev eth0', '10.5.0.0/16 tos 0x10 via 10.0.0.3 dev eth0 metric 500'];
    expect(look({ routes })).toEqual(['unicast 10.0.0.2 1']);
    expect(look({ routes }, { tos: 0xb0 })).toEqual(['unicast 10.0.0.3 1']);
  });

  it('passes over next hops without a carrier where their own device says so, `all` or not', () => {
    const routes = ['10.5.0.0/16 dev eth0 linkdown', 'default via 10.0.1.2 dev eth1'];
    const key = (device: string) => `net.ipv4.conf.${device}.ignore_routes_with_linkdown`;
    expect(look({ routes })).toEqual(['unicast eth0 1']);
    expect(look({ routes, sysctls: { [key('all')]: 1, [key('eth0')]: 0 } })).toEqual(['unicast eth0 1']);
    expect(look({ routes, sysctls: { [key('eth0')]: 1 } })).toEqual(['unicast 10.0.1.2 1']);
  });

  it('does not suppress what refuses', () => {
    const rules = [{ priority: 10, src: 'all', table: '100', suppress_prefixlen: 24 }];
    const all = ['default via 10.0.1.2 dev eth1'];
    expect(look({ rules, routes: ['unreachable 10.5.0.0/16 table 100', ...all] })).toEqual(['unreachable . 1']);
    expect(look({ rules, routes: ['10.5.0.0/16 dev eth0 table 100', ...all] })).toEqual(['unicast 10.0.1.2 1']);
  });

  it('suppresses by the group of the device', () => {
    const rules = [{ priority: 10, src: 'all', table: '100', suppress_ifgroup: '7' }];
    const routes = ['10.5.0.0/16 dev eth0 table 100', 'default via 10.0.1.2 dev eth1'];
    expect(look({ rules, routes, devices: [{ ifname: 'eth0', group: '7' }] })).toEqual(['unicast 10.0.1.2 1']);
    expect(look({ rules, routes, devices: [{ ifname: 'eth0', group: '8' }] })).toEqual(['unicast eth0 1']);
  });

  it('goes on behind a goto that leads to no rule of just that priority', () => {
    const rules = [
      { priority: 10, src: 'all', goto: 20 },
      { priority: 11, src: 'all', table: '100' },
      { priority: 21, src: 'all', action: 'prohibit' },
    ];
    expect(look({ rules, routes: ['default dev eth0 table 100'] })).toEqual(['unicast eth0 1']);
  });
});

describe('several next hops', () => {
  it('are taken by weight, or by the device that is asked for', () => {
    expect(look({ routes: [MULTIPATH] })).toEqual([
      'unicast 10.0.0.2 0.75 multipath',
      'unicast 10.0.1.2 0.25 multipath',
    ]);
    expect(look({ routes: [MULTIPATH] }, { output: 'eth1' })).toEqual(['unicast 10.0.1.2 1']);
  });

  it('since Linux 6.16 one of the packet’s own source goes before the others', () => {
    const state = { routes: [MULTIPATH], addresses: ADDRESSES };
    const key = { source: '10.0.1.1' };
    expect(look({ ...state, kernel: '6.18.44' }, key)).toEqual(['unicast 10.0.1.2 1 multipath']);
    expect(look({ ...state, kernel: '6.1.0-13' }, key)[0]).toBe('unicast 10.0.0.2 0.75 multipath');
    expect(look(state, key)).toEqual(['unicast 10.0.0.2 0-0.75 multipath', 'unicast 10.0.1.2 0.25-1 multipath']);
    expect(look({ ...state, kernel: '6.18.44' }, { ...key, input: 'eth1' })[0]).toBe('unicast 10.0.0.2 0.75 multipath');
  });

  it('whose neighbour failed are passed over where fib_multipath_use_neigh says so', () => {
    const neighbours = [{ dst: '10.0.0.2', dev: 'eth0', state: ['FAILED'] }];
    expect(look({ routes: [MULTIPATH], neighbours })).toHaveLength(2);
    const sysctls = { 'net.ipv4.fib_multipath_use_neigh': 1 };
    expect(look({ routes: [MULTIPATH], neighbours, sysctls })).toEqual(['unicast 10.0.1.2 1']);
  });

  it('of several default routes of one metric any may be taken', () => {
    const routes = [
      'default via 10.0.0.2 dev eth0',
      'default via 10.0.1.2 dev eth1',
      'default via 10.0.1.3 dev eth1 metric 9',
    ];
    expect(look({ routes })).toEqual(['unicast 10.0.0.2 0-1 multipath', 'unicast 10.0.1.2 0-1 multipath']);
    expect(look({ routes }, { input: 'eth1' })).toEqual(['unicast 10.0.0.2 1']);
  });
});

describe('nexthop objects', () => {
  const nexthops = [
    { id: 1, gateway: '10.0.0.2', dev: 'eth0', flags: [] },
    { id: 2, gateway: '10.0.1.2', dev: 'eth1', flags: [] },
    { id: 3, group: [{ id: 1, weight: 3 }, { id: 2 }], flags: [] },
  ];

  it('are looked up where the route does not show them, and wanted where nobody asked', () => {
    expect(look({ routes: ['10.5.0.0/16 nhid 3'], nexthops })).toEqual([
      'unicast 10.0.0.2 0.75 multipath',
      'unicast 10.0.1.2 0.25 multipath',
    ]);
    expect(look({ routes: ['10.5.0.0/16 nhid 3'] })).toEqual(['wants nexthops']);
  });

  it('pass over a member whose neighbour failed', () => {
    const neighbours = [{ dst: '10.0.0.2', dev: 'eth0', state: ['FAILED'] }];
    expect(look({ routes: ['10.5.0.0/16 nhid 3'], nexthops, neighbours })).toEqual(['unicast 10.0.1.2 1']);
  });

  it('that serve nothing end the leaf with all prefixes of that address', () => {
    const routes = [
      '10.5.0.0/16 nhid 1 via 10.0.0.2 dev eth0',
      '10.5.0.0/15 via 10.0.1.3 dev eth1',
      '10.4.0.0/14 via 10.0.1.4 dev eth1',
    ];
    expect(look({ routes }, { output: 'eth1' })).toEqual(['unicast 10.0.1.4 1']);
  });
});

describe('tables that were never touched by a rule', () => {
  const routes = ['local 10.5.0.0/16 dev lo table local', '10.5.0.0/24 via 10.0.0.2 dev eth0'];

  it('are one tree: where that makes a difference, it is not known which it is', () => {
    expect(look({ routes, rules: [] })).toEqual(['unicast 10.0.0.2 0-1 undecided', 'local lo 0-1 undecided']);
    expect(look({ routes })).toEqual(['local lo 1']);
    expect(look({ routes: routes.slice(1), rules: [] })).toEqual(['unicast 10.0.0.2 1']);
  });
});

describe('a VRF', () => {
  const state = {
    devices: [
      { ifname: 'blue', kind: 'vrf', table: 10 },
      { ifname: 'eth1', master: 'blue' },
    ],
    rules: [{ priority: 1000, src: 'all', l3mdev: null }],
    routes: ['10.5.0.0/16 via 10.0.1.2 dev eth1 table 10', 'default via 10.0.0.2 dev eth0'],
  };

  it('has a table of its own for what comes by it or is to leave by it', () => {
    expect(look(state)).toEqual(['unicast 10.0.0.2 1']);
    expect(look(state, { input: 'blue' })).toEqual(['unicast 10.0.1.2 1']);
    expect(look(state, { output: 'blue' })).toEqual(['unicast 10.0.1.2 1']);
    expect(look(state, { destination: '192.0.2.1', input: 'blue' })).toEqual(['unicast 10.0.0.2 1']);
  });

  it('is looked for by a negated rule as well, which then looks in main', () => {
    const rules = [
      { priority: 1000, not: null, src: 'all', l3mdev: null },
      { priority: 1001, src: 'all', action: 'prohibit' },
    ];
    expect(look({ ...state, rules })).toEqual(['unicast 10.0.0.2 1']);
    expect(look({ ...state, rules }, { input: 'blue' })).toEqual(['prohibit . 1']);
  });
});
