import type { Family } from '../../src/net/address.ts';
import { type CaseBackend, type CaseItem, type KernelCase, sysctlFile } from './case.ts';

export type DriverStep = Readonly<Record<string, unknown>> & { readonly do: string };

/** What every namespace gets before anything else: nothing that matters is inherited from this machine. */
export const EARLY: readonly (readonly [string, string])[] = [
  ...['all', 'default'].flatMap((conf): (readonly [string, string])[] => [
    [`net.ipv4.conf.${conf}.rp_filter`, '0'],
    [`net.ipv4.conf.${conf}.accept_redirects`, '0'],
    [`net.ipv4.conf.${conf}.send_redirects`, '0'],
    [`net.ipv4.conf.${conf}.arp_notify`, '0'],
    [`net.ipv6.conf.${conf}.accept_dad`, '0'],
    [`net.ipv6.conf.${conf}.addr_gen_mode`, '1'],
    [`net.ipv6.conf.${conf}.accept_ra`, '0'],
    [`net.ipv6.conf.${conf}.accept_redirects`, '0'],
    [`net.ipv6.conf.${conf}.autoconf`, '0'],
    [`net.ipv6.conf.${conf}.router_solicitations`, '0'],
    [`net.ipv6.conf.${conf}.mldv1_unsolicited_report_interval`, '100000000'],
    [`net.ipv6.conf.${conf}.mldv2_unsolicited_report_interval`, '100000000'],
  ]),
  ['net.ipv4.ip_forward', '0'],
  ['net.ipv4.icmp_ratelimit', '0'],
  // Else each error takes from the tokens by which ip_error counts its own (inet_peer_xrlim_allow).
  ['net.ipv4.icmp_ratemask', '0'],
  ['net.ipv4.icmp_msgs_per_sec', '1000000'],
  ['net.ipv4.icmp_msgs_burst', '1000000'],
  ['net.ipv6.icmp.ratelimit', '0'],
  ['net.ipv4.neigh.default.retrans_time_ms', '10'],
  ['net.ipv6.neigh.default.retrans_time_ms', '10'],
  ['net.ipv4.neigh.default.mcast_solicit', '2'],
  ['net.ipv6.neigh.default.mcast_solicit', '2'],
  ['net.ipv4.ping_group_range', '0 2147483647'],
  ['net.ipv4.ip_local_port_range', '32768 60999'],
  ['net.ipv4.tcp_syncookies', '0'],
  ['net.ipv4.tcp_synack_retries', '0'],
  ['net.ipv4.tcp_ecn', '0'],
  ['net.netfilter.nf_conntrack_checksum', '0'],
  ['net.bridge.bridge-nf-call-iptables', '0'],
  ['net.bridge.bridge-nf-call-ip6tables', '0'],
  ['net.bridge.bridge-nf-call-arptables', '0'],
];

/** A namespace of its own has no `neigh/default`: each device has the kernel's, unless told (neigh_parms_alloc in net/core/neighbour.c). */
const NEIGHBOUR_FILES: readonly (readonly [string, string])[] = ['ipv4', 'ipv6'].flatMap(
  (family): (readonly [string, string])[] => [
    [`/proc/sys/net/${family}/neigh/*/retrans_time_ms`, '10'],
    [`/proc/sys/net/${family}/neigh/*/mcast_solicit`, '2'],
    [`/proc/sys/net/${family}/neigh/*/proxy_delay`, '0'],
  ],
);

/** The driver's steps that make the network real. */
export function setUpSteps(one: KernelCase): DriverStep[] {
  const names = one.namespaces.map(({ name }) => name);
  return [
    { do: 'namespaces', names },
    ...names.map((ns) => ({
      do: 'sysctl',
      ns,
      set: [...EARLY, ...sysctlsOf(one, ns, true)].map(([key, value]) => [sysctlFile(key), value]),
    })),
    ...names.flatMap((ns) => batch(ns, ['ip', '-batch', '-'], linesOf(one, ns, 'link'))),
    ...names.map((ns) => ({ do: 'sysctl', ns, set: NEIGHBOUR_FILES })),
    ...names.flatMap((ns) => configured(one, ns)),
    ...[{ do: 'listen', sockets: socketsOf(one) }],
  ];
}

