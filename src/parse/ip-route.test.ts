import { describe, expect, test } from 'vitest';
import { parseIpRoute } from './ip-route.ts';
import { parseIpRouteLine } from './ip-route-line.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const NODE = fixture('ip-route4-6.1-node.json');
const MIXED = fixture('ip-route4-6.1-mixed.json');
const MIXED6 = fixture('ip-route6-6.1-mixed.json');
const TEXT = fixture('ip-route4-6.1-mixed.txt');

function routeTo(text: string, destination: string, family: 4 | 6 = 4) {
  const parsed = parseIpRoute(text, family);
  expect(parsed.unparsed).toEqual([]);
  return parsed.value.find(({ destination: { address, length } }) => `${address}/${length}` === destination);
}

describe('parseIpRoute', () => {
  test('a flannel node: the peer route through the tunnel, with its flags', () => {
    expect(routeTo(NODE, '10.244.1.0/24')).toEqual({
      table: 254,
      type: 'unicast',
      destination: { address: '10.244.1.0', length: 24 },
      nextHops: [{ via: '10.244.1.0', device: 'flannel.1', weight: 1, flags: ['onlink'] }],
      metric: 0,
      scope: 'global',
      protocol: 'boot',
      flags: ['onlink'],
      text: '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink',
    });
  });

  test('default becomes the prefix of length 0 in its family', () => {
    const route = routeTo(MIXED, '0.0.0.0/0');
    expect(route?.table).toBe(100);
    const main = parseIpRoute(MIXED, 4).value.find((one) => one.destination.length === 0 && one.table === 254);
    expect(main).toMatchObject({ metric: 100, mtu: 1400, preferredSource: '10.9.1.1', protocol: 'static' });
    expect(main?.text).toBe('default via 10.9.1.2 dev v1 proto static src 10.9.1.1 metric 100 mtu 1400');
    const six = parseIpRoute('[{"dst":"default","dev":"wg0","flags":[]}]', 6);
    expect(six.value[0]?.destination).toEqual({ address: '::', length: 0 });
  });

  test('blackhole, unreachable, prohibit and throw keep their type and have no next hop', () => {
    expect(routeTo(MIXED, '10.66.0.0/16')).toMatchObject({ type: 'blackhole', nextHops: [] });
    expect(routeTo(MIXED, '10.67.0.0/16')).toMatchObject({ type: 'unreachable', metric: 5 });
    expect(routeTo(MIXED, '10.68.0.0/16')).toMatchObject({ type: 'prohibit' });
    expect(routeTo(MIXED, '10.69.0.0/16')).toMatchObject({ type: 'throw', table: 100 });
    expect(routeTo(MIXED6, 'fd00:78::/64', 6)).toMatchObject({ type: 'blackhole' });
  });

  test('multipath: each next hop with its weight, also through nexthop objects', () => {
    expect(routeTo(MIXED, '10.70.0.0/16')?.nextHops).toEqual([
      { via: '10.9.1.2', device: 'v1', weight: 3, flags: [] },
      { via: '10.1.0.7', device: 'br0', weight: 1, flags: [] },
    ]);
    expect(routeTo(MIXED, '10.72.0.0/16')?.nextHops.map((hop) => hop.weight)).toEqual([1, 2]);
    expect(routeTo(MIXED, '10.73.0.0/16')?.nextHops).toEqual([{ via: '10.9.1.2', device: 'v1', weight: 1, flags: [] }]);
    expect(routeTo(MIXED6, 'fd00:79::/64', 6)?.nextHops).toHaveLength(2);
  });

  test('an IPv6 next hop for IPv4, and a route for one TOS', () => {
    expect(routeTo(MIXED, '10.71.0.0/16')?.nextHops[0]?.via).toBe('fe80::1');
    expect(routeTo(MIXED, '10.71.0.0/16')?.text).toBe('10.71.0.0/16 via inet6 fe80::1 dev v1');
    expect(routeTo(MIXED, '10.74.0.0/16')).toMatchObject({ tos: 16, protocol: 'bird', scope: 'link' });
  });

  test('the same table with names, with numbers and as text is the same value', () => {
    const numbers = parseIpRoute(MIXED, 4);
    expect(parseIpRoute(fixture('ip-route4-6.1-mixed-names.json'), 4)).toEqual(numbers);
    const text = parseIpRoute(TEXT, 4);
    expect(text.unparsed).toEqual([]);
    expect(text.value.map(withoutFlags)).toEqual(numbers.value.map(withoutFlags));
  });

  test('iproute2 4.18 without -d: no type, table or scope where they are the usual ones', () => {
    const old =
      '[{"dst":"default","gateway":"172.18.0.1","dev":"eth0","flags":[]},{},' +
      '{"dst":"10.244.2.0/24","gateway":"172.18.0.3","dev":"eth0","flags":["linkdown"]}]';
    const parsed = parseIpRoute(old, 4);
    expect(parsed.unparsed).toEqual([]);
    expect(parsed.value.map((route) => [route.table, route.type, route.metric])).toEqual([
      [254, 'unicast', 0],
      [254, 'unicast', 0],
    ]);
    expect(parsed.value[1]?.nextHops[0]?.flags).toEqual(['linkdown']);
  });

  test('a table with a name of the machine, or a gateway that is none, is unparsed and loses no other route', () => {
    const parsed = parseIpRoute(
      '[{"dst":"10.0.0.0/8","dev":"a","table":"vpn"},{"dst":"10.1.0.0/16","dev":"b"},{"dst":"10.2.0.0/16","gateway":"x","dev":"b"}]',
      4,
    );
    expect(parsed.value.map((route) => route.text)).toEqual(['10.1.0.0/16 dev b']);
    expect(parsed.unparsed).toHaveLength(2);
  });

  test('an encapsulation is named', () => {
    const text = '[{"dst":"10.3.0.0/16","encap":"mpls","gateway":"10.0.0.1","dev":"eth0","flags":[]}]';
    expect(parseIpRoute(text, 4).value[0]?.nextHops[0]?.encap).toBe('mpls');
  });

  test('a cut list keeps the whole routes before the cut', () => {
    const parsed = parseIpRoute(MIXED.slice(0, 400), 4);
    expect(parsed.value).toHaveLength(3);
    expect(parsed.unparsed.length).toBeGreaterThan(0);
  });

  test('every route that it renders is read back as the same route', () => {
    for (const route of [...parseIpRoute(MIXED, 4).value, ...parseIpRoute(NODE, 4).value]) {
      expect(parseIpRouteLine(route.text, 4)).toMatchObject({
        destination: route.destination,
        table: route.table,
        type: route.type,
        metric: route.metric,
        text: route.text,
      });
    }
  });

  test('never throws', () => {
    for (const text of [NODE, MIXED, TEXT]) expectEveryTruncationParses(text, (one) => parseIpRoute(one, 4));
    expectFuzzParses([NODE, MIXED, TEXT, MIXED6], (one) => parseIpRoute(one, 6));
    expectWrongTypesParse(NODE, (one) => parseIpRoute(one, 4));
  });
});

