import type { Scalar } from '../host/host.ts';
import type { Collector } from './collector.ts';
import { LIMITS } from './limits.ts';

/*
 * What iproute2 tells of one network namespace (ip(8), bridge(8), tc(8)). A family is one request of its own, since the
 * kernel keeps routes and rules per family and a question is about one of them. `-N` prints tables and protocols as
 * numbers: their names come from files of the machine that reads, which are not the node's.
 */

export const links: Collector = {
  fact: 'links',
  scope: 'namespace',
  how: () => ({ via: 'command', argv: ['ip', '-d', '-s', '-j', 'addr', 'show'] }),
  limits: LIMITS.common,
};

export const routes: Collector = {
  fact: 'routes',
  scope: 'namespace',
  how: ({ family }) => ({
    via: 'command',
    argv: ['ip', familyFlag(family), '-N', '-d', '-j', 'route', 'show', 'table', 'all'],
  }),
  limits: LIMITS.common,
};

/**
 * Path MTUs and redirects that the kernel has learnt, as routes of one destination (`ip route show cache`; dumped since Linux 5.3,
 * rtm_dump_exception_bucket in net/ipv4/route.c). Some kernels list an exception twice.
 */
export const routeExceptions: Collector = {
  fact: 'route-exceptions',
  scope: 'namespace',
  how: ({ family }) => ({
    via: 'command',
    argv: ['ip', familyFlag(family), '-N', '-d', '-j', 'route', 'show', 'cache'],
  }),
  limits: LIMITS.common,
};

export const rules: Collector = {
  fact: 'rules',
  scope: 'namespace',
  how: ({ family }) => ({ via: 'command', argv: ['ip', familyFlag(family), '-N', '-d', '-j', 'rule', 'show'] }),
  limits: LIMITS.common,
};

/** Nexthop objects of both families; wanted only where a route names one (`nhid`). */
export const nexthops: Collector = {
  fact: 'nexthops',
  scope: 'namespace',
  how: () => ({ via: 'command', argv: ['ip', '-d', '-N', '-j', 'nexthop', 'show'] }),
  limits: LIMITS.common,
};

/** Both families, and the entries of state NOARP and the proxies, which a plain `show` leaves out. */
export const neighbours: Collector = {
  fact: 'neighbours',
  scope: 'namespace',
  how: () => ({
    via: 'command',
    argv: ['ip', '-d', '-j', '-batch', '-'],
    input: 'neigh show nud all\nneigh show proxy\n',
  }),
  limits: LIMITS.common,
};

export const fdb: Collector = {
  fact: 'fdb',
  scope: 'namespace',
  how: () => ({ via: 'command', argv: ['bridge', '-d', '-j', 'fdb', 'show'] }),
  limits: LIMITS.common,
};

export const bridgeVlans: Collector = {
  fact: 'bridge-vlans',
  scope: 'namespace',
  how: () => ({ via: 'command', argv: ['bridge', '-j', '-compressvlans', 'vlan', 'show'] }),
  limits: LIMITS.common,
};

export const qdiscs: Collector = {
  fact: 'qdiscs',
  scope: 'namespace',
  how: () => ({ via: 'command', argv: ['tc', '-s', '-j', 'qdisc', 'show'] }),
  limits: LIMITS.common,
};

/** tc lists the filters of one device and direction at a time, so the node side asks for those that have a hook: `# DEVICE ingress|egress`, then tc's JSON. */
export const tcFilters: Collector = {
  fact: 'tc-filters',
  scope: 'namespace',
  how: () => ({ via: 'node-side', name: 'tc-filters' }),
  limits: LIMITS.common,
};

/** `wg show all dump` without its secret keys, which the node side leaves out. */
export const wireguard: Collector = {
  fact: 'wireguard',
  scope: 'namespace',
  how: () => ({ via: 'node-side', name: 'wireguard' }),
  limits: LIMITS.common,
};

function familyFlag(family: Scalar | undefined): '-4' | '-6' {
  return family === 6 ? '-6' : '-4';
}
