import type { Pod } from '../../snapshot/objects.ts';
import { isComplete, type Snapshot, type Source } from '../../snapshot/snapshot.ts';
import { clusterList } from '../../target/cluster-list.ts';
import { isReady } from '../../target/pod-endpoint.ts';
import { lookAt } from '../cluster-look.ts';
import { isKubeProxyPod, kubeProxyAgents } from './kube-proxy-config.ts';

/** kube-proxy's pod for one node. It explains why rules are missing or old; it does not decide that they are. */
export type KubeProxyPod =
  | { readonly state: 'running' | 'not-running'; readonly pod: Pod; readonly because: string; readonly source: Source }
  /** A DaemonSet is there and no pod of it on this node; `waiting` names one that is not scheduled. */
  | { readonly state: 'missing'; readonly waiting?: Pod; readonly because: string; readonly source: Source }
  | { readonly state: 'unknown'; readonly because: string };

export function kubeProxyPod(snapshot: Snapshot, node: string): KubeProxyPod {
  const agents = kubeProxyAgents(lookAt(snapshot));
  if (agents.length === 0) return { state: 'unknown', because: 'no kube-proxy is among the cluster’s objects' };
  const pods = clusterList(snapshot, 'api.pods');
  if (pods.state === 'unseen') return { state: 'unknown', because: `pods could not be read (${pods.gap})` };
  const proxies = pods.value.filter(isKubeProxyPod);
  const here = proxies.find((pod) => pod.spec.nodeName === node);
  if (here) return stateOf(here, pods.source);
  if (!isComplete(pods)) return { state: 'unknown', because: 'the list of pods is not complete' };
  const waiting = proxies.find((pod) => pod.spec.nodeName === undefined);
  const because = waiting
    ? `no kube-proxy pod runs on ${node}; ${waiting.metadata.name} is not scheduled${reasonOf(waiting)}`
    : `no kube-proxy pod is on ${node}`;
  return { state: 'missing', ...(waiting ? { waiting } : {}), because, source: pods.source };
}

function stateOf(pod: Pod, source: Source): KubeProxyPod {
  const { name } = pod.metadata;
  const from = { ...source, text: name };
  if (isReady(pod) && pod.metadata.deletionTimestamp === undefined) {
    return { state: 'running', pod, because: `kube-proxy pod ${name} runs`, source: from };
  }
  const waiting = pod.status.containerStatuses
    ?.map((one) => one.state?.waiting?.reason)
    .find((one) => one !== undefined);
  const reason = waiting ?? pod.status.reason ?? pod.status.phase ?? 'not ready';
  const going = pod.metadata.deletionTimestamp === undefined ? '' : ', being deleted';
  return { state: 'not-running', pod, because: `kube-proxy pod ${name} is ${reason}${going}`, source: from };
}

function reasonOf(pod: Pod): string {
  const message = pod.status.conditions?.find((one) => one.type === 'PodScheduled')?.message;
  return message === undefined ? '' : `: ${message}`;
}
