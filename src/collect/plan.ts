import type { Request, Scalar } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import { CLUSTER, hostOf, type Place } from '../net/place.ts';
import type { FactName } from '../snapshot/facts.ts';

/* Which requests a place is asked by default. What only a walk can name (`nft.table`, an event, a log) is asked when it is wanted. */

const NODE_WIDE: readonly FactName[] = [
  'kernel',
  'kernel-log',
  'sandboxes',
  'softnet',
  'cni-configuration',
  'cni-files',
  'flannel-subnet',
];

const WITHOUT_FAMILY: readonly FactName[] = [
  'links',
  'neighbours',
  'fdb',
  'sysctls',
  'nft.tables',
  'ipsets',
  'sockets',
  'conntrack.statistics',
  'counters',
  'qdiscs',
  'tc-filters',
];

const POD_FILES: readonly FactName[] = ['resolv-conf', 'hosts-file'];

const CLUSTER_WIDE: readonly FactName[] = [
  'api.version',
  'api.access',
  'api.pods',
  'api.nodes',
  'api.namespaces',
  'api.services',
  'api.endpointslices',
  'api.networkpolicies',
  'api.daemonsets',
  'api.deployments',
];

export function requestsForCluster(): readonly Request[] {
  return CLUSTER_WIDE.map((action) => ({ action, place: CLUSTER, args: {}, round: 0 }));
}

/** The node as a whole and its host namespace. */
export function requestsForNode(node: string, family: Family, round: number): readonly Request[] {
  const place = hostOf(node);
  return [
    ...NODE_WIDE.map((action) => ({ action, place, args: {}, round })),
    // The node's own, which its processes and pods with dnsPolicy Default use.
    ...requestsForPod(place, undefined, round),
    ...requestsForNamespace(place, family, round),
  ];
}

/** One network namespace; `podUid` tells the node side whose it is. */
export function requestsForNamespace(place: Place, family: Family, round: number, podUid?: string): readonly Request[] {
  const ask = (action: FactName, args: Readonly<Record<string, Scalar>> = {}): Request => ({
    action,
    place: { node: place.node, namespace: place.namespace },
    args,
    round,
    ...(podUid === undefined ? {} : { podUid }),
  });
  return [
    ask('iptables.nft', { family, table: '' }),
    ask('iptables.legacy', { family }),
    ask('routes', { family }),
    ask('route-exceptions', { family }),
    ask('rules', { family }),
    ...WITHOUT_FAMILY.map((action) => ask(action)),
  ];
}

/** What a pod's containers see. */
export function requestsForPod(place: Place, podUid?: string, round = 0): readonly Request[] {
  return POD_FILES.map((action) => ({
    action,
    place: { node: place.node, namespace: place.namespace },
    args: {},
    round,
    ...(podUid === undefined ? {} : { podUid }),
  }));
}
