import type { Collector } from './collector.ts';
import { LIMITS } from './limits.ts';

/** Protocol counters of the namespace (Documentation/networking/snmp_counter.rst). */
export const counters: Collector = {
  fact: 'counters',
  scope: 'namespace',
  how: () => ({
    via: 'files',
    root: 'netns',
    paths: ['/proc/net/snmp', '/proc/net/netstat', '/proc/net/snmp6'],
  }),
  limits: LIMITS.files,
};
