import { describe, expect, test } from 'vitest';
import { parseSs, parseSsLine } from './ss.ts';
import { expectEveryTruncationParses, expectFuzzParses, fixture } from './testing/parser-properties.ts';

const NODE = fixture('ss-6.1-node.txt');
const MIXED = fixture('ss-6.1-mixed.txt');

const onPort = (port: number) => parseSs(MIXED).value.find((socket) => socket.port === port);

describe('parseSs', () => {
  test("a node: kubelet's ports, each with its process; the VXLAN port of the kernel with none", () => {
    const { value, unparsed } = parseSs(NODE);
    expect(unparsed).toEqual([]);
    expect(value.find((socket) => socket.port === 10250)).toMatchObject({
      protocol: 'tcp',
      state: 'LISTEN',
      v6only: false,
      receiveQueue: 0,
      sendQueue: 4096,
      processes: [{ name: 'kubelet' }],
    });
    expect(value.find((socket) => socket.port === 10250)).not.toHaveProperty('address');
    expect(value.find((socket) => socket.port === 8472)).toMatchObject({
      protocol: 'udp',
      state: 'UNCONN',
      address: '0.0.0.0',
      processes: [],
    });
    expect(value.find((socket) => socket.port === 10248)?.address).toBe('127.0.0.1');
  });

  test('where a socket listens: one address, any IPv4, any IPv6, both, one device', () => {
    expect(parseSs(MIXED).unparsed).toEqual([]);
    expect(onPort(81)).toMatchObject({ address: '127.0.0.1', processes: [{ name: 'python3' }] });
    expect(onPort(82)).toMatchObject({ address: '0.0.0.0' });
    expect(onPort(83)).toMatchObject({ v6only: false });
    expect(onPort(83)).not.toHaveProperty('address');
    expect(onPort(84)).toMatchObject({ address: '::', v6only: true });
    expect(onPort(85)).toMatchObject({ address: '10.1.0.1', device: 'br0' });
    expect(onPort(86)).toMatchObject({ address: '::1' });
    expect(onPort(87)).toMatchObject({ address: '0.0.0.0', device: 'br0' });
    expect(onPort(88)).toMatchObject({ address: 'fd00:9::1' });
    expect(onPort(54)).toMatchObject({ protocol: 'udp', v6only: false });
  });

  test('iproute2 4.15: no cgroup, link-local with its zone, several descriptors and processes', () => {
    const old =
      'tcp    LISTEN     0      128    :::22                   :::*                   users:(("sshd",pid=7,fd=4)) ino:3 sk:1 <->\n' +
      'tcp    LISTEN     0      128    [fe80::1]%eth0:80       [::]:*                 users:(("ng\\"inx",pid=8,fd=4),("ng\\"inx",pid=8,fd=5),("b",pid=9,fd=1))\n' +
      'udp    UNCONN     0      0      [fe80::2%eth1]:546      [::]:*\n';
    const { value, unparsed } = parseSs(old);
    expect(unparsed).toEqual([]);
    expect(value[0]).toMatchObject({ address: '::', port: 22 });
    expect(value[1]).toMatchObject({ address: 'fe80::1', device: 'eth0' });
    expect(value[1]?.processes.map((process) => process.pid)).toEqual([8, 9]);
    expect(value[2]).toMatchObject({ address: 'fe80::2', device: 'eth1', port: 546 });
  });

  test.each([
    ['u_str LISTEN 0 4096 /run/x.sock 1 * 0'],
    ['tcp LISTEN 0 128 0.0.0.0:http 0.0.0.0:*'],
    ['tcp LISTEN 0 128 nowhere:80 0.0.0.0:*'],
    ['tcp LISTEN 0 128 0.0.0.0:99999 0.0.0.0:*'],
    ['tcp LISTEN 0 128 0.0.0.0:80'],
  ])('is unparsed: %s', (line) => {
    expect(parseSs(line)).toEqual({ value: [], unparsed: [{ line: 1, text: line }] });
  });

  test('a line with the columns that matter is enough', () => {
    expect(parseSsLine('tcp LISTEN 0 128 10.0.0.1:80 0.0.0.0:*')).toMatchObject({ address: '10.0.0.1', port: 80 });
  });

  test('never throws', () => {
    for (const text of [NODE, MIXED]) expectEveryTruncationParses(text, parseSs);
    expectFuzzParses([NODE, MIXED], parseSs);
  });
});
