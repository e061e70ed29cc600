import { describe, expect, test } from 'vitest';
import { parseIpNeigh, parseIpNeighLine } from './ip-neigh.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const MIXED = fixture('ip-neigh-6.1-mixed.json');
const TEXT = fixture('ip-neigh-6.1-mixed.txt');

describe('parseIpNeigh', () => {
  test('a flannel node: the permanent entry of the peer', () => {
    const parsed = parseIpNeigh(fixture('ip-neigh-6.1-node.json'));
    expect(parsed.unparsed).toEqual([]);
    expect(parsed.value[0]).toEqual({
      address: '10.244.1.0',
      device: 'flannel.1',
      mac: 'd6:4f:62:3a:1e:09',
      states: ['PERMANENT'],
      proxy: false,
      text: '10.244.1.0 dev flannel.1 lladdr d6:4f:62:3a:1e:09 PERMANENT',
    });
  });

  test('two documents in one answer: entries, then proxies', () => {
    const parsed = parseIpNeigh(MIXED);
    expect(parsed.unparsed).toEqual([]);
    expect(parsed.value.filter((entry) => entry.proxy).map((entry) => entry.address)).toEqual(['10.9.1.77', 'fd00::7']);
    expect(parsed.value.find((entry) => entry.address === '10.9.1.9')).toMatchObject({ states: ['FAILED'] });
    expect(parsed.value.find((entry) => entry.address === '10.9.1.9')?.mac).toBeUndefined();
  });

  test('text and JSON give the same entries', () => {
    const entries = parseIpNeigh(MIXED).value.filter((entry) => !entry.proxy);
    expect(parseIpNeigh(TEXT)).toEqual({ value: entries, unparsed: [] });
  });

  test('no entries is a complete answer', () => {
    expect(parseIpNeigh('[]\n[]\n')).toEqual({ value: [], unparsed: [] });
    expect(parseIpNeigh('[ ]')).toEqual({ value: [], unparsed: [] });
    expect(parseIpNeigh('')).toEqual({ value: [], unparsed: [] });
  });

  test('a line as ip neigh add has it; a line that is none', () => {
    expect(parseIpNeighLine('10.0.0.1 lladdr 02:AA:00:00:00:01 dev eth0 nud permanent')).toMatchObject({
      mac: '02:aa:00:00:00:01',
      states: ['PERMANENT'],
    });
    expect(parseIpNeighLine('10.0.0.1 dev')).toBeUndefined();
    expect(parseIpNeighLine('10.0.0.1 dev eth0 frob')).toBeUndefined();
    expect(parseIpNeighLine('eth0 dev 10.0.0.1')).toBeUndefined();
  });

  test('never throws', () => {
    expectEveryTruncationParses(MIXED, parseIpNeigh);
    expectEveryTruncationParses(TEXT, parseIpNeigh);
    expectFuzzParses([MIXED, TEXT], parseIpNeigh);
    expectWrongTypesParse(fixture('ip-neigh-6.1-node.json').split('\n')[0]!, parseIpNeigh);
  });
});
