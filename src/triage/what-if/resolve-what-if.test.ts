import { describe, expect, test } from 'vitest';
import { CLIENT_PLACE, flow, hop, leafTrace, SERVER_PLACE, step } from '../../diagnose/testing/build-case.ts';
import { hostOf, type Place } from '../../net/place.ts';
import { snapshotOfTexts, type TextFact } from '../../simulate/testing/build-snapshot.ts';
import type { Step } from '../../simulate/trace.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { isTargetProblem, type TargetProblem } from '../../target/question.ts';
import { resolveWhatIf } from './resolve-what-if.ts';
import { parseWhatIf, type WhatIfSign } from './what-if.ts';

const W1 = hostOf('w1');
const W2 = hostOf('w2');

const IPTABLES = `*filter
:FORWARD ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -d 10.244.1.0/24 -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*mangle
:FORWARD ACCEPT [0:0]
COMMIT
`;
const NFT = JSON.stringify({
  nftables: [
    { table: { family: 'inet', name: 'fw', handle: 1 } },
    {
      chain: {
        family: 'inet',
        table: 'fw',
        name: 'input',
        handle: 1,
        type: 'filter',
        hook: 'input',
        prio: 0,
        policy: 'accept',
      },
    },
    { rule: { family: 'inet', table: 'fw', chain: 'input', handle: 12, expr: [{ counter: null }, { drop: null }] } },
  ],
});
const link = (index: number, name: string, address: string) => ({
  ifindex: index,
  ifname: name,
  mtu: 1500,
  flags: ['UP', 'LOWER_UP'],
  operstate: 'UP',
  addr_info: [{ family: 'inet', local: address, prefixlen: 24, scope: 'global' }],
});

function sysctlsOf(values: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    files: Object.entries(values).map(([path, text]) => ({ path: `/proc/sys/net/${path}`, text: `${text}\n` })),
  });
}

function factsOf(place: Place, node: number): TextFact[] {
  return [
    ['iptables.nft', place, { family: 4, table: '' }, IPTABLES],
    [
      'iptables.legacy',
      place,
      { family: 4 },
      node === 1 ? '' : '*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j DROP\nCOMMIT\n',
    ],
    ['nft.tables', place, {}, NFT],
    ['nft.table', place, { family: 'inet', name: 'fw' }, NFT],
    ['sysctls', place, {}, sysctlsOf({ 'ipv4/ip_forward': String(node - 1), 'ipv4/conf/all/rp_filter': '0' })],
    [
      'links',
      place,
      {},
      JSON.stringify([link(2, 'eth0', `10.78.0.1${node}`), link(3, `cni${node}`, `10.244.${node}.1`)]),
    ],
    ['routes', place, { family: 4 }, `10.78.0.0/24 dev eth0 proto kernel scope link src 10.78.0.1${node}\n`],
    ['neighbours', place, {}, `10.78.0.1${3 - node} dev eth0 lladdr 02:00:00:00:00:01 REACHABLE\n`],
    ['fdb', place, {}, '02:00:00:00:00:09 dev eth0 self permanent\n'],
    ['sockets', place, {}, 'tcp LISTEN 0 4096 127.0.0.1:9000 0.0.0.0:*\ntcp LISTEN 0 4096 *:80 *:*\n'],
  ];
}

const SNAPSHOT = snapshotOfTexts([
  ...factsOf(W1, 1),
  ...factsOf(W2, 2),
  ['sysctls', CLIENT_PLACE, {}, sysctlsOf({ 'ipv4/ip_forward': '0' })],
  ['sockets', SERVER_PLACE, {}, 'tcp LISTEN 0 4096 127.0.0.1:8080 0.0.0.0:*\n'],
]);

const SIX = snapshotOfTexts([
  ['links', W1, {}, JSON.stringify([link(2, 'eth0', '10.78.0.11')])],
  ['routes', W1, { family: 6 }, 'fd00::/64 dev eth0 proto kernel metric 256\n'],
]);

/** Through w1 and w2 to the server; with what was met at w2. */
function resolve(sign: WhatIfSign, text: string, met: readonly Step[] = []): SnapshotChange | TargetProblem {
  const before = [hop(CLIENT_PLACE), hop(W1, [], { input: 'cni1' }), hop(W2, met, { input: 'eth0' })];
  const { trip } = flow({ forward: leafTrace('delivered', { before, place: SERVER_PLACE }) });
  const parsed = parseWhatIf(sign, text);
  if (isTargetProblem(parsed)) return parsed;
  return resolveWhatIf(parsed, { snapshot: SNAPSHOT, family: 4, trip });
}

