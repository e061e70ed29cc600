import { describe, expect, test } from 'vitest';
import type { Reply } from '../host/host.ts';
import { CLUSTER, hostOf, type Place, podPlace } from '../net/place.ts';
import { fixture } from '../parse/testing/parser-properties.ts';
import { createSnapshot } from './create-snapshot.ts';
import type { FactArgs, FactName } from './facts.ts';
import { isComplete, type Snapshot, type SnapshotChange } from './snapshot.ts';

const NODE = hostOf('w1');
const POD = podPlace('w1', 'demo', 'web');

function reply(action: FactName, place: Place, args: FactArgs, text: string): Reply {
  return {
    request: { action, place, args, round: 0 },
    startedAtMs: 0,
    tookMs: 0,
    got: 'raw',
    raw: new TextEncoder().encode(text),
    exitCode: 0,
    truncated: false,
    tool: '',
  };
}

const POD_LINKS = JSON.stringify([
  {
    ifindex: 1,
    ifname: 'lo',
    flags: ['LOOPBACK', 'UP', 'LOWER_UP'],
    mtu: 65536,
    operstate: 'UNKNOWN',
    link_type: 'loopback',
  },
  {
    ifindex: 2,
    ifname: 'eth0',
    link_index: 4,
    link_netnsid: 0,
    flags: ['NO-CARRIER', 'BROADCAST', 'UP'],
    mtu: 1450,
    operstate: 'LOWERLAYERDOWN',
    link_type: 'ether',
    linkinfo: { info_kind: 'veth' },
    addr_info: [{ family: 'inet', local: '10.244.0.7', prefixlen: 24, scope: 'global' }],
  },
]);
const HOST_LINKS = JSON.stringify([
  {
    ifindex: 3,
    ifname: 'cni0',
    flags: ['UP', 'LOWER_UP'],
    mtu: 1450,
    operstate: 'UP',
    linkinfo: { info_kind: 'bridge' },
  },
  {
    ifindex: 4,
    ifname: 'veth1',
    link_index: 2,
    link_netnsid: 1,
    flags: ['BROADCAST'],
    mtu: 1450,
    operstate: 'DOWN',
    master: 'cni0',
    linkinfo: { info_kind: 'veth', info_slave_kind: 'bridge', info_slave_data: { state: 'disabled', hairpin: false } },
  },
  {
    ifindex: 5,
    ifname: 'eth0',
    flags: ['BROADCAST'],
    mtu: 1500,
    operstate: 'DOWN',
    addr_info: [{ family: 'inet', local: '10.78.0.11', prefixlen: 24, scope: 'global' }],
  },
]);
const SAVE = [
  '*filter',
  ':INPUT ACCEPT [0:0]',
  ':FORWARD DROP [7:420]',
  ':FLANNEL-FWD - [0:0]',
  '[0:0] -A FORWARD -j FLANNEL-FWD',
  '[3:180] -A FORWARD -s 10.0.0.0/8 -j DROP',
  '[0:0] -A FORWARD -j ACCEPT',
  'COMMIT',
  '',
].join('\n');
const NFT = JSON.stringify({
  nftables: [
    { table: { family: 'inet', name: 'fw', handle: 1 } },
    {
      chain: {
        family: 'inet',
        table: 'fw',
        name: 'forward',
        handle: 2,
        type: 'filter',
        hook: 'forward',
        prio: 0,
        policy: 'drop',
      },
    },
    { rule: { family: 'inet', table: 'fw', chain: 'forward', handle: 7, expr: [{ drop: null }] } },
    { rule: { family: 'inet', table: 'fw', chain: 'forward', handle: 9, expr: [{ accept: null }] } },
  ],
});
const SYSCTLS = JSON.stringify({
  files: [
    { path: '/proc/sys/net/ipv4/ip_forward', text: '0\n' },
    { path: '/proc/sys/net/ipv4/conf/all/forwarding', text: '0\n' },
    { path: '/proc/sys/net/ipv4/conf/eth0/forwarding', text: '0\n' },
    { path: '/proc/sys/net/ipv4/conf/eth0/rp_filter', text: '1\n' },
  ],
});
const PODS = JSON.stringify({
  kind: 'PodList',
  items: [
    {
      metadata: { name: 'web', namespace: 'demo', labels: { app: 'web' } },
      spec: { containers: [] },
      status: { phase: 'Pending' },
    },
  ],
});

