import { describe, expect, test } from 'vitest';
import { parseCounters } from './counters.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const REPLY = fixture('counters-6.18.json');
const reply = (path: string, text: string) => JSON.stringify({ files: [{ path, text }] });

describe('parseCounters', () => {
  test('names as nstat prints them', () => {
    const { value, unparsed } = parseCounters(REPLY);
    expect(unparsed).toEqual([]);
    expect(value.IpForwarding).toBe(1);
    expect(value.TcpMaxConn).toBe(-1);
    for (const name of ['IpInAddrErrors', 'TcpExtListenDrops', 'UdpInCsumErrors', 'IpExtInOctets', 'Ip6InReceives']) {
      expect(value[name]).toBeGreaterThanOrEqual(0);
    }
  });

  test('Linux 4.9: fewer fields, the same form', () => {
    const text = 'Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 17\nUdp: InDatagrams NoPorts\nUdp: 5 2\n';
    expect(parseCounters(reply('/proc/net/snmp', text)).value).toEqual({
      IpForwarding: 1,
      IpDefaultTTL: 64,
      IpInReceives: 17,
      UdpInDatagrams: 5,
      UdpNoPorts: 2,
    });
  });

  test('a line without its pair, or with other words, is unparsed', () => {
    const pairs = (text: string) => parseCounters(reply('/proc/net/netstat', text)).unparsed.length;
    expect(pairs('TcpExt: A B\nTcpExt: 1\n')).toBe(1);
    expect(pairs('TcpExt: A\nIpExt: 1\n')).toBe(1);
    expect(pairs('TcpExt: A\n')).toBe(1);
    expect(pairs('TcpExt: A\nTcpExt: one\n')).toBe(1);
    expect(parseCounters(reply('/proc/net/snmp6', 'Ip6InReceives x\n')).unparsed).toHaveLength(1);
  });

  test('a file that is not there (no IPv6) is no gap', () => {
    const text = JSON.stringify({ files: [{ path: '/proc/net/snmp6', error: 'ENOENT' }] });
    expect(parseCounters(text)).toEqual({ value: {}, unparsed: [] });
  });

  test('never throws', () => {
    expectEveryTruncationParses(REPLY, parseCounters);
    expectFuzzParses([REPLY], parseCounters);
    expectWrongTypesParse(REPLY, parseCounters);
  });
});
