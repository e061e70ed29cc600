import type { Pod } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import { findObject, wordsFor } from './find-object.ts';
import { nearNames } from './near-names.ts';
import { parseTarget } from './parse-target.ts';
import { bestPod, isReady, podEndpoint } from './pod-endpoint.ts';
import { isTargetProblem, type PodEndpoint, type TargetProblem } from './question.ts';
import { WORKLOAD_SHORT, type WorkloadKind } from './target.ts';
import { ambiguous, noAccess, notFound, usageProblem } from './target-problem.ts';
import { podsOfWorkload, workloadList, workloadNames, workloadsOfPods } from './workload-pods.ts';

export interface ResolvedPod {
  readonly pod: PodEndpoint;
  readonly object: Pod;
  readonly notes: readonly string[];
}

/** One pod for `diagnose POD`: `pod/NS/NAME`, a workload (one of its pods is picked and named), or a bare pod name. */
export function resolvePod(
  snapshot: Snapshot,
  words: { readonly pod: string; readonly namespace?: string; readonly container?: string },
): ResolvedPod | TargetProblem {
  const target = parseTarget(words.pod);
  if (isTargetProblem(target)) return target;
  const namespace = words.namespace ?? 'default';
  if ('port' in target && target.port !== undefined) {
    return usageProblem(`"${words.pod}": a port says nothing here, it belongs to a destination`);
  }
  if (target.kind === 'pod') {
    return podByName(snapshot, target.namespace ?? namespace, target.name, words.container);
  }
  if (target.kind === 'workload') {
    return podOfWorkload(snapshot, target.workload, target.namespace ?? namespace, target.name, words.container);
  }
  if (target.kind === 'bare') return podByWord(snapshot, namespace, target.word, words.container);
  return usageProblem(`"${words.pod}" is no pod: write pod/NAMESPACE/NAME or a workload`);
}

export function podByName(
  snapshot: Snapshot,
  namespace: string,
  name: string,
  container?: string,
): ResolvedPod | TargetProblem {
  const pod = findObject(snapshot, clusterList(snapshot, 'api.pods', namespace), 'pod', namespace, name);
  if (isTargetProblem(pod)) return pod;
  return withContainer(pod, container, {}, []);
}

/** A pod of this name; without one, the one workload of this name. */
export function podByWord(
  snapshot: Snapshot,
  namespace: string,
  word: string,
  container?: string,
): ResolvedPod | TargetProblem {
  const byName = podByName(snapshot, namespace, word, container);
  if (!isTargetProblem(byName) || byName.kind !== 'not-found') return byName;
  const kinds = workloadKindsNamed(snapshot, namespace, word);
  if (kinds.length === 1) return podOfWorkload(snapshot, kinds[0]!, namespace, word, container);
  if (kinds.length > 1) {
    const candidates = kinds.map((kind) => `${WORKLOAD_SHORT[kind]}/${namespace}/${word}`);
    return ambiguous(`${word} can be several things in namespace ${namespace}`, candidates);
  }
  return { ...byName, near: [...new Set([...byName.near, ...wordsFor(snapshot, word)])].slice(0, 5) };
}

export function podOfWorkload(
  snapshot: Snapshot,
  workload: WorkloadKind,
  namespace: string,
  name: string,
  container?: string,
): ResolvedPod | TargetProblem {
  const list = clusterList(snapshot, 'api.pods', namespace);
  if (list.state === 'unseen') return noAccess(`pods of namespace ${namespace}`, list);
  const pods = podsOfWorkload(list.value, workload, namespace, name);
  const pod = bestPod(pods);
  if (!pod) return noPodOf(snapshot, workload, namespace, name);
  const word = `${WORKLOAD_SHORT[workload]}/${namespace}/${name}`;
  const ready = pods.filter(isReady).length;
  const state = ready > 0 ? `${ready} of ${pods.length} ready` : `none of ${pods.length} is ready`;
  const note = `pod ${pod.metadata.name} was picked for ${word} (${state})`;
  return withContainer(pod, container, { chosenFrom: word }, [note]);
}

function noPodOf(snapshot: Snapshot, workload: WorkloadKind, namespace: string, name: string): TargetProblem {
  const type = WORKLOAD_SHORT[workload];
  const list = workloadList(snapshot, workload, namespace);
  if (list.state === 'seen') {
    const object = findObject(snapshot, list, type, namespace, name);
    if (isTargetProblem(object)) return object;
    const replicas = object.spec.replicas === undefined ? '' : ` (replicas: ${object.spec.replicas})`;
    return notFound(`${type}/${namespace}/${name} has no pod${replicas}`);
  }
  const near = nearNames(name, workloadNames(snapshot, workload, namespace));
  return notFound(
    `no pod of ${type}/${namespace}/${name} was found, and ${workload}s could not be read (${list.gap})`,
    near.map((one) => `${type}/${namespace}/${one}`),
  );
}

function workloadKindsNamed(snapshot: Snapshot, namespace: string, name: string): WorkloadKind[] {
  const pods = seenItems(clusterList(snapshot, 'api.pods', namespace));
  const owned = workloadsOfPods(pods, namespace).filter((one) => one.name === name);
  const listed = (['deployment', 'daemonset'] as const).filter((kind) =>
    workloadNames(snapshot, kind, namespace).includes(name),
  );
  return [...new Set([...owned.map((one) => one.workload), ...listed])];
}

function withContainer(
  object: Pod,
  container: string | undefined,
  more: { chosenFrom?: string },
  notes: readonly string[],
): ResolvedPod | TargetProblem {
  if (container === undefined) return { object, pod: podEndpoint(object, more), notes };
  const names = [...object.spec.containers, ...(object.spec.initContainers ?? [])].map((one) => one.name);
  if (names.includes(container)) return { object, pod: podEndpoint(object, { ...more, container }), notes };
  const near = nearNames(container, names);
  const where = `pod/${object.metadata.namespace ?? 'default'}/${object.metadata.name}`;
  return notFound(`${where} has no container ${container} (it has ${names.join(', ')})`, near);
}
