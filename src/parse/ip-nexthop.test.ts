import { describe, expect, test } from 'vitest';
import { parseIpNexthop } from './ip-nexthop.ts';
import { expectEveryTruncationParses, expectFuzzParses, expectWrongTypesParse } from './testing/parser-properties.ts';

/** iproute2 6.1 on Linux 6.18: `ip -d -N -j nexthop show`. */
const SHOWN = JSON.stringify([
  { id: 1, gateway: '10.0.0.2', dev: 'va', scope: '253', protocol: '0', flags: [] },
  { id: 2, group: [{ id: 1 }, { id: 3, weight: 2 }], scope: '0', protocol: '0', flags: [] },
  { id: 5, gateway: 'fd00::2', dev: 'va', scope: '253', protocol: '0', flags: ['onlink'] },
  { id: 7, scope: '0', blackhole: null, protocol: '0', flags: [] },
  {
    id: 9,
    group: [
      { id: 1, weight: 2 },
      { id: 3, weight: 4 },
    ],
    type: 'resilient',
    resilient_args: { buckets: 8, idle_timer: 5, unbalanced_timer: 0, unbalanced_time: 0 },
    scope: '0',
    protocol: '0',
    flags: [],
  },
  { id: 20, gateway: '10.0.0.9', scope: '253', protocol: '0', flags: [], fdb: null },
]);

function nexthop(id: number) {
  return parseIpNexthop(SHOWN).value.find((one) => one.id === id);
}

describe('parseIpNexthop', () => {
  test('gateways of both families, with their flags', () => {
    expect(nexthop(1)).toEqual({ id: 1, via: '10.0.0.2', device: 'va', blackhole: false, fdb: false, flags: [] });
    expect(nexthop(5)).toMatchObject({ via: 'fd00::2', flags: ['onlink'] });
  });

  test('a group with its weights, and a resilient one', () => {
    expect(nexthop(2)).toMatchObject({
      group: [
        { id: 1, weight: 1 },
        { id: 3, weight: 2 },
      ],
      groupType: 'mpath',
    });
    expect(nexthop(9)?.groupType).toBe('resilient');
  });

  test('black holes and those of a forwarding table', () => {
    expect(nexthop(7)).toMatchObject({ blackhole: true, fdb: false });
    expect(nexthop(20)).toMatchObject({ blackhole: false, fdb: true });
    expect(parseIpNexthop(SHOWN).unparsed).toEqual([]);
  });

  test('a member without an id leaves the whole object unparsed', () => {
    const parsed = parseIpNexthop('[{"id":2,"group":[{"weight":2}],"flags":[]}]');
    expect(parsed.value).toEqual([]);
    expect(parsed.unparsed).toHaveLength(1);
  });

  test('never throws', () => {
    expectEveryTruncationParses(SHOWN, parseIpNexthop);
    expectFuzzParses([SHOWN], parseIpNexthop);
    expectWrongTypesParse(SHOWN, parseIpNexthop);
  });
});
