import { describe, expect, test } from 'vitest';
import { parseSoftnet } from './softnet.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const REPLY = fixture('softnet-6.18.json');
const reply = (text: string) => JSON.stringify({ files: [{ path: '/proc/net/softnet_stat', text }] });

describe('parseSoftnet', () => {
  test('a line per CPU', () => {
    const { value, unparsed } = parseSoftnet(REPLY);
    expect(unparsed).toEqual([]);
    expect(value.length).toBeGreaterThan(0);
    expect(value[0]?.processed).toBeGreaterThan(0);
  });

  test('hexadecimal; Linux 4.x has fewer columns', () => {
    expect(parseSoftnet(reply('0000001f 00000002 0000000a 00000000 00000000\n')).value).toEqual([
      { processed: 31, dropped: 2, timeSqueeze: 10 },
    ]);
  });

  test('a line that is cut or none is unparsed', () => {
    expect(parseSoftnet(reply('0000001f 00000002\nwhat is this\n')).unparsed).toHaveLength(2);
  });

  test('never throws', () => {
    expectEveryTruncationParses(REPLY, parseSoftnet);
    expectFuzzParses([REPLY], parseSoftnet);
    expectWrongTypesParse(REPLY, parseSoftnet);
  });
});
