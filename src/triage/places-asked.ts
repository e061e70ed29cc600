import type { Request } from '../host/host.ts';
import { CLUSTER, hostOf, type Place, placeKey, podPlace } from '../net/place.ts';
import type { Pod } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Endpoint, Question } from '../target/question.ts';

/** Endpoints of a Service that are looked at before a walk has named one. */
const ENDPOINTS_FIRST = 3;

/** The network namespaces that the question speaks of by itself; the walk adds what it meets. */
export function placesAsked(snapshot: Snapshot, question: Question): Place[] {
  const places = [question.source, question.destination].flatMap((endpoint) => placesOfEndpoint(snapshot, endpoint));
  const withHosts = places.flatMap((place) => [hostOf(place.node), place]);
  return [...new Map(withHosts.map((place) => [placeKey(place), place])).values()];
}

function placesOfEndpoint(snapshot: Snapshot, endpoint: Endpoint): Place[] {
  if (endpoint.kind === 'node') return [endpoint.place];
  if (endpoint.kind === 'pod') return endpoint.place ? [endpoint.place] : endpoint.node ? [hostOf(endpoint.node)] : [];
  if (endpoint.kind !== 'service') return [];
  const slices = snapshot.fact('api.endpointslices', CLUSTER);
  if (slices.state === 'unseen') return [];
  const backends = slices.value
    .filter(
      (slice) =>
        slice.metadata.namespace === endpoint.namespace &&
        slice.metadata.labels?.['kubernetes.io/service-name'] === endpoint.name,
    )
    .flatMap((slice) => slice.endpoints ?? [])
    .flatMap((backend) => backend.addresses);
  return podsByAddress(snapshot, backends.slice(0, ENDPOINTS_FIRST)).flatMap((pod) => placeOfPod(pod) ?? []);
}

function podsByAddress(snapshot: Snapshot, addresses: readonly string[]): Pod[] {
  const pods = snapshot.fact('api.pods', CLUSTER);
  if (pods.state === 'unseen') return [];
  const wanted = new Set(addresses);
  return pods.value.filter((pod) => (pod.status.podIPs ?? []).some((ip) => wanted.has(ip.ip)));
}

function placeOfPod(pod: Pod): Place | undefined {
  const { nodeName, hostNetwork } = pod.spec;
  if (!nodeName) return undefined;
  return hostNetwork ? hostOf(nodeName) : podPlace(nodeName, pod.metadata.namespace ?? 'default', pod.metadata.name);
}

/** A pod's place is found on its node by the pod's uid: requests that lack it get it from the API's list. */
export function withPodUids(snapshot: Snapshot, requests: readonly Request[]): Request[] {
  if (requests.every((request) => request.place.namespace === 'host')) return [...requests];
  const pods = snapshot.fact('api.pods', CLUSTER);
  const uids = new Map<string, string>();
  for (const pod of pods.state === 'seen' ? pods.value : []) {
    const uid = pod.metadata.annotations?.['kubernetes.io/config.hash'] ?? pod.metadata.uid;
    if (uid) uids.set(`pod/${pod.metadata.namespace}/${pod.metadata.name}`, uid);
  }
  return requests.map((request) => {
    const podUid = request.podUid ?? uids.get(request.place.namespace);
    return podUid === undefined ? request : { ...request, podUid };
  });
}