const change = (sign: WhatIfSign, text: string, met?: readonly Step[]): SnapshotChange => {
  const meant = resolve(sign, text, met);
  if (isTargetProblem(meant)) throw new Error(meant.problem);
  return meant;
};

const problem = (sign: WhatIfSign, text: string): TargetProblem => {
  const meant = resolve(sign, text);
  if (!isTargetProblem(meant)) throw new Error(`no problem: ${meant.text}`);
  return meant;
};

describe('a rule that is taken out', () => {
  const removed = { op: 'rule', act: 'remove', backend: 'iptables.nft', family: 4, table: 'filter' };

  test.each([
    'rule filter KUBE-FORWARD#2 @w1',
    'rule KUBE-FORWARD 2 filter @w1',
    'rule KUBE-FORWARD 2 @w1',
    'rule iptables-nft/filter/KUBE-FORWARD#2 @w1',
    'rule -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT @w1',
    'rule RELATED,ESTABLISHED @node/w1',
  ])('%s', (text) => {
    expect(change('without', text)).toMatchObject({ ...removed, chain: 'KUBE-FORWARD', number: 2, place: W1 });
    expect(change('without', text).text).toBe(
      'without the rule filter KUBE-FORWARD#2: -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    );
  });

  test.each(['rule nft inet fw input#1 @w2', 'rule nft inet fw input handle 12 @w2', 'rule counter drop @w2'])(
    'of nftables: %s',
    (text) => {
      const own = { backend: 'nft', table: 'inet fw', chain: 'input', number: 12, place: W2 };
      expect(change('without', text)).toMatchObject({ ...removed, ...own });
    },
  );

  test('the one that the walk met is meant where several could be', () => {
    const values = { backend: 'iptables-nft', table: 'filter', chain: 'FORWARD', ruleNumber: 2 };
    const met = step({ kind: 'rule', values });
    expect(change('without', 'rule FORWARD 2', [met]).place).toEqual(W2);
    // The walk ended there: that one before others that it met.
    const { trip } = flow({
      forward: leafTrace('dropped-by-rule', { before: [hop(W1, [met])], place: W2, steps: [step(), met] }),
    });
    const asked = parseWhatIf('without', 'rule FORWARD 2');
    expect(!isTargetProblem(asked) && resolveWhatIf(asked, { snapshot: SNAPSHOT, family: 4, trip })).toMatchObject({
      place: W2,
    });
    // One that was passed over is none that it met.
    expect(resolve('without', 'rule FORWARD 2', [{ ...met, matched: 'no' }])).toMatchObject({ kind: 'ambiguous' });
  });

  test('a whole text means that rule, though another contains it', () => {
    expect(change('without', 'rule -A FORWARD -j DROP @w2')).toMatchObject({ backend: 'iptables.legacy', number: 1 });
  });

  test('several are listed, each as it can be asked for', () => {
    const { problem: text, kind } = problem('without', 'rule filter FORWARD#1');
    expect(kind).toBe('ambiguous');
    expect(text.split('\n')).toEqual([
      "--without 'rule filter FORWARD#1' can mean several things; say which:",
      `  --without 'rule iptables-nft filter FORWARD#1 @w1'   # -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD`,
      `  --without 'rule iptables-nft filter FORWARD#1 @w2'   # -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD`,
      "  --without 'rule iptables-legacy filter FORWARD#1 @w2'   # -A FORWARD -j DROP",
    ]);
    for (const line of text.split('\n').slice(1)) {
      const asked = /'(?<asked>[^']+)'/.exec(line)!.groups!['asked']!;
      expect(isTargetProblem(resolve('without', asked)), asked).toBe(false);
    }
  });

  test.each([
    ['rule KUBE-FORWRD 1', /there is no chain KUBE-FORWRD/, ['KUBE-FORWARD']],
    ['rule filter FORWARD#9 @w1', /filter FORWARD has 2 rules \(at w1\)/, ['filter FORWARD#1', 'filter FORWARD#2']],
    ['rule nat FORWARD#1 @w1', /there is no chain nat FORWARD/, ['filter FORWARD', 'mangle FORWARD']],
    ['rule no such text', /no rule contains "no such text" \(at w1, w2\)/, []],
    ['rule handle 99 @w1', /no rule has the handle 99/, []],
    ['rule FORWARD 1 @w3', /@w3 is no node or pod/, ['w1', 'w2']],
  ])('none: %s', (text, why, near) => {
    const found = problem('without', text);
    expect(found).toMatchObject({
      kind: 'not-found',
      problem: expect.stringMatching(why),
      near: expect.arrayContaining(near),
    });
  });
});

