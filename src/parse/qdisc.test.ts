import { describe, expect, test } from 'vitest';
import { parseQdisc } from './qdisc.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const MIXED = fixture('qdisc-6.1-mixed.json');

describe('parseQdisc', () => {
  test('a shaping root, a clsact hook and the default', () => {
    const { value, unparsed } = parseQdisc(MIXED);
    expect(unparsed).toEqual([]);
    expect(value.find((one) => one.device === 'v1' && one.root)).toEqual({
      device: 'v1',
      kind: 'tbf',
      handle: '8001:',
      root: true,
      bytes: 454,
      packets: 9,
      drops: 0,
      overlimits: 0,
      backlog: 0,
      rateBytes: 125_000,
      burstBytes: 10_240,
    });
    expect(value.find((one) => one.kind === 'clsact')).toMatchObject({ root: false, parent: 'ffff:fff1' });
    expect(value.find((one) => one.device === 'br0')?.kind).toBe('noqueue');
  });

  test('iproute2 5.x: a discipline of a class, with counts', () => {
    const text =
      '[{"kind":"netem","handle":"10:","dev":"eth0","parent":"1:3","options":{"limit":1000},"bytes":7,"packets":1,"drops":5,"overlimits":2,"backlog":99,"qlen":1}]';
    expect(parseQdisc(text).value).toMatchObject([
      { kind: 'netem', parent: '1:3', root: false, drops: 5, backlog: 99 },
    ]);
  });

  test('an item without device or kind is unparsed', () => {
    expect(parseQdisc('[{"kind":"tbf"},{"dev":"a"}]').unparsed).toHaveLength(2);
  });

  test('never throws', () => {
    expectEveryTruncationParses(MIXED, parseQdisc);
    expectFuzzParses([MIXED], parseQdisc);
    expectWrongTypesParse(MIXED, parseQdisc);
  });
});
