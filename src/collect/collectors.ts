import type { FactName } from '../snapshot/facts.ts';
import type { ProbeFacts } from '../snapshot/probe-answers.ts';
import {
  apiAccess,
  apiConfigMaps,
  apiDaemonSets,
  apiDeployments,
  apiEndpointSlices,
  apiEvents,
  apiLog,
  apiNamespaces,
  apiNetworkPolicies,
  apiNodes,
  apiPods,
  apiServices,
  apiVersion,
  apiWorkloads,
} from './api.ts';
import type { Collector } from './collector.ts';
import { counters } from './counters.ts';
import {
  bridgeVlans,
  fdb,
  links,
  neighbours,
  nexthops,
  qdiscs,
  routeExceptions,
  routes,
  rules,
  tcFilters,
  wireguard,
} from './iproute2.ts';
import {
  conntrack,
  conntrackStatistics,
  ipsets,
  iptablesChain,
  iptablesLegacy,
  iptablesNft,
  ipvs,
  nftChain,
  nftChains,
  nftOutline,
  nftSets,
  nftTable,
  nftTables,
} from './netfilter.ts';
import { cniConfiguration, cniFiles, flannelSubnet, kernel, kernelLog, sandboxes, softnet } from './node-wide.ts';
import { hostsFile, nameService, resolvConf } from './pod-files.ts';
import { sockets } from './sockets.ts';
import { sysctls } from './sysctls.ts';

/** Every fact that is collected; probes are facts of another kind (probe/). A fact without its collector does not compile. */
const COLLECTOR_OF = {
  'api.version': apiVersion,
  'api.access': apiAccess,
  'api.pods': apiPods,
  'api.nodes': apiNodes,
  'api.namespaces': apiNamespaces,
  'api.services': apiServices,
  'api.endpointslices': apiEndpointSlices,
  'api.networkpolicies': apiNetworkPolicies,
  'api.daemonsets': apiDaemonSets,
  'api.deployments': apiDeployments,
  'api.workloads': apiWorkloads,
  'api.configmaps': apiConfigMaps,
  'api.events': apiEvents,
  'api.log': apiLog,
  kernel,
  'kernel-log': kernelLog,
  sandboxes,
  softnet,
  'cni-configuration': cniConfiguration,
  'cni-files': cniFiles,
  'flannel-subnet': flannelSubnet,
  links,
  routes,
  'route-exceptions': routeExceptions,
  rules,
  nexthops,
  neighbours,
  fdb,
  'bridge-vlans': bridgeVlans,
  sysctls,
  'iptables.legacy': iptablesLegacy,
  'iptables.nft': iptablesNft,
  'iptables.chain': iptablesChain,
  'nft.tables': nftTables,
  'nft.outline': nftOutline,
  'nft.table': nftTable,
  'nft.chains': nftChains,
  'nft.chain': nftChain,
  'nft.sets': nftSets,
  ipsets,
  sockets,
  'conntrack.statistics': conntrackStatistics,
  conntrack,
  ipvs,
  counters,
  qdiscs,
  'tc-filters': tcFilters,
  wireguard,
  'resolv-conf': resolvConf,
  'hosts-file': hostsFile,
  'name-service': nameService,
} as const satisfies Readonly<Record<Exclude<FactName, keyof ProbeFacts>, Collector>>;

export const COLLECTORS: readonly Collector[] = Object.values(COLLECTOR_OF);

/** Undefined for a probe's or an unknown id. */
export function collectorOf(action: string): Collector | undefined {
  return Object.hasOwn(COLLECTOR_OF, action) ? COLLECTOR_OF[action as keyof typeof COLLECTOR_OF] : undefined;
}
