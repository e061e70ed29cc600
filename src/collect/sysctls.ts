import type { Collector } from './collector.ts';
import { LIMITS } from './limits.ts';

/*
 * The kernel settings that decide what happens to a packet (Documentation/networking/ip-sysctl.rst), named one by one:
 * a glob over whole directories would also read secrets (tcp_fastopen_key, stable_secret).
 */

const IPV4_INTERFACE = [
  'accept_local',
  'accept_redirects',
  'accept_source_route',
  'arp_accept',
  'arp_announce',
  'arp_evict_nocarrier',
  'arp_filter',
  'arp_ignore',
  'arp_notify',
  'bc_forwarding',
  'disable_policy',
  'disable_xfrm',
  'forwarding',
  'ignore_routes_with_linkdown',
  'log_martians',
  'medium_id',
  'mc_forwarding',
  'proxy_arp',
  'proxy_arp_pvlan',
  'route_localnet',
  'rp_filter',
  'secure_redirects',
  'send_redirects',
  'shared_media',
  'src_valid_mark',
];

const IPV6_INTERFACE = [
  'accept_dad',
  'accept_ra',
  'accept_redirects',
  'accept_source_route',
  'autoconf',
  'disable_ipv6',
  'disable_policy',
  'force_forwarding',
  'forwarding',
  'hop_limit',
  'ignore_routes_with_linkdown',
  'mtu',
  'proxy_ndp',
  'use_oif_addrs_only',
  'use_tempaddr',
];

const NEIGHBOUR_INTERFACE = ['base_reachable_time_ms', 'gc_stale_time', 'mcast_solicit', 'ucast_solicit', 'unres_qlen'];
const NEIGHBOUR_TABLE = ['gc_interval', 'gc_thresh1', 'gc_thresh2', 'gc_thresh3'];

const IPV4 = [
  'fib_multipath_hash_policy',
  'fib_multipath_use_neigh',
  'fwmark_reflect',
  'icmp_echo_ignore_all',
  'icmp_echo_ignore_broadcasts',
  'icmp_errors_use_inbound_ifaddr',
  'icmp_msgs_burst',
  'icmp_msgs_per_sec',
  'icmp_ratelimit',
  'icmp_ratemask',
  'ip_default_ttl',
  'ip_early_demux',
  'ip_forward',
  'ip_forward_update_priority',
  'ip_forward_use_pmtu',
  'ip_local_port_range',
  'ip_local_reserved_ports',
  'ip_no_pmtu_disc',
  'ip_nonlocal_bind',
  'ip_unprivileged_port_start',
  'ipfrag_high_thresh',
  'ipfrag_low_thresh',
  'ipfrag_time',
  'ping_group_range',
  'raw_l3mdev_accept',
  'route/min_pmtu',
  'route/mtu_expires',
  'tcp_abort_on_overflow',
  'tcp_base_mss',
  'tcp_congestion_control',
  'tcp_ecn',
  'tcp_fastopen',
  'tcp_fin_timeout',
  'tcp_fwmark_accept',
  'tcp_keepalive_intvl',
  'tcp_keepalive_probes',
  'tcp_keepalive_time',
  'tcp_l3mdev_accept',
  'tcp_max_orphans',
  'tcp_max_syn_backlog',
  'tcp_max_tw_buckets',
  'tcp_mem',
  'tcp_migrate_req',
  'tcp_min_snd_mss',
  'tcp_mtu_probe_floor',
  'tcp_mtu_probing',
  'tcp_orphan_retries',
  'tcp_retries1',
  'tcp_retries2',
  'tcp_rmem',
  'tcp_sack',
  'tcp_syn_retries',
  'tcp_synack_retries',
  'tcp_syncookies',
  'tcp_timestamps',
  'tcp_tw_recycle',
  'tcp_tw_reuse',
  'tcp_window_scaling',
  'tcp_wmem',
  'udp_l3mdev_accept',
  'udp_mem',
  'udp_rmem_min',
  'udp_wmem_min',
];

const IPV6 = [
  'auto_flowlabels',
  'bindv6only',
  'fib_multipath_hash_policy',
  'fwmark_reflect',
  'icmp/echo_ignore_all',
  'icmp/echo_ignore_anycast',
  'icmp/echo_ignore_multicast',
  'icmp/ratelimit',
  'icmp/ratemask',
  'ip6frag_high_thresh',
  'ip6frag_low_thresh',
  'ip6frag_time',
  'ip_nonlocal_bind',
  'route/max_size',
  'route/min_adv_mss',
  'route/mtu_expires',
];

const CORE = [
  'bpf_jit_enable',
  'default_qdisc',
  'dev_weight',
  'netdev_budget',
  'netdev_budget_usecs',
  'netdev_max_backlog',
  'optmem_max',
  'rmem_default',
  'rmem_max',
  'rps_sock_flow_entries',
  'somaxconn',
  'wmem_default',
  'wmem_max',
];

const NETFILTER = [
  'nf_conntrack_acct',
  'nf_conntrack_buckets',
  'nf_conntrack_checksum',
  'nf_conntrack_count',
  'nf_conntrack_expect_max',
  'nf_conntrack_generic_timeout',
  'nf_conntrack_helper',
  'nf_conntrack_icmp_timeout',
  'nf_conntrack_log_invalid',
  'nf_conntrack_max',
  'nf_conntrack_tcp_be_liberal',
  'nf_conntrack_tcp_ignore_invalid_rst',
  'nf_conntrack_tcp_loose',
  'nf_conntrack_tcp_max_retrans',
  'nf_conntrack_tcp_timeout_close_wait',
  'nf_conntrack_tcp_timeout_established',
  'nf_conntrack_tcp_timeout_fin_wait',
  'nf_conntrack_tcp_timeout_syn_recv',
  'nf_conntrack_tcp_timeout_syn_sent',
  'nf_conntrack_tcp_timeout_time_wait',
  'nf_conntrack_udp_timeout',
  'nf_conntrack_udp_timeout_stream',
  'nf_log_all_netns',
];

const BRIDGE = [
  'bridge-nf-call-arptables',
  'bridge-nf-call-ip6tables',
  'bridge-nf-call-iptables',
  'bridge-nf-filter-pppoe-tagged',
  'bridge-nf-filter-vlan-tagged',
  'bridge-nf-pass-vlan-input-dev',
];

const IPVS = ['conn_reuse_mode', 'conntrack', 'expire_nodest_conn', 'expire_quiescent_template', 'snat_reroute'];

const PATHS = [
  ...under('ipv4/conf/*', IPV4_INTERFACE),
  ...under('ipv6/conf/*', IPV6_INTERFACE),
  ...under('ipv4/neigh/default', [...NEIGHBOUR_TABLE, ...NEIGHBOUR_INTERFACE]),
  ...under('ipv6/neigh/default', [...NEIGHBOUR_TABLE, ...NEIGHBOUR_INTERFACE]),
  ...under('ipv4', IPV4),
  ...under('ipv6', IPV6),
  ...under('core', CORE),
  ...under('netfilter', NETFILTER),
  ...under('bridge', BRIDGE),
  ...under('ipv4/vs', IPVS),
];

export const sysctls: Collector = {
  fact: 'sysctls',
  scope: 'namespace',
  how: () => ({ via: 'files', root: 'netns', paths: PATHS }),
  limits: LIMITS.files,
};

function under(directory: string, names: readonly string[]): readonly string[] {
  return names.map((name) => `/proc/sys/net/${directory}/${name}`);
}
