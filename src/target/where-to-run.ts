import type { Snapshot } from '../snapshot/snapshot.ts';
import { parseTarget } from './parse-target.ts';
import { isTargetProblem, type TargetProblem } from './question.ts';
import { resolveSource } from './resolve-source.ts';
import { notFound, usageProblem } from './target-problem.ts';

/** A network namespace on a node: a pod's own, or without `pod` the node's. */
export interface Whereabouts {
  readonly node: string;
  readonly pod?: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** What was decided for the user. */
  readonly notes: readonly string[];
}

/** The place that the user's word means: a pod, one of a workload's, a node. A pod on the host's network is the node's. */
export function whereToRun(snapshot: Snapshot, word: string, namespace: string): Whereabouts | TargetProblem {
  const target = parseTarget(word);
  if (isTargetProblem(target)) return target;
  const source = resolveSource(snapshot, target, namespace);
  if (isTargetProblem(source)) return source;
  const { endpoint, notes } = source;
  if (endpoint.kind === 'node') return { node: endpoint.name, notes };
  if (endpoint.kind !== 'pod') return usageProblem(`"${word}" is no pod and no node: nothing can be run there`);
  const { name, node, uid, hostNetwork } = endpoint;
  const where = `pod/${endpoint.namespace}/${name}`;
  if (node === undefined) return notFound(`${where} is on no node yet: it has no network to run in`);
  if (hostNetwork) return { node, notes: [...notes, `${where} uses the network of node ${node}: run there`] };
  if (uid === undefined) return notFound(`${where} has no uid, by which its processes are found`);
  return { node, pod: { namespace: endpoint.namespace, name, uid }, notes };
}