function configured(one: KernelCase, ns: string): DriverStep[] {
  const settings = sysctlsOf(one, ns, false).map(([key, value]) => [sysctlFile(key), value]);
  return [
    ...addressing(ipLines(one, ns, 4), ipLines(one, ns, 6)).flatMap(([argv, lines]) => batch(ns, argv, lines)),
    ...batch(
      ns,
      ['bridge', '-batch', '-'],
      linesOf(one, ns, 'bridge').filter((line) => !isLate(line)),
    ),
    ...batch(ns, ['tc', '-batch', '-'], linesOf(one, ns, 'tc')),
    ...(settings.length > 0 ? [{ do: 'sysctl', ns, set: settings }] : []),
    ...batch(ns, ['ipset', 'restore'], linesOf(one, ns, 'ipset')),
    ...(['legacy', 'nft'] as const).flatMap((backend) =>
      ([4, 6] as const).flatMap((family) => restored(one, ns, backend, family)),
    ),
    ...batch(ns, ['nft', '-f', '-'], linesOf(one, ns, 'nft')),
    ...linesOf(one, ns, 'conntrack').map((line) => {
      return { do: 'run', must: true, ns, argv: ['conntrack', '-I', ...line.split(' ')] };
    }),
    ...one.items.flatMap((item): DriverStep[] => {
      return item.kind === 'xdp' && item.ns === ns ? [{ do: 'xdp', ns, device: item.device, act: item.act }] : [];
    }),
  ];
}

/** A port's state can be set once its other end is up (br_set_port_state asks for a carrier). */
const isLate = (line: string): boolean => line.startsWith('link set ');

/** What is left to do when all devices are up. */
export function lateSteps(one: KernelCase): DriverStep[] {
  return one.namespaces.flatMap(({ name }) =>
    batch(name, ['bridge', '-batch', '-'], linesOf(one, name, 'bridge').filter(isLate)),
  );
}

/** One batch for both families, unless some line of IPv6 has nothing in it to know it by. */
function addressing(
  four: readonly string[],
  six: readonly string[],
): readonly [readonly string[], readonly string[]][] {
  const isOpen = six.some((line) => /^(rule|nexthop) | default (?!via )/.test(line));
  if (!isOpen)
    return [
      [
        ['ip', '-batch', '-'],
        [...four, ...six],
      ],
    ];
  return [
    [['ip', '-batch', '-'], four],
    [['ip', '-6', '-batch', '-'], six],
  ];
}

function batch(ns: string, argv: readonly string[], lines: readonly string[]): DriverStep[] {
  return lines.length === 0 ? [] : [{ do: 'run', must: true, ns, argv, input: `${lines.join('\n')}\n` }];
}

function sysctlsOf(one: KernelCase, ns: string, early: boolean): (readonly [string, string])[] {
  return one.items.flatMap((item) =>
    item.kind === 'sysctl' && item.ns === ns && (item.early ?? false) === early
      ? [[item.key, item.value] as const]
      : [],
  );
}

function linesOf(
  one: KernelCase,
  ns: string,
  kind: 'link' | 'bridge' | 'ipset' | 'tc' | 'nft' | 'conntrack',
): string[] {
  return one.items.flatMap((item) => (item.kind === kind && item.ns === ns ? [item.line] : []));
}

function ipLines(one: KernelCase, ns: string, family: Family): string[] {
  return one.items.flatMap((item) =>
    item.kind === 'ip' && item.ns === ns && (item.family ?? 4) === family ? [item.line] : [],
  );
}

export function socketsOf(one: KernelCase): readonly unknown[] {
  return one.items.flatMap((item) => (item.kind === 'socket' ? [{ ...item.socket, ns: item.ns }] : []));
}

type RuleItem = Extract<CaseItem, { kind: 'iptables' | 'iptables-chain' }>;

function restored(one: KernelCase, ns: string, backend: CaseBackend, family: Family): DriverStep[] {
  const mine = one.items.filter(
    (item): item is RuleItem =>
      (item.kind === 'iptables' || item.kind === 'iptables-chain') &&
      item.ns === ns &&
      item.backend === backend &&
      item.family === family,
  );
  if (mine.length === 0) return [];
  const tool = `${family === 6 ? 'ip6tables' : 'iptables'}-${backend}-restore`;
  const input = [...Map.groupBy(mine, (item) => item.table)].map(([table, items]) => tableText(table, items)).join('');
  return [{ do: 'run', must: true, ns, argv: [tool], input }];
}

function tableText(table: string, items: readonly RuleItem[]): string {
  const chains = items.flatMap((item) =>
    item.kind === 'iptables-chain' ? [`:${item.chain} ${item.policy} [0:0]\n`] : [],
  );
  const rules = items.flatMap((item) => (item.kind === 'iptables' ? [`-A ${item.chain} ${item.rule}\n`] : []));
  return `*${table}\n${chains.join('')}${rules.join('')}COMMIT\n`;
}
