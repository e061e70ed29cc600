import type { Collector } from './collector.ts';
import { LIMITS } from './limits.ts';

/**
 * Bound sockets with their processes (ss(8)). The question goes to sock_diag, which the kernel loads on demand; where
 * it is not loaded, ss is made to read /proc/net instead (its PROC_ROOT, misc/ss.c). It then prints every socket bound
 * to `::` as `*`, also one that is IPV6_V6ONLY, and a listener's backlog (Send-Q) as 0; the reply's tool says so.
 */
export const sockets: Collector = {
  fact: 'sockets',
  scope: 'namespace',
  how: () => ({
    via: 'command',
    argv: ['ss', '-H', '-l', '-n', '-t', '-u', '-p', '-e'],
    modules: { names: ['inet_diag', 'tcp_diag', 'udp_diag'], without: { env: { PROC_ROOT: '/proc' } } },
  }),
  limits: LIMITS.common,
};
