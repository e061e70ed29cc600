import { describe, expect, test } from 'vitest';
import { parseIpset } from './ipset.ts';
import { expectEveryTruncationParses, expectFuzzParses, fixture } from './testing/parser-properties.ts';

const SAVE = fixture('ipset-7.17.txt');
const set = (name: string) => parseIpset(SAVE).value.find((one) => one.name === name);

describe('parseIpset', () => {
  test('every set of a save, whatever its type', () => {
    const { value, unparsed } = parseIpset(SAVE);
    expect(unparsed).toEqual([]);
    expect(value.map((one) => `${one.name} ${one.type}`)).toEqual([
      's1 hash:ip',
      's2 hash:net,port',
      's3 hash:net',
      's5 bitmap:port',
      's6 hash:ip,port,net',
      's9 hash:net,iface',
      'cali40all-ipam-pools hash:net',
      's4 list:set',
    ]);
  });

  test('family, fields, nomatch and timeout', () => {
    expect(set('s2')).toMatchObject({ family: 6, entries: [{ fields: ['fd00::1', 'udp:53'], timeout: 19 }] });
    expect(set('s3')?.entries).toEqual([
      { text: '10.0.0.0/8', fields: ['10.0.0.0/8'], nomatch: false },
      { text: '10.1.0.0/16', fields: ['10.1.0.0/16'], nomatch: true },
    ]);
    expect(set('s6')?.entries[0]?.fields).toEqual(['10.0.0.1', 'tcp:80', '10.2.0.0/16']);
    expect(set('s4')?.entries[0]?.text).toBe('s1');
    expect(set('s5')?.options).toEqual(['range', '0-1000']);
    expect(set('cali40all-ipam-pools')).toMatchObject({ family: 4, entries: [] });
  });

  test('ipset 6.38 as kube-router writes it, with a quoted comment', () => {
    const old =
      'create kube-router-pod-subnets hash:net family inet hashsize 1024 maxelem 65536 timeout 0\n' +
      'add kube-router-pod-subnets 10.244.0.0/24 timeout 0 comment "nomatch here, timeout 9"\n';
    expect(parseIpset(old)).toMatchObject({
      value: [{ name: 'kube-router-pod-subnets', entries: [{ nomatch: false, timeout: 0 }] }],
      unparsed: [],
    });
  });

  test('nothing is a whole answer; an entry without its set, a cut line and another command are not', () => {
    expect(parseIpset('')).toEqual({ value: [], unparsed: [] });
    const broken = 'add nobody 10.0.0.1\ncreate s hash:ip family inet\nadd s 10.0.0.1 comment "cut\nflush s\ncreate x';
    expect(parseIpset(broken).unparsed.map((line) => line.line)).toEqual([1, 3, 4, 5]);
  });

  test('never throws', () => {
    expectEveryTruncationParses(SAVE, parseIpset);
    expectFuzzParses([SAVE], parseIpset);
  });
});