/** Text has no empty flags per next hop of nexthop groups; what is compared is the rest. */
function withoutFlags<T extends { nextHops: readonly { via?: string }[] }>(route: T) {
  return { ...route, nextHops: route.nextHops.map(({ via }) => via) };
}

describe('parseIpRouteLine', () => {
  test('a line as a person writes it', () => {
    expect(parseIpRouteLine('10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', 4)).toMatchObject({
      destination: { address: '10.244.2.0', length: 24 },
      nextHops: [{ via: '10.244.2.0', device: 'flannel.1', flags: ['onlink'] }],
      flags: ['onlink'],
    });
    expect(parseIpRouteLine('default dev eth0 table local', 4)).toMatchObject({ table: 255 });
    expect(
      parseIpRouteLine('default nexthop via 10.0.0.1 dev a weight 2 nexthop via 10.0.0.2 dev b', 4)?.nextHops,
    ).toHaveLength(2);
  });

  test.each([
    '',
    'nonsense',
    '10.0.0.0/8 via',
    '10.0.0.0/8 via x dev eth0',
    '10.0.0.0/8 dev eth0 frob 7',
    '10.0.0.0/8 dev eth0 table vpn',
    'fd00::/8 dev eth0',
  ])('is not taken: %j', (line) => {
    expect(parseIpRouteLine(line, 4)).toBeUndefined();
  });
});
