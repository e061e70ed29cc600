import { describe, expect, it } from 'vitest';
import { isLoadable, isLoaded } from './node-side-modules.ts';

const PROC_MODULES = 'nf_tables 376832 12 nft_compat, Live 0x0000000000000000\nxt_tcpudp 16384 4 - Live 0x0\n';
const MODULES_DEP = [
  'kernel/net/ipv4/tcp_diag.ko.zst: kernel/net/ipv4/inet_diag.ko.zst',
  'kernel/net/netfilter/ipset/ip_set.ko.xz:',
  'kernel/net/netfilter/nf-tables.ko: kernel/lib/libcrc32c.ko',
].join('\n');

describe('isLoaded', () => {
  it('takes whole names only', () => {
    expect(isLoaded(PROC_MODULES, 'nf_tables')).toBe(true);
    expect(isLoaded(PROC_MODULES, 'nft_compat')).toBe(false);
    expect(isLoaded(PROC_MODULES, 'tables')).toBe(false);
  });
});

describe('isLoadable', () => {
  it('knows a module by any compression and either dash, and no dependency for a module', () => {
    expect(isLoadable(MODULES_DEP, 'tcp_diag')).toBe(true);
    expect(isLoadable(MODULES_DEP, 'ip_set')).toBe(true);
    expect(isLoadable(MODULES_DEP, 'nf_tables')).toBe(true);
    expect(isLoadable(MODULES_DEP, 'inet_diag')).toBe(false);
    expect(isLoadable(MODULES_DEP, 'set')).toBe(false);
  });
});
