import { describe, expect, test } from 'vitest';
import { parseKernel, parseKernelLog } from './kernel.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const REPLY = fixture('kernel-6.18.json');
const LOG = fixture('kernel-log-6.18.txt');
const reply = (...files: readonly object[]) => JSON.stringify({ files });

describe('parseKernel', () => {
  test('a node', () => {
    expect(parseKernel(REPLY)).toMatchObject({
      value: { release: '6.18.44', osRelease: 'Debian GNU/Linux 12 (bookworm)' },
      unparsed: [],
    });
    expect(parseKernel(REPLY).value.bootTimeS).toBeGreaterThan(1_600_000_000);
  });

  test('from /proc/version and /usr/lib/os-release', () => {
    const text = reply(
      { path: '/proc/version', text: 'Linux version 4.19.0-27-amd64 (debian-kernel@lists.debian.org) (gcc 8.3.0)\n' },
      { path: '/etc/os-release', error: 'ENOENT' },
      { path: '/usr/lib/os-release', text: "NAME=Alpine\nPRETTY_NAME='Alpine Linux v3.20'\n" },
    );
    expect(parseKernel(text).value).toEqual({ release: '4.19.0-27-amd64', osRelease: 'Alpine Linux v3.20' });
  });

  test('no release is told', () => {
    expect(parseKernel(reply({ path: '/proc/sys/kernel/osrelease', error: 'EACCES' })).unparsed).toHaveLength(2);
  });

  test('never throws', () => {
    expectEveryTruncationParses(REPLY, parseKernel);
    expectFuzzParses([REPLY], parseKernel);
    expectWrongTypesParse(REPLY, parseKernel);
  });
});

describe('parseKernelLog', () => {
  test('dmesg', () => {
    const { value, unparsed } = parseKernelLog(LOG);
    expect(unparsed).toEqual([]);
    expect(value[0]).toEqual({ text: 'cni0: port 3(veth94ce18aa) entered blocking state', atS: 3093.79915 });
    expect(value).toHaveLength(6);
  });

  test('raw with levels, /dev/kmsg, wall-clock times', () => {
    const lines = parseKernelLog(
      '<4>[   12.500000] nf_conntrack: table full, dropping packet\n6,123,4500000,-;eth0: link down\n SUBSYSTEM=net\n' +
        '[Tue Nov 24 20:15:00 2026] IPv4: martian source\n',
    ).value;
    expect(lines).toEqual([
      { text: 'nf_conntrack: table full, dropping packet', atS: 12.5 },
      { text: 'eth0: link down', atS: 4.5 },
      { text: ' SUBSYSTEM=net' },
      { text: '[Tue Nov 24 20:15:00 2026] IPv4: martian source' },
    ]);
  });

  test('as a file', () => {
    expect(parseKernelLog(reply({ path: '/var/log/dmesg', text: LOG })).value).toHaveLength(6);
    expect(parseKernelLog(reply({ path: '/var/log/dmesg', error: 'EACCES' })).unparsed).toHaveLength(1);
  });

  test('never throws', () => {
    expectEveryTruncationParses(LOG, parseKernelLog);
    expectFuzzParses([LOG, reply({ path: '/var/log/dmesg', text: LOG })], parseKernelLog);
  });
});
