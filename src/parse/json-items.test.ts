import { describe, expect, test } from 'vitest';
import { flagOf, numberOf, parseJsonItems } from './json-items.ts';
import { expectEveryTruncationParses, expectFuzzParses } from './testing/parser-properties.ts';

describe('parseJsonItems', () => {
  test('one array, several, objects, lines of JSON', () => {
    expect(parseJsonItems('[{"a":1},{"b":[2]}]').value).toEqual([{ a: 1 }, { b: [2] }]);
    expect(parseJsonItems('[{"a":1}]\n[]\n[ {"b":2} ]').value).toEqual([{ a: 1 }, { b: 2 }]);
    expect(parseJsonItems('{"a":1}\n{"b":2}\n').value).toEqual([{ a: 1 }, { b: 2 }]);
    expect(parseJsonItems('[{"a":1}][{"b":"]}"}]').unparsed).toEqual([]);
  });

  test('empty objects are none, empty text is nothing', () => {
    expect(parseJsonItems('[{},{"a":1},{}]')).toEqual({ value: [{ a: 1 }], unparsed: [] });
    expect(parseJsonItems('')).toEqual({ value: [], unparsed: [] });
    expect(parseJsonItems(' \n')).toEqual({ value: [], unparsed: [] });
  });

  test('a cut array keeps its whole items', () => {
    const parsed = parseJsonItems('[{"a":1},{"b":"x},{"c":3}');
    expect(parsed.value).toEqual([{ a: 1 }]);
    expect(parsed.unparsed.length).toBeGreaterThan(0);
    expect(parseJsonItems('[{"a":1},').unparsed).toHaveLength(1);
    expect(parseJsonItems('[').unparsed).toHaveLength(1);
  });

  test('an error text before or behind is told', () => {
    const parsed = parseJsonItems('Cannot open netlink socket\n[{"a":1}]\ntrailer');
    expect(parsed.value).toEqual([{ a: 1 }]);
    expect(parsed.unparsed.map((line) => line.text)).toEqual(['Cannot open netlink socket', 'trailer']);
    expect(parseJsonItems('[1,{"a":1}]')).toMatchObject({ value: [{ a: 1 }], unparsed: [{ text: '1' }] });
    expect(parseJsonItems('null').unparsed).toHaveLength(1);
  });

  test('never throws', () => {
    const text = '[{"a":"\\"}{","b":[{"c":null}]},{"d":1}]\n[{"e":2}]';
    expectEveryTruncationParses(text, parseJsonItems);
    expectFuzzParses([text], parseJsonItems);
  });
});

describe('fields', () => {
  test('numbers, also written as text', () => {
    expect([7, '7', '0x10', '-3', '1.5'].map(numberOf)).toEqual([7, 7, 16, -3, 1.5]);
    expect(['x', '', '7x', null, true, Number.NaN, {}].map(numberOf)).toEqual(Array(7).fill(undefined));
  });

  test('flags, in every way that iproute2 has written them', () => {
    const item = { a: true, b: 1, c: null, d: 'on', e: false, f: 0, g: 'off', h: 'maybe' };
    expect(Object.keys(item).map((key) => flagOf(item, key))).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      undefined,
    ]);
    expect(flagOf(item, 'absent')).toBeUndefined();
  });
});