const BASE = createSnapshot([
  reply('routes', NODE, { family: 4 }, fixture('ip-route4-6.1-node.json')),
  reply('routes', NODE, { family: 6 }, fixture('ip-route6-6.1-node.json')),
  reply('neighbours', NODE, {}, fixture('ip-neigh-6.1-node.json')),
  reply('fdb', NODE, {}, fixture('bridge-fdb-6.1-node.json')),
  reply('sockets', NODE, {}, fixture('ss-6.1-node.txt')),
  reply('links', NODE, {}, HOST_LINKS),
  reply('links', POD, {}, POD_LINKS),
  reply('routes', POD, { family: 4 }, '[]'),
  reply('iptables.nft', NODE, { family: 4, table: '' }, SAVE),
  reply('nft.table', NODE, { family: 'inet', name: 'fw' }, NFT),
  reply('sysctls', NODE, {}, SYSCTLS),
  reply('api.pods', CLUSTER, {}, PODS),
]);

function value<K extends FactName>(snapshot: Snapshot, name: K, place: Place, args?: FactArgs) {
  const observed = snapshot.fact(name, place, args);
  if (observed.state === 'unseen') throw new Error(observed.detail);
  return observed.value;
}

function withChange(change: Record<string, unknown>): Snapshot {
  return BASE.with([{ place: NODE, text: 'the change', ...change } as SnapshotChange]);
}

/** The fact after a change that cannot be made: as it was, and not complete. */
function expectNotApplied(change: Record<string, unknown>, name: FactName, args?: FactArgs): void {
  const observed = withChange(change).fact(name, NODE, args);
  expect(isComplete(observed)).toBe(false);
  expect(observed.state === 'seen' && observed.unparsed.at(-1)?.text).toBe('could not be applied: the change');
  expect(observed.state === 'seen' && observed.value).toEqual(value(BASE, name, NODE, args));
}

const texts = (snapshot: Snapshot) => value(snapshot, 'routes', NODE, { family: 4 }).map((route) => route.text);

describe('routes', () => {
  test('a route is added at one place and in one family, and the base does not change', () => {
    const changed = withChange({ op: 'route', act: 'add', line: '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink' });
    const routes = changed.fact('routes', NODE, { family: 4 });
    expect(routes).toMatchObject({ complete: true, source: { text: 'the change', request: { action: 'routes' } } });
    expect(texts(changed)).toEqual([...texts(BASE), '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink']);
    expect(texts(BASE)).not.toContain('10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink');
    expect(changed.fact('routes', NODE, { family: 6 })).toBe(BASE.fact('routes', NODE, { family: 6 }));
    expect(changed.fact('routes', POD, { family: 4 })).toBe(BASE.fact('routes', POD, { family: 4 }));
  });

  test('a route to the same prefix is replaced', () => {
    const changed = withChange({ op: 'route', act: 'add', line: '10.244.1.0/24 via 10.78.0.12 dev eth0' });
    expect(texts(changed)).toHaveLength(texts(BASE).length);
    expect(texts(changed)).toContain('10.244.1.0/24 via 10.78.0.12 dev eth0');
    expect(texts(changed)).not.toContain('10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink');
  });

  test('a route is removed by what the line says of it', () => {
    const changed = withChange({ op: 'route', act: 'remove', line: '10.244.1.0/24' });
    expect(texts(changed)).toHaveLength(texts(BASE).length - 1);
    expectNotApplied({ op: 'route', act: 'remove', line: '10.244.1.0/24 dev eth0' }, 'routes', { family: 4 });
    expectNotApplied({ op: 'route', act: 'remove', line: '10.99.0.0/16' }, 'routes', { family: 4 });
    expectNotApplied({ op: 'route', act: 'add', line: '10.99.0.0/16 frobnicate' }, 'routes', { family: 4 });
  });

  test('IPv6 lines are for IPv6', () => {
    const line = 'fd00:1::/64 via fe80::1 dev eth0';
    const changed = withChange({ op: 'route', act: 'add', line });
    expect(value(changed, 'routes', NODE, { family: 6 }).at(-1)?.text).toBe(line);
    expect(changed.fact('routes', NODE, { family: 4 })).toBe(BASE.fact('routes', NODE, { family: 4 }));
    const gateway = withChange({ op: 'route', act: 'add', line: 'default via fe80::1 dev eth0' });
    expect(value(gateway, 'routes', NODE, { family: 6 }).at(-1)?.destination).toEqual({ address: '::', length: 0 });
  });

  test('several changes and an overlay on an overlay', () => {
    const line = 'default via 10.78.0.254 dev eth0 metric 7';
    const twice = BASE.with([
      { place: NODE, text: 'a', op: 'route', act: 'remove', line: '10.244.1.0/24' },
      { place: NODE, text: 'b', op: 'route', act: 'add', line },
    ]);
    expect(twice.fact('routes', NODE, { family: 4 })).toMatchObject({ source: { text: 'a; b' } });
    const again = twice.with([{ place: NODE, text: 'c', op: 'route', act: 'remove', line }]);
    expect(texts(again)).toHaveLength(texts(BASE).length - 1);
  });

  test('what was not seen stays unseen', () => {
    const place = hostOf('w9');
    const changed = BASE.with([{ place, text: 'x', op: 'route', act: 'add', line: '10.0.0.0/8 dev eth0' }]);
    expect(changed.fact('routes', place, { family: 4 })).toMatchObject({ state: 'unseen', gap: 'not-asked' });
  });
});

