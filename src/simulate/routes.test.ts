import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import { addressTypeOf, lookupRoute, type RouteKey } from './routes.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';

const W1 = hostOf('w1');

/** As `ip route show table all` and `ip rule show` print them; the three standard rules stand unless others are given. */
function network(routes: readonly string[], rules?: readonly object[]) {
  const standard = [
    { priority: 0, src: 'all', table: '255' },
    { priority: 32766, src: 'all', table: '254' },
    { priority: 32767, src: 'all', table: '253' },
  ];
  return snapshotOfTexts([
    ['routes', W1, { family: 4 }, `${routes.join('\n')}\n`],
    ['rules', W1, { family: 4 }, JSON.stringify(rules ? [standard[0], ...rules, standard[1], standard[2]] : standard)],
    ['sysctls', W1, {}, JSON.stringify({ files: [] })],
  ]);
}

function look(snapshot: ReturnType<typeof network>, destination: string, key: Partial<RouteKey> = {}) {
  const lookup = lookupRoute(snapshot, W1, { destination, source: '10.0.0.1', tos: 0, mark: 0, ...key });
  if (lookup.state === 'unseen') throw new Error('unseen');
  return lookup.ways;
}

const gist = (ways: ReturnType<typeof look>) =>
  ways.map(({ found, chance }) => [found.type, found.hop?.via ?? found.hop?.device ?? '', chance.min, chance.max]);

