import { describe, expect, test } from 'vitest';
import { parseSysctls } from './sysctls.ts';
import { expectEveryTruncationParses, expectFuzzParses, expectWrongTypesParse } from './testing/parser-properties.ts';

const REPLY = JSON.stringify({
  files: [
    { path: '/proc/sys/net/ipv4/ip_forward', text: '1\n' },
    { path: '/proc/sys/net/ipv4/conf/all/rp_filter', text: '0\n' },
    { path: '/proc/sys/net/ipv4/conf/eth0.100/rp_filter', text: '2\n' },
    { path: '/proc/sys/net/ipv4/ip_local_port_range', text: '32768\t60999\n' },
    { path: '/proc/sys/net/bridge/bridge-nf-call-iptables', error: 'ENOENT' },
  ],
});

describe('parseSysctls', () => {
  test('keys as sysctl(8) writes them; what does not exist has no key and is no gap', () => {
    expect(parseSysctls(REPLY)).toEqual({
      value: {
        'net.ipv4.ip_forward': '1',
        'net.ipv4.conf.all.rp_filter': '0',
        'net.ipv4.conf.eth0/100.rp_filter': '2',
        'net.ipv4.ip_local_port_range': '32768\t60999',
      },
      unparsed: [],
    });
  });

  test('a file that could not be read is a gap', () => {
    const text = JSON.stringify({
      files: [
        { path: '/proc/sys/net/ipv4/ip_forward', error: 'EACCES' },
        { path: '/proc/sys/net/ipv4/ping_group_range', text: '1', truncated: true },
        { path: '/etc/passwd', text: '' },
      ],
    });
    expect(parseSysctls(text).value).toEqual({});
    expect(parseSysctls(text).unparsed.map((line) => line.text)).toEqual([
      '/proc/sys/net/ipv4/ip_forward: EACCES',
      '/proc/sys/net/ipv4/ping_group_range: only a part was read',
      '/etc/passwd',
    ]);
  });

  test('an empty reply is not an empty set of sysctls', () => {
    expect(parseSysctls('').unparsed).toHaveLength(1);
  });

  test('never throws', () => {
    expectEveryTruncationParses(REPLY, parseSysctls);
    expectFuzzParses([REPLY], parseSysctls);
    expectWrongTypesParse(REPLY, parseSysctls);
  });
});
