import { CLUSTER } from '../net/place.ts';
import type { Pod, Workload } from '../snapshot/objects.ts';
import type { Observed, Snapshot } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import type { WorkloadKind } from './target.ts';

const OWNER_KINDS: Readonly<Record<WorkloadKind, string>> = {
  deployment: 'ReplicaSet',
  daemonset: 'DaemonSet',
  statefulset: 'StatefulSet',
  replicaset: 'ReplicaSet',
  replicationcontroller: 'ReplicationController',
  job: 'Job',
  cronjob: 'Job',
};

/** The pods that this workload's controller owns, by their owner references: a selector alone would take in strangers. */
export function podsOfWorkload(pods: readonly Pod[], workload: WorkloadKind, namespace: string, name: string): Pod[] {
  return pods.filter((pod) => {
    if ((pod.metadata.namespace ?? 'default') !== namespace) return false;
    const owner = pod.metadata.ownerReferences?.find((one) => one.controller !== false);
    return owner?.kind === OWNER_KINDS[workload] && ownerBelongs(workload, name, owner.name, pod);
  });
}

/** The workload that a pod belongs to as far as the pod itself tells it. */
export function workloadsOfPods(pods: readonly Pod[], namespace: string): { workload: WorkloadKind; name: string }[] {
  const found = new Map<string, { workload: WorkloadKind; name: string }>();
  for (const pod of pods) {
    if ((pod.metadata.namespace ?? 'default') !== namespace) continue;
    const one = workloadOfPod(pod);
    if (one) found.set(`${one.workload}/${one.name}`, one);
  }
  return [...found.values()];
}

function workloadOfPod(pod: Pod): { workload: WorkloadKind; name: string } | undefined {
  const owner = pod.metadata.ownerReferences?.find((one) => one.controller !== false);
  if (!owner) return undefined;
  const hash = pod.metadata.labels?.['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return { workload: 'deployment', name: owner.name.slice(0, -hash.length - 1) };
  }
  const kind = (Object.keys(OWNER_KINDS) as WorkloadKind[]).find((one) => OWNER_KINDS[one] === owner.kind);
  if (kind === undefined) return undefined;
  return { workload: kind === 'deployment' ? 'replicaset' : kind, name: owner.name };
}

function ownerBelongs(workload: WorkloadKind, name: string, owner: string, pod: Pod): boolean {
  // The deployment controller names its ReplicaSets NAME-HASH and puts the hash into the label (deployment/sync.go).
  if (workload === 'deployment') return owner === `${name}-${pod.metadata.labels?.['pod-template-hash']}`;
  // The CronJob controller names its Jobs NAME-MINUTES (cronjob/utils.go, getJobName).
  if (workload === 'cronjob') return owner.startsWith(`${name}-`) && /^\d+$/.test(owner.slice(name.length + 1));
  return owner === name;
}

/** The list in which this kind of workload is found. */
export function workloadList(
  snapshot: Snapshot,
  workload: WorkloadKind,
  namespace: string,
): Observed<readonly Workload[]> {
  if (workload === 'deployment') return clusterList(snapshot, 'api.deployments', namespace);
  if (workload === 'daemonset') return clusterList(snapshot, 'api.daemonsets', namespace);
  const kind = `${workload}s`;
  const part = snapshot.fact('api.workloads', CLUSTER, { kind, namespace });
  return part.state === 'seen' ? part : snapshot.fact('api.workloads', CLUSTER, { kind });
}

/** Names of this kind of workload in this namespace, from the list and from the pods. */
export function workloadNames(snapshot: Snapshot, workload: WorkloadKind, namespace: string): string[] {
  const listed = seenItems(workloadList(snapshot, workload, namespace))
    .filter((one) => (one.metadata.namespace ?? namespace) === namespace)
    .map((one) => one.metadata.name);
  const pods = seenItems(clusterList(snapshot, 'api.pods', namespace));
  const owned = workloadsOfPods(pods, namespace).filter((one) => one.workload === workload);
  return [...new Set([...listed, ...owned.map((one) => one.name)])];
}