describe('a rule that is put in', () => {
  test.each([
    ['rule -I FORWARD -d 10.0.0.1 -j DROP @w1', 1, '-A FORWARD -d 10.0.0.1 -j DROP'],
    ['rule -I FORWARD 2 -j ACCEPT @w1', 2, '-A FORWARD -j ACCEPT'],
    ['rule -A FORWARD -j ACCEPT @w1', Number.MAX_SAFE_INTEGER, '-A FORWARD -j ACCEPT'],
    [
      'rule -t filter -I FORWARD --protocol tcp --destination-port 80 --jump DROP @w1',
      1,
      '-A FORWARD -p tcp -m tcp --dport 80 -j DROP',
    ],
    ['rule -I FORWARD -p udp -m udp --dport 53 -j DROP @w1', 1, '-A FORWARD -p udp -m udp --dport 53 -j DROP'],
    [
      'rule -I FORWARD -s 10.0.0.0/255.0.0.0,10.9.0.1 -j KUBE-FORWARD @w1',
      1,
      '-A FORWARD -s 10.0.0.0/255.0.0.0,10.9.0.1 -j KUBE-FORWARD',
    ],
    [
      'rule -I FORWARD -j REJECT --reject-with icmp-port-unreachable @w1',
      1,
      '-A FORWARD -j REJECT --reject-with icmp-port-unreachable',
    ],
  ])('%s', (text, number, rule) => {
    const own = { op: 'rule', act: 'insert', backend: 'iptables.nft', table: 'filter', chain: 'FORWARD', number, rule };
    expect(change('with', text)).toMatchObject({ ...own, place: W1 });
  });

  test('into another table, another backend, and into nftables as JSON', () => {
    expect(change('with', 'rule -A FORWARD -j ACCEPT -t mangle @w1')).toMatchObject({
      table: 'mangle',
      rule: '-A FORWARD -j ACCEPT',
    });
    expect(change('with', 'rule iptables-legacy -I FORWARD -j ACCEPT @w2')).toMatchObject({
      backend: 'iptables.legacy',
    });
    expect(change('with', 'rule nft inet fw input [{"accept":null}] @w1')).toMatchObject({
      backend: 'nft',
      table: 'inet fw',
      chain: 'input',
      rule: '[{"accept":null}]',
    });
  });

  test.each([
    ['rule -I FORWRD -j DROP @w1', /there is no chain filter FORWRD/],
    ['rule FORWARD -j DROP @w1', /is no rule: say -A CHAIN/],
    ['rule -I FORWARD -j @w1', /is no rule: say -A CHAIN/],
    ['rule -I FORWARD -j DROPP @w1', /'DROPP' is neither a target that the walk knows nor a chain of filter/],
    ['rule -I FORWARD -p tcp --dport http -j DROP @w1', /'http' is a port's name: give its number/],
    ['rule -I FORWARD -s web.example -j DROP @w1', /'web.example' is no address/],
    ['rule -I FORWARD -j DROP -p tcp --dport 80 @w1', /'p' stands behind -j DROP: put what the rule tests before -j/],
    ['rule nft inet fw forward [{"accept":null}] @w1', /there is no chain nft inet fw forward/],
    ['rule nft inet fw input [accept] @w1', /there is no 'rule nft inet fw input/],
    ['rule -I FORWARD -j DROP', /can mean several things/],
  ])('refused: %s', (text, why) => expect(problem('with', text).problem).toMatch(why));
});

describe('a policy', () => {
  test('of filter where several tables have the chain; of a place where it is another', () => {
    expect(change('with', 'policy FORWARD DROP @w1')).toMatchObject({
      op: 'policy',
      backend: 'iptables.nft',
      table: 'filter',
      chain: 'FORWARD',
      verdict: 'drop',
    });
    expect(change('with', 'policy mangle FORWARD drop @w1')).toMatchObject({ table: 'mangle' });
    expect(change('with', 'policy FORWARD ACCEPT')).toMatchObject({ backend: 'iptables.legacy', place: W2 });
    expect(change('without', 'policy FORWARD')).toMatchObject({ verdict: 'accept', place: W2 });
    expect(change('with', 'policy nft inet fw input drop @w1')).toMatchObject({ backend: 'nft', table: 'inet fw' });
  });

  test.each([
    ['policy FORWRD DROP @w1', /there is no chain FORWRD with a policy/],
    ['policy KUBE-FORWARD DROP @w1', /there is no chain KUBE-FORWARD with a policy/],
    ['policy FORWARD ACCEPT @w1', /the policy of filter FORWARD is ACCEPT already/],
    ['policy FORWARD @w1', /is not understood/],
  ])('refused: %s', (text, why) => expect(problem('with', text).problem).toMatch(why));
});

describe('a setting', () => {
  test('at the one node where it is another, before the pods; where it is said', () => {
    const forward = { op: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' };
    expect(change('with', 'sysctl net.ipv4.ip_forward=1')).toMatchObject({ ...forward, place: W1 });
    expect(change('with', 'sysctl net/ipv4/ip_forward = 1 @pod/demo/client')).toMatchObject({
      ...forward,
      place: CLIENT_PLACE,
    });
    // So it is there already: nothing changes, and that is what is asked.
    expect(change('with', 'sysctl net.ipv4.ip_forward=1 @w2')).toMatchObject({ ...forward, place: W2 });
  });

  test.each([
    ['with', 'sysctl net.ipv4.ip_forwrd=1', /there is no sysctl net.ipv4.ip_forwrd that a walk heeds \(at .*w1, w2\)/],
    ['with', 'sysctl net.ipv4.conf.all.rp_filter=0', /is so already \(at w1, w2\)/],
    ['with', 'sysctl net.ipv4.conf.all.rp_filter=1', /can mean several things/],
    ['with', 'sysctl net.ipv4.ip_forward', /is not understood/],
    ['without', 'sysctl net.ipv4.ip_forward', /is not understood|cannot be taken away/],
    ['with', 'sysctl net.ipv4.ip_forward=1 @pod/demo/cleint', /is no node or pod/],
  ] as const)('refused: %s %s', (sign, text, why) => expect(problem(sign, text).problem).toMatch(why));
});

describe('a route', () => {
  test('where its gateway is on a network of the device', () => {
    const line = '10.244.2.0/24 via 10.244.1.9 dev cni1';
    expect(change('with', `route add ${line}`)).toMatchObject({ op: 'route', act: 'add', line, place: W1 });
    expect(change('with', 'route 10.244.2.0/24 via 10.244.1.9')).toMatchObject({
      line: `10.244.2.0/24 via 10.244.1.9 dev cni1`,
    });
    expect(change('with', 'route add 10.9.0.0/16 via 192.0.2.1 dev eth0 onlink @w1')).toMatchObject({ act: 'add' });
    expect(change('with', 'route blackhole 10.9.0.0/16 @w1')).toMatchObject({ line: 'blackhole 10.9.0.0/16' });
  });

  test('of IPv6, where the packet is of it', () => {
    const { trip } = flow({ forward: leafTrace('no-route', { before: [], place: W1 }) });
    const asked = parseWhatIf('with', 'route add default dev eth0');
    const meant = isTargetProblem(asked) ? asked : resolveWhatIf(asked, { snapshot: SIX, family: 6, trip });
    expect(meant).toMatchObject({ op: 'route', line: '::/0 dev eth0', place: W1 });
  });

  test('that is there can be taken away', () => {
    expect(change('without', 'route 10.78.0.0/24 @w1')).toMatchObject({ op: 'route', act: 'remove', place: W1 });
    expect(change('with', 'route del 10.78.0.0/24 dev eth0 @w1')).toMatchObject({ act: 'remove' });
  });

  test.each([
    [
      'with',
      'route add 10.244.2.0/24 via 192.0.2.1 dev eth0',
      /192.0.2.1 is on no network of eth0 \(onlink says that it is\) \(at w1, w2\)/,
    ],
    ['with', 'route add 10.244.2.0/24 via 10.78.0.9 dev eth0', /can mean several things/],
    ['with', 'route add 10.244.2.0/24 dev eth1 @w1', /there is no device eth1/],
    ['with', 'route add 10.244.2.0/24 nach eth0 @w1', /is no route in the words of ip route/],
    ['without', 'route 10.99.0.0/16', /there is no 'route 10.99.0.0\/16'/],
  ] as const)('refused: %s %s', (sign, text, why) => expect(problem(sign, text).problem).toMatch(why));
});

describe('a link', () => {
  test.each([
    ['with', 'link eth0 mtu 1400 @w1', { mtu: 1400 }],
    ['with', 'link set dev eth0 down @w1', { up: false }],
    ['without', 'link eth0 @w1', { up: false }],
    ['with', 'link eth0 mtu 1400 address 02:00:00:00:00:05 @w1', { mtu: 1400, mac: '02:00:00:00:00:05' }],
    ['with', 'link eth0 master cni1 @w1', { master: 'cni1' }],
  ] as const)('%s %s', (sign, text, set) =>
    expect(change(sign, text)).toMatchObject({ op: 'link', device: 'eth0', set }),
  );

  test('of which only one place has it', () => expect(change('with', 'link cni1 down').place).toEqual(W1));

  test.each([
    ['link eth1 down', /there is no device eth1/],
    ['link eth0 mtu big', /is not understood/],
    ['link eth0', /is not understood/],
    ['link eth0 up', /is so already \(at w1, w2\)/],
    ['link eth0 down', /can mean several things/],
  ])('refused: %s', (text, why) => expect(problem('with', text).problem).toMatch(why));
});

describe('addresses, neighbours, forwarding entries, sockets', () => {
  test.each([
    ['with', 'address add 10.9.0.1/24 dev eth0 @w1', { op: 'address', act: 'add', line: '10.9.0.1/24 dev eth0' }],
    ['without', 'address 10.78.0.11/24 dev eth0', { op: 'address', act: 'remove', place: W1 }],
    [
      'with',
      'neigh 10.78.0.12 dev eth0 lladdr 02:00:00:00:00:07 @w1',
      { op: 'neighbour', line: expect.stringMatching(/nud permanent$/) },
    ],
    ['without', 'neigh 10.78.0.12 dev eth0', { op: 'neighbour', act: 'remove', place: W1 }],
    ['with', 'fdb append 02:00:00:00:00:08 dev eth0 dst 10.78.0.12 self permanent @w1', { op: 'fdb', act: 'add' }],
    ['without', 'fdb 02:00:00:00:00:09 dev eth0 @w1', { op: 'fdb', act: 'remove' }],
    [
      'with',
      'socket tcp *:8080',
      { op: 'socket', act: 'add', place: SERVER_PLACE, line: 'tcp LISTEN 0 4096 *:8080 *:*' },
    ],
    ['with', 'socket udp [::1]:53 @w1', { line: 'udp UNCONN 0 4096 [::1]:53 [::]:*' }],
    [
      'without',
      'socket tcp 9000 @w1',
      { op: 'socket', act: 'remove', line: expect.stringContaining('127.0.0.1:9000') },
    ],
    ['without', 'socket tcp 8080', { act: 'remove', place: SERVER_PLACE }],
  ] as const)('%s %s', (sign, text, expected) => expect(change(sign, text)).toMatchObject(expected));

  test.each([
    ['with', 'address 10.9.0.1 @w1', /is no address/],
    ['with', 'address 10.9.0.1/24 dev eth7 @w1', /there is no device eth7/],
    ['with', 'neigh 10.78.0.12 lladdr 02:00:00:00:00:07 @w1', /is no neighbour/],
    ['without', 'neigh 10.78.0.99 dev eth0', /there is no 'neigh 10.78.0.99 dev eth0'/],
    ['with', 'fdb eth0 @w1', /is no forwarding entry/],
    ['without', 'socket tcp 9999', /nothing listens on tcp \*:9999/],
    ['without', 'socket tcp 10.0.0.1:80', /nothing listens on tcp 10.0.0.1:80/],
    ['with', 'socket 8080', /is not understood/],
  ] as const)('refused: %s %s', (sign, text, why) => expect(problem(sign, text).problem).toMatch(why));
});

test('what was not read cannot be changed', () => {
  expect(problem('with', 'route add 10.0.0.0/8 dev eth0 @pod/demo/client').problem).toMatch(/there is no device eth0/);
  expect(problem('with', 'link eth0 down @pod/demo/client').problem).toMatch(/there is no device eth0/);
});
