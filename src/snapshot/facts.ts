import type { FdbEntry } from '../parse/bridge-fdb.ts';
import type { BridgeVlan } from '../parse/bridge-vlan.ts';
import type { CniConfiguration, CniFiles } from '../parse/cni-conf.ts';
import type { ConntrackStatistics } from '../parse/conntrack.ts';
import type { ConntrackEntry } from '../parse/conntrack-list.ts';
import type { Counters } from '../parse/counters.ts';
import type { FlannelSubnet } from '../parse/flannel-subnet.ts';
import type { HostsEntry } from '../parse/hosts-file.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Neighbour } from '../parse/ip-neigh.ts';
import type { NexthopObject } from '../parse/ip-nexthop.ts';
import type { Route } from '../parse/ip-route.ts';
import type { RoutingRule } from '../parse/ip-rule.ts';
import type { Ipset } from '../parse/ipset.ts';
import type { IptablesRuleset } from '../parse/iptables-save.ts';
import type { IpvsService } from '../parse/ipvsadm.ts';
import type { KernelInfo, KernelLogLine } from '../parse/kernel.ts';
import type { NameService } from '../parse/name-service.ts';
import type { NftRuleset, NftTableName } from '../parse/nft-json.ts';
import type { NftOutline } from '../parse/nft-outline.ts';
import type { Qdisc } from '../parse/qdisc.ts';
import type { ResolvConf } from '../parse/resolv-conf.ts';
import type { Sandboxes } from '../parse/sandboxes.ts';
import type { Softnet } from '../parse/softnet.ts';
import type { Socket } from '../parse/ss.ts';
import type { Sysctls } from '../parse/sysctls.ts';
import type { TcFilter } from '../parse/tc-filters.ts';
import type { WireguardDevice } from '../parse/wireguard.ts';
import type {
  AccessAnswer,
  ConfigMap,
  EndpointSlice,
  KubernetesEvent,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Service,
  Workload,
} from './objects.ts';
import type { ProbeFacts } from './probe-answers.ts';

/**
 * The one list of what can be known. A fact's name is also its collector's id and its Request's action.
 * Arguments, where a fact has any, stand behind it; families are '4' or '6' as a number.
 */
export interface Facts extends ProbeFacts {
  // The cluster, from the API (place CLUSTER).
  'api.version': { readonly gitVersion: string };
  'api.access': readonly AccessAnswer[];
  'api.pods': readonly Pod[];
  'api.nodes': readonly Node[];
  'api.namespaces': readonly Namespace[];
  'api.services': readonly Service[];
  'api.endpointslices': readonly EndpointSlice[];
  'api.networkpolicies': readonly NetworkPolicy[];
  'api.daemonsets': readonly Workload[]; // all namespaces
  'api.deployments': readonly Workload[]; // all namespaces
  'api.workloads': readonly Workload[]; // args kind ('statefulsets' | 'replicasets' | 'jobs' …), namespace
  'api.configmaps': readonly ConfigMap[]; // args namespace
  'api.events': readonly KubernetesEvent[]; // args namespace, name (of the involved object)
  'api.log': string; // args namespace, pod, container: the last lines

  // A node as a whole (its host place).
  kernel: KernelInfo;
  'kernel-log': readonly KernelLogLine[];
  sandboxes: Sandboxes;
  softnet: readonly Softnet[];
  'cni-configuration': CniConfiguration;
  'cni-files': CniFiles;
  'flannel-subnet': FlannelSubnet; // /run/flannel/subnet.env

  // A network namespace (the host's or a pod's).
  links: readonly Link[]; // with addresses, bridge ports and statistics
  routes: readonly Route[]; // args family; all tables
  'route-exceptions': readonly Route[]; // args family; what the kernel has learnt of destinations: mtu, expiresS
  rules: readonly RoutingRule[]; // args family
  nexthops: readonly NexthopObject[]; // both families; asked where a route goes through one
  neighbours: readonly Neighbour[];
  fdb: readonly FdbEntry[];
  'bridge-vlans': readonly BridgeVlan[]; // wanted where a bridge filters VLANs
  /** Keys with dots, an interface's own dots as slashes: `net.ipv4.conf.eth0/100.rp_filter` (sysctl(8)). */
  sysctls: Sysctls;
  'iptables.legacy': IptablesRuleset; // args family; only the tables whose modules are there
  'iptables.nft': IptablesRuleset; // args family, table ('' = all); tables that iptables-nft keeps
  'iptables.chain': IptablesRuleset; // args family, table, chain: one chain that iptables-nft keeps
  'nft.tables': readonly NftTableName[]; // names and flags only, cheap
  'nft.outline': NftOutline; // args family, name; wanted where the JSON lacks a chain's devices or a table's flags
  'nft.table': NftRuleset; // args family, name: one table with its sets and rules
  // Where a table was too much for the tool at once (simulate/chainwise.ts):
  'nft.chains': NftRuleset; // all tables with their chains, without rules, sets and the tables' flags
  'nft.chain': NftRuleset; // args family, name, chain: one chain with its rules
  'nft.sets': NftRuleset; // args family, kind ('sets' | 'maps'): those of its tables, with elements
  ipsets: readonly Ipset[];
  sockets: readonly Socket[];
  'conntrack.statistics': ConntrackStatistics;
  /** The connection whose first packet bore these: args protocol, source, destination, sourcePort, destinationPort. */
  conntrack: readonly ConntrackEntry[];
  ipvs: readonly IpvsService[];
  counters: Counters;
  qdiscs: readonly Qdisc[];
  'tc-filters': readonly TcFilter[];
  wireguard: readonly WireguardDevice[]; // wanted where a WireGuard device is on the way

  // A container as it sees itself (a pod's place).
  'resolv-conf': ResolvConf;
  'hosts-file': readonly HostsEntry[];
  'name-service': NameService; // asked by `probe dns`
}

export type FactName = keyof Facts;
export type FactArgs = Readonly<Record<string, string | number | boolean | null>>;
