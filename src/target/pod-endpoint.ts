import { type Address, parseAddress } from '../net/address.ts';
import { hostOf, type Place, podPlace } from '../net/place.ts';
import type { Pod } from '../snapshot/objects.ts';
import type { PodEndpoint } from './question.ts';

export function podEndpoint(pod: Pod, more: { container?: string; chosenFrom?: string } = {}): PodEndpoint {
  const place = placeOfPod(pod);
  return {
    kind: 'pod',
    namespace: pod.metadata.namespace ?? 'default',
    name: pod.metadata.name,
    ...(pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid }),
    ...(pod.spec.nodeName === undefined ? {} : { node: pod.spec.nodeName }),
    ...(place === undefined ? {} : { place }),
    addresses: addressesOfPod(pod),
    hostNetwork: pod.spec.hostNetwork === true,
    ...more,
  };
}

/** The network namespace that the pod uses: undefined before its sandbox exists and after its containers are done. */
export function placeOfPod(pod: Pod): Place | undefined {
  const node = pod.spec.nodeName;
  if (node === undefined || isFinished(pod)) return undefined;
  if (pod.spec.hostNetwork === true) return hostOf(node);
  // The kubelet reports podIP once the sandbox's network is set up; until then there is nothing to look into.
  if (addressesOfPod(pod).length === 0 && pod.status.phase !== 'Running') return undefined;
  return podPlace(node, pod.metadata.namespace ?? 'default', pod.metadata.name);
}

export function addressesOfPod(pod: Pod): readonly Address[] {
  const texts = pod.status.podIPs?.map((one) => one.ip) ?? [];
  if (pod.status.podIP !== undefined && !texts.includes(pod.status.podIP)) texts.unshift(pod.status.podIP);
  return texts.map(parseAddress).filter((address) => address !== undefined);
}

/** Succeeded or Failed: its status still shows the address, which may belong to another pod by now. */
export function isFinished(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}

export function isReady(pod: Pod): boolean {
  return pod.status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
}

/** The pod that stands best for its workload: one that stays before one that goes, ready, running, then by name. */
export function bestPod(pods: readonly Pod[]): Pod | undefined {
  return [...pods].sort((a, b) => rank(a) - rank(b) || compareNames(a.metadata.name, b.metadata.name))[0];
}

function rank(pod: Pod): number {
  const going = pod.metadata.deletionTimestamp === undefined ? 0 : 4;
  if (isReady(pod)) return going;
  return going + (pod.status.phase === 'Running' ? 1 : isFinished(pod) ? 3 : 2);
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
