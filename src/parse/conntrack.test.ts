import { describe, expect, test } from 'vitest';
import { parseConntrackStatistics } from './conntrack.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const REPLY = fixture('conntrack-6.18.json');

describe('parseConntrackStatistics', () => {
  test('a node: its fill, and counters by the names of the heading', () => {
    const { value, unparsed } = parseConntrackStatistics(REPLY);
    expect(unparsed).toEqual([]);
    expect(value.count).toBeGreaterThan(0);
    expect(value.max).toBeGreaterThan(1000);
    expect(Object.keys(value.counters)).toEqual(
      expect.arrayContaining(['entries', 'found', 'invalid', 'insert_failed', 'drop', 'early_drop', 'clashres']),
    );
  });

  test('Linux 4.19: CPUs are added up, the number of entries is not', () => {
    const text =
      'entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop\n' +
      '00000010  00000000 00000001 00000000 00000003 00000000 00000000 00000000 00000000 00000002 0000000a 00000000\n' +
      '00000010  00000000 00000001 00000000 00000004 00000000 00000000 00000000 00000000 00000001 00000001 00000000\n';
    const reply = JSON.stringify({ files: [{ path: '/proc/net/stat/nf_conntrack', text }] });
    expect(parseConntrackStatistics(reply)).toMatchObject({
      value: { counters: { entries: 16, found: 2, invalid: 7, insert_failed: 3, drop: 11 } },
      unparsed: [],
    });
    expect(parseConntrackStatistics(reply).value).not.toHaveProperty('count');
  });

  test('a row of another length and a number that is none are unparsed', () => {
    const reply = JSON.stringify({
      files: [
        { path: '/proc/net/stat/nf_conntrack', text: 'entries found\n00000001\n' },
        { path: '/proc/sys/net/netfilter/nf_conntrack_max', text: 'many\n' },
      ],
    });
    expect(parseConntrackStatistics(reply).unparsed).toHaveLength(2);
  });

  test('a namespace without conntrack', () => {
    const reply = JSON.stringify({ files: [{ path: '/proc/net/stat/nf_conntrack', error: 'ENOENT' }] });
    expect(parseConntrackStatistics(reply)).toEqual({ value: { counters: {} }, unparsed: [] });
  });

  test('never throws', () => {
    expectEveryTruncationParses(REPLY, parseConntrackStatistics);
    expectFuzzParses([REPLY], parseConntrackStatistics);
    expectWrongTypesParse(REPLY, parseConntrackStatistics);
  });
});