describe('neighbours, fdb, sockets, sysctls', () => {
  test('neighbours', () => {
    const line = '10.244.1.0 dev flannel.1 lladdr 02:00:00:00:00:09 PERMANENT';
    const entries = value(withChange({ op: 'neighbour', act: 'add', line }), 'neighbours', NODE);
    expect(entries).toHaveLength(value(BASE, 'neighbours', NODE).length);
    expect(entries[0]?.mac).toBe('02:00:00:00:00:09');
    const gone = withChange({ op: 'neighbour', act: 'remove', line: '10.244.1.0 dev flannel.1' });
    expect(value(gone, 'neighbours', NODE).some((entry) => entry.address === '10.244.1.0')).toBe(false);
    expectNotApplied({ op: 'neighbour', act: 'remove', line: '10.9.9.9 dev flannel.1' }, 'neighbours');
    expectNotApplied({ op: 'neighbour', act: 'add', line: 'x' }, 'neighbours');
  });

  test('fdb: one remote for a MAC, many for the all-zero one', () => {
    const mac = value(BASE, 'fdb', NODE)[0]!.mac;
    const moved = withChange({ op: 'fdb', act: 'add', line: `${mac} dev flannel.1 dst 10.78.0.13 self permanent` });
    expect(value(moved, 'fdb', NODE).filter((entry) => entry.mac === mac)).toMatchObject([{ remote: '10.78.0.13' }]);
    const zero = '00:00:00:00:00:00 dev flannel.1 dst';
    const flood = BASE.with([
      { place: NODE, text: 'a', op: 'fdb', act: 'add', line: `${zero} 10.78.0.12 self permanent` },
      { place: NODE, text: 'b', op: 'fdb', act: 'add', line: `${zero} 10.78.0.13 self permanent` },
    ]);
    expect(value(flood, 'fdb', NODE)).toHaveLength(value(BASE, 'fdb', NODE).length + 2);
    const less = flood.with([{ place: NODE, text: 'c', op: 'fdb', act: 'remove', line: `${zero} 10.78.0.13` }]);
    expect(value(less, 'fdb', NODE)).toHaveLength(value(BASE, 'fdb', NODE).length + 1);
    expectNotApplied({ op: 'fdb', act: 'remove', line: '02:00:00:00:0f:0f dev flannel.1' }, 'fdb');
  });

  test('sockets', () => {
    const line = 'tcp LISTEN 0 128 0.0.0.0:9999 0.0.0.0:*';
    expect(value(withChange({ op: 'socket', act: 'add', line }), 'sockets', NODE).at(-1)).toMatchObject({ port: 9999 });
    const gone = withChange({ op: 'socket', act: 'remove', line: 'tcp LISTEN 0 4096 *:10250 *:*' });
    expect(value(gone, 'sockets', NODE).some((socket) => socket.port === 10250)).toBe(false);
    expectNotApplied({ op: 'socket', act: 'remove', line }, 'sockets');
  });

  test('ip_forward spreads to every interface, as the kernel does it; other settings do not', () => {
    const forward = value(withChange({ op: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' }), 'sysctls', NODE);
    expect(forward).toEqual({
      'net.ipv4.ip_forward': '1',
      'net.ipv4.conf.all.forwarding': '1',
      'net.ipv4.conf.eth0.forwarding': '1',
      'net.ipv4.conf.eth0.rp_filter': '1',
    });
    const one = value(withChange({ op: 'sysctl', key: 'net.ipv4.conf.eth0.forwarding', value: '1' }), 'sysctls', NODE);
    expect(one).toMatchObject({ 'net.ipv4.ip_forward': '0', 'net.ipv4.conf.eth0.forwarding': '1' });
    const fresh = value(
      withChange({ op: 'sysctl', key: 'net.bridge.bridge-nf-call-iptables', value: '1' }),
      'sysctls',
      NODE,
    );
    expect(fresh['net.bridge.bridge-nf-call-iptables']).toBe('1');
  });
});

describe('rules', () => {
  const rule = { op: 'rule', backend: 'iptables.nft', family: 4, table: 'filter', chain: 'FORWARD' } as const;
  const forward = (snapshot: Snapshot) =>
    value(snapshot, 'iptables.nft', NODE, { family: 4 }).tables[0]!.chains.find((chain) => chain.name === 'FORWARD')!;
  const rulesOf = (snapshot: Snapshot) => forward(snapshot).rules.map((one) => `${one.number} ${one.text}`);

  test('a rule is removed and the rest are numbered anew', () => {
    expect(rulesOf(withChange({ ...rule, act: 'remove', number: 2 }))).toEqual([
      '1 -A FORWARD -j FLANNEL-FWD',
      '2 -A FORWARD -j ACCEPT',
    ]);
    expect(rulesOf(BASE)).toHaveLength(3);
  });

  test('a rule is inserted before a number, or at the end', () => {
    const text = '-A FORWARD -s 10.244.0.0/16 -j ACCEPT';
    expect(rulesOf(withChange({ ...rule, act: 'insert', number: 1, rule: text }))[0]).toBe(`1 ${text}`);
    expect(rulesOf(withChange({ ...rule, act: 'insert', number: 99, rule: text })).at(-1)).toBe(`4 ${text}`);
  });

  test('numbers mean the base, whatever else is changed', () => {
    const changes: SnapshotChange[] = [1, 2].map((number) => ({
      ...rule,
      place: NODE,
      text: `${number}`,
      act: 'remove',
      number,
    }));
    expect(rulesOf(BASE.with(changes))).toEqual(['1 -A FORWARD -j ACCEPT']);
  });

  test('a policy', () => {
    const policy = { op: 'policy', backend: 'iptables.nft', family: 4, table: 'filter' } as const;
    expect(forward(withChange({ ...policy, chain: 'FORWARD', verdict: 'accept' })).policy).toBe('ACCEPT');
    expectNotApplied({ ...policy, chain: 'FLANNEL-FWD', verdict: 'accept' }, 'iptables.nft', { family: 4 });
  });

  test('a first rule makes the table and its built-in chain', () => {
    const text = '-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE';
    const made = withChange({ ...rule, table: 'nat', chain: 'POSTROUTING', act: 'insert', number: 1, rule: text });
    expect(value(made, 'iptables.nft', NODE, { family: 4 }).tables.at(-1)).toMatchObject({
      name: 'nat',
      chains: [{ name: 'POSTROUTING', policy: 'ACCEPT', rules: [{ number: 1, text }] }],
    });
  });

  test('what cannot be done is told', () => {
    expectNotApplied({ ...rule, act: 'remove', number: 9 }, 'iptables.nft', { family: 4 });
    expectNotApplied({ ...rule, act: 'insert', number: 1, rule: '-A INPUT -j DROP' }, 'iptables.nft', { family: 4 });
    expectNotApplied({ ...rule, act: 'insert', number: 1, rule: 'drop it' }, 'iptables.nft', { family: 4 });
    expectNotApplied({ ...rule, chain: 'NOBODY', act: 'remove', number: 1 }, 'iptables.nft', { family: 4 });
  });

  test('another family or backend is not touched', () => {
    const other = BASE.fact('iptables.nft', NODE, { family: 4 });
    expect(withChange({ ...rule, family: 6, act: 'remove', number: 1 }).fact('iptables.nft', NODE, { family: 4 })).toBe(
      other,
    );
    const legacy = withChange({ ...rule, backend: 'iptables.legacy', act: 'remove', number: 1 });
    expect(legacy.fact('iptables.nft', NODE, { family: 4 })).toBe(other);
  });

  test('nft: removed by handle, inserted by position, policy of a base chain', () => {
    const nft = { backend: 'nft', family: 4, table: 'fw', chain: 'forward' } as const;
    const chain = (snapshot: Snapshot) =>
      value(snapshot, 'nft.table', NODE, { family: 'inet', name: 'fw' }).tables[0]!.chains[0]!;
    expect(chain(withChange({ ...nft, op: 'rule', act: 'remove', number: 7 })).rules).toMatchObject([
      { number: 1, handle: 9 },
    ]);
    const inserted = withChange({ ...nft, op: 'rule', act: 'insert', number: 2, rule: '[{"accept":null}]' });
    expect(chain(inserted).rules.map((one) => [one.number, one.handle, one.text])).toEqual([
      [1, 7, 'drop'],
      [2, 0, 'accept'],
      [3, 9, 'accept'],
    ]);
    expect(chain(withChange({ ...nft, op: 'policy', verdict: 'accept' })).base?.policy).toBe('accept');
    expect(chain(withChange({ ...nft, table: 'inet fw', op: 'policy', verdict: 'accept' })).base?.policy).toBe(
      'accept',
    );
    const args = { family: 'inet', name: 'fw' };
    expectNotApplied({ ...nft, op: 'rule', act: 'remove', number: 8 }, 'nft.table', args);
    expectNotApplied({ ...nft, op: 'rule', act: 'insert', number: 1, rule: 'accept' }, 'nft.table', args);
    expectNotApplied({ ...nft, chain: 'nobody', op: 'policy', verdict: 'accept' }, 'nft.table', args);
  });
});

describe('links and addresses', () => {
  const link = (snapshot: Snapshot, place: Place, name: string) =>
    value(snapshot, 'links', place).find((one) => one.name === name)!;

  test('up gives the carrier to both ends of a veth pair and forwards on the bridge', () => {
    const changed = withChange({ op: 'link', device: 'veth1', set: { up: true } });
    expect(link(changed, NODE, 'veth1')).toMatchObject({ operstate: 'UP', bridgePort: { state: 'forwarding' } });
    expect(link(changed, NODE, 'veth1').flags).toEqual(['BROADCAST', 'UP', 'LOWER_UP']);
    expect(link(changed, POD, 'eth0').flags).toEqual(['BROADCAST', 'UP', 'LOWER_UP']);
    expect(link(BASE, POD, 'eth0').flags).toContain('NO-CARRIER');
  });

  test("down at the pod's end takes the host end's carrier", () => {
    const up = withChange({ op: 'link', device: 'veth1', set: { up: true } });
    const down = up.with([{ place: POD, text: 'd', op: 'link', device: 'eth0', set: { up: false } }]);
    expect(link(down, POD, 'eth0').flags).toEqual(['BROADCAST']);
    expect(link(down, NODE, 'veth1')).toMatchObject({ operstate: 'LOWERLAYERDOWN', bridgePort: { state: 'disabled' } });
  });

  test('a bridge that comes up forwards at the ports that run, and at none when it goes down', () => {
    const running = withChange({ op: 'link', device: 'veth1', set: { up: true } });
    const state = (snapshot: Snapshot) => link(snapshot, NODE, 'veth1').bridgePort?.state;
    const down = running.with([{ place: NODE, text: 'down', op: 'link', device: 'cni0', set: { up: false } }]);
    expect([state(running), state(down)]).toEqual(['forwarding', 'disabled']);
    const up = down.with([{ place: NODE, text: 'up', op: 'link', device: 'cni0', set: { up: true } }]);
    expect(state(up)).toBe('forwarding');
    expect(state(withChange({ op: 'link', device: 'cni0', set: { up: true } }))).toBe('disabled');
  });

  test('a link that comes up gets its connected routes back, one that goes down loses all', () => {
    const added = '10.78.0.0/24 dev eth0 proto kernel scope link src 10.78.0.11';
    const bare = BASE.with(
      value(BASE, 'routes', NODE, { family: 4 })
        .filter((route) => route.nextHops.some((hop) => hop.device === 'eth0'))
        .map((route) => ({ place: NODE, text: 'gone', op: 'route', act: 'remove', line: route.text })),
    );
    expect(texts(bare)).not.toContain(added);
    const up = bare.with([{ place: NODE, text: 'up', op: 'link', device: 'eth0', set: { up: true } }]);
    expect(texts(up)).toContain(added);
    expect(texts(up)).toContain('local 10.78.0.11 dev eth0 table local proto kernel scope host src 10.78.0.11');
    const down = up.with([{ place: NODE, text: 'down', op: 'link', device: 'eth0', set: { up: false } }]);
    expect(texts(down).some((text) => text.includes(' eth0'))).toBe(false);
  });

  test('mtu, mac, hairpin, isolated and master', () => {
    const set = { mtu: 1400, mac: '02:AA:00:00:00:01', hairpin: true, isolated: true };
    expect(link(withChange({ op: 'link', device: 'veth1', set }), NODE, 'veth1')).toMatchObject({
      mtu: 1400,
      mac: '02:aa:00:00:00:01',
      bridgePort: { hairpin: true, isolated: true, state: 'disabled' },
    });
    const freed = withChange({ op: 'link', device: 'veth1', set: { master: '' } });
    expect(link(freed, NODE, 'veth1').master).toBeUndefined();
    expect(link(freed, NODE, 'veth1').bridgePort).toBeUndefined();
    const joined = withChange({ op: 'link', device: 'eth0', set: { master: 'cni0', hairpin: true } });
    expect(link(joined, NODE, 'eth0')).toMatchObject({
      master: 'cni0',
      bridgePort: { state: 'disabled', hairpin: true },
    });
    expectNotApplied({ op: 'link', device: 'nobody', set: { up: true } }, 'links');
  });

  test('an address comes with its routes and goes with them', () => {
    const line = '10.78.1.5/24 dev eth0';
    const added = withChange({ op: 'address', act: 'add', line });
    expect(link(added, NODE, 'eth0').addresses.map((one) => one.prefix.address)).toEqual(['10.78.0.11', '10.78.1.5']);
    expect(texts(added)).toContain('10.78.1.0/24 dev eth0 proto kernel scope link src 10.78.1.5');
    const removed = added.with([{ place: NODE, text: 'r', op: 'address', act: 'remove', line }]);
    expect(texts(removed)).toEqual(texts(BASE));
    expect(link(removed, NODE, 'eth0').addresses).toHaveLength(1);
    expectNotApplied({ op: 'address', act: 'remove', line: '10.1.1.1/24 dev eth0' }, 'links');
    expectNotApplied({ op: 'address', act: 'add', line: 'nonsense' }, 'links');
    const shown = withChange({ op: 'address', act: 'add', line: 'inet6 fd00::5/64 scope global nodad eth0' });
    expect(link(shown, NODE, 'eth0').addresses.at(-1)).toMatchObject({
      prefix: { address: 'fd00::5', length: 64 },
      flags: ['nodad'],
    });
  });
});

describe('API objects', () => {
  const object = { place: CLUSTER, op: 'object', fact: 'api.pods' } as const;

  test('a merge patch, a removal and a new object', () => {
    const patched = withChange({
      ...object,
      ref: 'pods/demo/web',
      patch: { metadata: { labels: { app: null, tier: 'x' } }, status: { phase: 'Running' } },
    });
    expect(value(patched, 'api.pods', CLUSTER)).toMatchObject([
      { metadata: { name: 'web', labels: { tier: 'x' } }, status: { phase: 'Running' } },
    ]);
    expect(value(patched, 'api.pods', CLUSTER)[0]?.metadata.labels).not.toHaveProperty('app');
    expect(value(withChange({ ...object, ref: 'pods/demo/web', patch: null }), 'api.pods', CLUSTER)).toEqual([]);
    const made = withChange({ ...object, ref: 'pods/demo/new', patch: { spec: { containers: [] } } });
    expect(value(made, 'api.pods', CLUSTER)[1]).toMatchObject({ metadata: { name: 'new', namespace: 'demo' } });
    expect(value(BASE, 'api.pods', CLUSTER)[0]?.status.phase).toBe('Pending');
  });

  test('a patch that makes no whole object is told', () => {
    const observed = withChange({ ...object, ref: 'pods/demo/other', patch: { spec: 7 } }).fact('api.pods', CLUSTER);
    expect(isComplete(observed)).toBe(false);
  });
});
