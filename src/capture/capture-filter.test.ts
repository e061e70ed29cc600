import { describe, expect, test } from 'vitest';
import { captureFilter, snapBytes } from './capture-filter.ts';
import { reversedTuple, type Tuple } from './visit.ts';

const SYN: Tuple = { protocol: 'tcp', source: '10.244.0.4', destination: '10.96.7.242', destinationPort: 80 };
const OUTER = { tunnel: 'vxlan', source: '10.80.0.11', destination: '10.80.0.12', port: 8472 } as const;

describe('the filter of a point', () => {
  test('both directions, later fragments, and ICMP errors to either end', () => {
    expect(captureFilter([SYN, reversedTuple(SYN)])).toBe(
      '(host 10.244.0.4 and host 10.96.7.242 and (tcp port 80 or (ip[6:2] & 0x1fff != 0)))' +
        ' or (dst host 10.244.0.4 and icmp and icmp[0] != 0 and icmp[0] != 8)' +
        ' or (dst host 10.96.7.242 and icmp and icmp[0] != 0 and icmp[0] != 8)',
    );
  });

  test('inside a VXLAN the inner addresses count: 42 and 46 bytes behind the outer UDP header', () => {
    const filter = captureFilter([{ ...SYN, destination: '10.244.1.4', destinationPort: 8080, outer: OUTER }]);
    expect(filter).toBe(
      '(host 10.80.0.11 and host 10.80.0.12 and (udp port 8472 and (' +
        '(udp[42:4] = 0xaf40004 and udp[46:4] = 0xaf40104) or (udp[42:4] = 0xaf40104 and udp[46:4] = 0xaf40004)' +
        ' or (udp[39] = 1 and udp[46:4] = 0xaf40004) or (udp[39] = 1 and udp[46:4] = 0xaf40104))' +
        ' or (ip proto 17 and ip[6:2] & 0x1fff != 0)))',
    );
  });

  test('IPv6 inside an IPv4 VXLAN is matched by four words each', () => {
    const inner: Tuple = { protocol: 'tcp', source: 'fd00:1::4', destination: 'fd00:2::5', destinationPort: 80 };
    const filter = captureFilter([{ ...inner, outer: OUTER }]);
    expect(filter).toContain('udp[38:4] = 0xfd000001 and udp[42:4] = 0x0 and udp[46:4] = 0x0 and udp[50:4] = 0x4');
    expect(filter).toContain('udp[36] = 58');
  });

  test('what is encrypted is taken whole', () => {
    const outer = { ...OUTER, tunnel: 'wireguard', port: 51820 } as const;
    expect(captureFilter([{ ...SYN, outer }])).toBe(
      '(host 10.80.0.11 and host 10.80.0.12 and (udp port 51820 or (ip proto 17 and ip[6:2] & 0x1fff != 0)))',
    );
  });

  test('a tunnel of its own protocol', () => {
    const outer = { tunnel: 'ipip', source: '10.80.0.11', destination: '10.80.0.12' } as const;
    expect(captureFilter([{ ...SYN, outer }])).toMatch(
      /ip proto 4 and \(\(ip\[32:4\] = 0xa[0-9a-f]+ and ip\[36:4\] = 0xa[0-9a-f]+\)/,
    );
  });

  test('more is kept of what travels in a tunnel or has IPv6 headers', () => {
    expect(snapBytes([SYN])).toBe(160);
    expect(snapBytes([{ ...SYN, outer: OUTER }])).toBe(256);
  });
});
