import { datapathGate } from '../cni/gate.ts';
import { CLUSTER, hostOf } from '../net/place.ts';
import type { Pod } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { PlannedFlow } from '../target/flows.ts';
import type { Question } from '../target/question.ts';

/** The user that a sidecar runs as: its own connections are not redirected (istio/istio tools/istio-iptables; linkerd2-proxy-init). */
const PROXY_USERS: Readonly<Record<string, number>> = { 'istio-sidecar': 1337, linkerd: 2102 };
const PROXY_CONTAINER = /^(istio-proxy|linkerd-proxy)$/;

/**
 * In a pod whose connections a sidecar takes over, the asked flow is tried twice: as the application's own user, whom
 * the proxy intercepts, and as the proxy's user, past it. Only the second says anything of the network.
 */
export function meshFlows(snapshot: Snapshot, question: Question, planned: readonly PlannedFlow[]): PlannedFlow[] {
  const { source } = question;
  const main = planned.find((flow) => flow.purpose === 'main');
  if (source.kind !== 'pod' || main?.protocol !== 'tcp') return [...planned];
  const name = `${source.namespace}/${source.name}`;
  const mesh = datapathGate(snapshot, new Set([name])).parts.find((part) => part.role === 'mesh' && part.pod === name);
  const proxyUser = mesh && PROXY_USERS[mesh.by];
  if (proxyUser === undefined) return [...planned];
  const user = applicationUser(snapshot, question);
  const asApplication = planned.map((flow) => (flow === main && user !== undefined ? { ...flow, asUser: user } : flow));
  return [...asApplication, { ...main, id: 'past-proxy', purpose: 'past-proxy', asUser: proxyUser }];
}

/** The user of a process of the pod's application container; undefined where it is root, or was not seen. */
function applicationUser(snapshot: Snapshot, { source }: Question): number | undefined {
  if (source.kind !== 'pod' || source.node === undefined) return undefined;
  const pods = snapshot.fact('api.pods', CLUSTER);
  const sandboxes = snapshot.fact('sandboxes', hostOf(source.node));
  if (pods.state === 'unseen' || sandboxes.state === 'unseen') return undefined;
  const pod = pods.value.find(
    ({ metadata }) => metadata.name === source.name && metadata.namespace === source.namespace,
  );
  const sandbox = sandboxes.value.pods.find((one) => one.uid === pod?.metadata.uid);
  const wanted = pod && containerId(pod, source.container);
  const container = sandbox?.containers.find((one) => one.id !== '' && wanted?.endsWith(one.id));
  return container?.uid === 0 ? undefined : container?.uid;
}

function containerId(pod: Pod, name: string | undefined): string | undefined {
  const statuses = pod.status.containerStatuses ?? [];
  const status = statuses.find((one) => (name === undefined ? !PROXY_CONTAINER.test(one.name) : one.name === name));
  return status?.containerID;
}