describe('lookupRoute', () => {
  it('takes the local table first, then the longest prefix, then the lowest metric', () => {
    const snapshot = network([
      'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
      'default via 10.0.0.254 dev eth0',
      '10.244.0.0/16 via 10.0.0.9 dev eth0',
      '10.244.1.0/24 via 10.0.0.8 dev eth0 metric 200',
      '10.244.1.0/24 via 10.0.0.7 dev eth0 metric 100',
    ]);
    expect(gist(look(snapshot, '10.0.0.1'))).toEqual([['local', 'eth0', 1, 1]]);
    expect(gist(look(snapshot, '10.244.1.5'))).toEqual([['unicast', '10.0.0.7', 1, 1]]);
    expect(gist(look(snapshot, '10.244.2.5'))).toEqual([['unicast', '10.0.0.9', 1, 1]]);
    expect(gist(look(snapshot, '192.0.2.1'))).toEqual([['unicast', '10.0.0.254', 1, 1]]);
  });

  it.each(['blackhole', 'unreachable', 'prohibit'])('ends at a %s route', (type) => {
    expect(gist(look(network([`${type} 10.1.0.0/16`, 'default via 10.0.0.254 dev eth0']), '10.1.2.3'))).toEqual([
      [type, '', 1, 1],
    ]);
  });

  it('goes on with the next rule at throw, at no match, and at a suppressed match', () => {
    const routes = ['throw 10.1.0.0/16', 'default via 10.0.0.254 dev eth0', 'default via 10.0.0.99 dev wg0 table 100'];
    const rules = [
      { priority: 100, src: 'all', table: '254', suppress_prefixlen: 0 },
      { priority: 200, src: 'all', table: '100' },
    ];
    expect(gist(look(network(routes, rules), '192.0.2.1'))).toEqual([['unicast', '10.0.0.99', 1, 1]]);
    expect(gist(look(network(routes), '10.1.2.3'))).toEqual([['none', '', 1, 1]]);
    expect(gist(look(network([]), '10.1.2.3'))).toEqual([['none', '', 1, 1]]);
  });

  it('follows rules by mark, source, input device, and their negation', () => {
    const routes = ['default via 10.0.0.254 dev eth0', 'default via 10.0.0.99 dev eth1 table 100'];
    const by = (rule: object, key: Partial<RouteKey>) =>
      look(network(routes, [{ priority: 100, table: '100', ...rule }]), '192.0.2.1', key)[0]!.found.hop?.device;
    expect(by({ src: 'all', fwmark: '0x4000', fwmask: '0x4000' }, { mark: 0xc000 })).toBe('eth1');
    expect(by({ src: 'all', fwmark: '0x4000', fwmask: '0x4000' }, { mark: 0x8000 })).toBe('eth0');
    expect(by({ src: '10.0.0.0', srclen: 24 }, {})).toBe('eth1');
    expect(by({ not: null, src: '10.0.0.0', srclen: 24 }, {})).toBe('eth0');
    expect(by({ src: 'all', iif: 'cni0' }, { input: 'cni0' })).toBe('eth1');
    expect(by({ src: 'all', iif: 'lo' }, {})).toBe('eth1');
    expect(by({ src: 'all', iif: 'cni0' }, {})).toBe('eth0');
    expect(
      by({ src: 'all', ipproto: 'tcp', dport: 80 }, { l4: { protocol: 'tcp', sourcePort: 1, destinationPort: 80 } }),
    ).toBe('eth1');
    expect(by({ src: 'all', ipproto: 'udp' }, { l4: { protocol: 'tcp', sourcePort: 1, destinationPort: 80 } })).toBe(
      'eth0',
    );
  });

  it('ends at a rule that is unreachable itself, and jumps by goto', () => {
    const routes = ['default via 10.0.0.254 dev eth0', 'default via 10.0.0.99 dev eth1 table 100'];
    const jump = [
      { priority: 50, src: 'all', goto: 200 },
      { priority: 100, src: 'all', action: 'blackhole' },
      { priority: 200, src: 'all', table: '100' },
    ];
    expect(gist(look(network(routes, jump), '192.0.2.1'))).toEqual([['unicast', '10.0.0.99', 1, 1]]);
    expect(gist(look(network(routes, jump.slice(1)), '192.0.2.1'))).toEqual([['blackhole', '', 1, 1]]);
  });

  it('forks at an undecided rule only where the outcomes differ', () => {
    const uid = { priority: 100, src: 'all', table: '100', uid_start: 0, uid_end: 99 };
    const differ = look(
      network(['default via 10.0.0.254 dev eth0', 'default via 10.0.0.99 dev eth1 table 100'], [uid]),
      '192.0.2.1',
    );
    expect(gist(differ)).toEqual([
      ['unicast', '10.0.0.99', 0, 1],
      ['unicast', '10.0.0.254', 0, 1],
    ]);
    expect(differ[0]).toMatchObject({ fork: 'undecided' });
    expect(differ[0]!.doubt).toContain('uidrange');
    expect(gist(look(network(['default via 10.0.0.254 dev eth0'], [uid]), '192.0.2.1'))).toEqual([
      ['unicast', '10.0.0.254', 1, 1],
    ]);
  });

  it('makes each next hop of a multipath route a branch by its weight, without the dead', () => {
    const route = (flags: string) => [
      'default proto static',
      `\tnexthop via 10.0.0.1 dev eth0 weight 3`,
      `\tnexthop via 10.0.1.1 dev eth1 weight 1${flags}`,
    ];
    const snapshot = (flags: string) => network([route(flags).join('\n')]);
    expect(gist(look(snapshot(''), '192.0.2.1'))).toEqual([
      ['unicast', '10.0.0.1', 0.75, 0.75],
      ['unicast', '10.0.1.1', 0.25, 0.25],
    ]);
    expect(gist(look(snapshot(' dead linkdown'), '192.0.2.1'))).toEqual([['unicast', '10.0.0.1', 1, 1]]);
  });

  it('goes only by a device that is asked for', () => {
    const snapshot = network([
      'default via 10.0.0.254 dev eth0 metric 10',
      'default via 10.0.1.254 dev eth1 metric 20',
    ]);
    expect(gist(look(snapshot, '192.0.2.1', { output: 'eth1' }))).toEqual([['unicast', '10.0.1.254', 1, 1]]);
  });

  it('casts doubt on every answer of a list that was not understood wholly', () => {
    const [way] = look(network(['default via 10.0.0.254 dev eth0', 'what is this']), '192.0.2.1');
    expect(way!.doubt).toContain('what is this');
  });
});

describe('addressTypeOf', () => {
  const snapshot = network([
    'local 10.0.0.1 dev eth0 table local proto kernel scope host src 10.0.0.1',
    'broadcast 10.0.0.255 dev eth0 table local proto kernel scope link src 10.0.0.1',
    'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1',
    'default via 10.0.0.254 dev eth0',
  ]);

  it.each([
    ['10.0.0.1', undefined, 'local'],
    ['10.0.0.1', 'eth1', 'unicast'],
    ['10.0.0.1', 'eth0', 'local'],
    ['127.5.5.5', undefined, 'local'],
    ['10.0.0.255', undefined, 'broadcast'],
    ['255.255.255.255', undefined, 'broadcast'],
    ['224.0.0.1', undefined, 'multicast'],
    ['192.0.2.1', undefined, 'unicast'],
  ])('%s on %s is %s', (address, device, type) => {
    expect(addressTypeOf(snapshot, W1, address, device)).toBe(type);
  });

  it('is unknown without the routes', () => {
    expect(addressTypeOf(snapshotOfTexts([]), W1, '10.0.0.1')).toBe('unknown');
  });
});
