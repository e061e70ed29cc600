import { describe, expect, it } from 'vitest';
import { gapOf, isDoubtful, wasInterrupted } from './node-side-gap.ts';
import type { Ran } from './node-side-run.ts';

function exited(code: number, stderr: string, stdout = ''): Ran {
  return { ended: 'exited', code, stdout: new TextEncoder().encode(stdout), stderr, truncated: false };
}

/* Captured: nft 1.0.6, iptables 1.8.9, ipset 7.17, util-linux 2.38.1, iproute2 6.1. */
const CASES: readonly (readonly [Ran, string])[] = [
  [exited(127, 'nsenter: failed to execute nonesuch: No such file or directory'), 'not-installed'],
  [exited(127, 'setpriv: failed to execute nonesuch: No such file or directory'), 'not-installed'],
  [
    exited(1, 'Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed'),
    'not-permitted',
  ],
  [
    exited(
      4,
      'iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)',
    ),
    'not-permitted',
  ],
  [exited(1, 'ipset v7.17: Kernel error received: Operation not permitted'), 'not-permitted'],
  [exited(1, 'dmesg: read kernel buffer failed: Operation not permitted'), 'not-permitted'],
  [exited(126, 'setpriv: failed to execute ping: Operation not permitted'), 'not-permitted'],
  [exited(1, 'nsenter: cannot open /proc/77777/ns/net: No such file or directory'), 'unreachable'],
  [exited(1, 'nsenter: cannot open /proc/1/ns/net: Permission denied'), 'not-permitted'],
  [exited(2, 'utils.c:38: Memory allocation failure'), 'too-large'],
  [exited(134, "nft: json.c:223: rule_print_json: Assertion `__out' failed."), 'too-large'],
  [exited(1, 'Error: No such file or directory\nlist table ip nat'), 'failed'],
  [{ ended: 'timed-out', stderr: '' }, 'timed-out'],
  [{ ended: 'cancelled', stderr: '' }, 'timed-out'],
  [{ ended: 'not-started', error: 'ENOENT' }, 'not-installed'],
  [{ ended: 'not-started', error: 'EAGAIN' }, 'failed'],
];

describe('gapOf', () => {
  it.each(CASES)('reads %o as %s', (ran, gap) => {
    expect(gapOf(ran, ['nft', '-j', 'list', 'tables'], 10_000)?.gap).toBe(gap);
  });

  it('says what was run and what came back', () => {
    const gap = gapOf(exited(1, '\nError: No such file or directory\n'), ['nft', 'list', 'table'], 10_000);
    expect(gap?.detail).toBe('nft list table: exit 1: Error: No such file or directory');
  });

  it('says how a tool gets more memory', () => {
    const ran = exited(1, 'iptables-save v1.8.9 (legacy): Cannot initialize: Memory allocation problem');
    const gap = gapOf(ran, ['iptables-legacy-save', '-c'], 10_000, 160 << 20);
    expect(gap).toMatchObject({ gap: 'too-large', detail: expect.stringContaining('160 MiB') });
    expect(gap?.detail).toContain('--helper-memory');
  });

  it('leaves an answer alone, also a part of one', () => {
    expect(gapOf(exited(0, 'a warning'), ['ip'], 1)).toBeUndefined();
    expect(gapOf(exited(1, 'Cannot find device', '[]'), ['ip'], 1)).toBeUndefined();
  });
});

describe('wasInterrupted', () => {
  it('knows a listing that a change disturbed', () => {
    expect(wasInterrupted(exited(0, 'Dump was interrupted and may be inconsistent.', '[]'))).toBe(true);
    expect(wasInterrupted(exited(1, 'Error: cache initialization failed: Interrupted system call'))).toBe(true);
    expect(wasInterrupted(exited(1, 'Error: No such file or directory'))).toBe(false);
  });
});

describe('isDoubtful', () => {
  it('knows that the kernel refused a part, though the tool ended well', () => {
    expect(isDoubtful(exited(0, 'RTNETLINK answers: Invalid argument', 'nl UNCONN 0 0 0:0 *'))).toBe(true);
    expect(isDoubtful(exited(0, 'a warning', '[]'))).toBe(false);
  });
});
