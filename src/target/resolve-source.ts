import type { Snapshot } from '../snapshot/snapshot.ts';
import { nodeEndpoint, ownerOfAddress } from './address-owner.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import { findNode, wordsFor } from './find-object.ts';
import { podEndpoint } from './pod-endpoint.ts';
import { type Endpoint, isTargetProblem, type TargetProblem } from './question.ts';
import { podByName, podByWord, podOfWorkload } from './resolve-pod.ts';
import type { AddressTarget, ServiceTarget, Target } from './target.ts';
import { ambiguous, usageProblem } from './target-problem.ts';

export interface ResolvedSource {
  readonly endpoint: Endpoint;
  readonly notes: readonly string[];
}

export function resolveSource(
  snapshot: Snapshot,
  target: Target,
  namespace: string,
  container?: string,
): ResolvedSource | TargetProblem {
  if ('port' in target && target.port !== undefined && target.kind !== 'host') {
    return usageProblem('the source takes no port: the kernel chooses it; the port belongs to the destination');
  }
  switch (target.kind) {
    case 'pod':
      return asSource(podByName(snapshot, target.namespace ?? namespace, target.name, container));
    case 'workload':
      return asSource(podOfWorkload(snapshot, target.workload, target.namespace ?? namespace, target.name, container));
    case 'bare':
      return asSource(podByWord(snapshot, namespace, target.word, container));
    case 'node': {
      const node = findNode(snapshot, target.name);
      return isTargetProblem(node) ? node : { endpoint: nodeEndpoint(node), notes: [] };
    }
    case 'address':
      return addressSource(snapshot, target);
    case 'service':
      return serviceSource(snapshot, target, namespace);
    case 'host':
      return usageProblem(
        `${target.host} is a DNS name, and a source must be a pod, a workload, a node or an address`,
        wordsFor(snapshot, target.host),
      );
  }
}

function asSource(pod: ReturnType<typeof podByName>): ResolvedSource | TargetProblem {
  return isTargetProblem(pod) ? pod : { endpoint: pod.pod, notes: pod.notes };
}

function addressSource(snapshot: Snapshot, target: AddressTarget): ResolvedSource | TargetProblem {
  const { address } = target;
  const owner = ownerOfAddress(snapshot, address);
  if (owner?.kind === 'node') {
    const endpoint = nodeEndpoint(owner.node);
    return { endpoint, notes: [`${address} is node ${endpoint.name}`] };
  }
  if (owner?.kind === 'pod') {
    const words = owner.pods.map((pod) => `pod/${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`);
    if (owner.pods.length > 1) return ambiguous(`${words.length} pods claim the address ${address}`, words);
    return { endpoint: podEndpoint(owner.pods[0]), notes: [`${address} is ${words[0]}`] };
  }
  if (owner?.kind === 'cluster-ip' || owner?.kind === 'external-ip') {
    const word = `svc/${owner.service.metadata.namespace ?? 'default'}/${owner.service.metadata.name}`;
    return usageProblem(`${address} is an address of ${word}, and a Service sends nothing by itself: name a pod`);
  }
  const notes = [`${address} is outside the cluster: nothing can be probed from there, its packets are only walked`];
  const pods = clusterList(snapshot, 'api.pods');
  if (pods.state === 'unseen') notes.push(`pods could not be read (${pods.gap}): ${address} may be one of them`);
  return { endpoint: { kind: 'address', address }, notes };
}

function serviceSource(snapshot: Snapshot, target: ServiceTarget, namespace: string): TargetProblem {
  const where = target.namespace ?? namespace;
  const slices = seenItems(clusterList(snapshot, 'api.endpointslices', where)).filter(
    (one) =>
      (one.metadata.namespace ?? 'default') === where &&
      one.metadata.labels?.['kubernetes.io/service-name'] === target.name,
  );
  const pods = slices.flatMap((one) => one.endpoints ?? []).flatMap((one) => one.targetRef?.name ?? []);
  return usageProblem(
    `svc/${where}/${target.name} is a Service, and a Service sends nothing by itself: name a pod`,
    [...new Set(pods)].slice(0, 5).map((name) => `pod/${where}/${name}`),
  );
}
