import type { Pod, Service } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import { nameserversOf } from './flows.ts';
import { isTargetProblem, type Question } from './question.ts';
import type { ResolvedPod } from './resolve-pod.ts';
import { type QuestionWords, resolveQuestion } from './resolve-question.ts';
import { clusterAddresses, isHeadless } from './service-ports.ts';

/** What one pod's networking as a whole is asked for. */
export interface PodQuestion {
  readonly about: 'wiring' | 'dns' | 'services' | 'way-out' | 'own-service';
  readonly question: Question;
}

const OWN_SERVICES_MAX = 3;

/**
 * The questions of `diagnose POD`: its node reaches it, it reaches its DNS, a Service (the API server's, which every
 * cluster has) and another node, and each Service that selects it answers from its node. Only those that can be asked here.
 */
export function podQuestions(snapshot: Snapshot, { pod, object }: ResolvedPod): readonly PodQuestion[] {
  const self = `pod/${pod.namespace}/${pod.name}`;
  const container = pod.container === undefined ? {} : { container: pod.container };
  const from = (about: PodQuestion['about'], destination: string, more: Partial<QuestionWords> = {}) =>
    ask(snapshot, about, { source: self, destination, ...container, ...more });
  const node = pod.node === undefined ? undefined : `node/${pod.node}`;
  const other = seenItems(clusterList(snapshot, 'api.nodes')).find((one) => one.metadata.name !== pod.node);
  const dns = dnsServers(snapshot, pod).flatMap((server) => from('dns', server, { protocol: 'udp', port: 53 }));
  return [
    ...(node === undefined ? [] : ask(snapshot, 'wiring', { source: node, destination: withPort(self, object) })),
    ...dns,
    ...from('services', 'svc/default/kubernetes'),
    ...(other === undefined ? [] : from('way-out', `node/${other.metadata.name}`)),
    ...(node === undefined ? [] : servicesOf(snapshot, object).flatMap((one) => ownService(snapshot, node, one))),
  ];
}

function ask(snapshot: Snapshot, about: PodQuestion['about'], words: QuestionWords): PodQuestion[] {
  const question = resolveQuestion(snapshot, words);
  return isTargetProblem(question) ? [] : [{ about, question }];
}

function ownService(snapshot: Snapshot, node: string, service: Service): PodQuestion[] {
  const destination = `svc/${service.metadata.namespace ?? 'default'}/${service.metadata.name}`;
  return ask(snapshot, 'own-service', { source: node, destination });
}

/** The first port that the pod declares for TCP: a connect tells more than a ping. */
function withPort(self: string, pod: Pod): string {
  const ports = pod.spec.containers.flatMap((one) => one.ports ?? []);
  const port = ports.find((one) => (one.protocol ?? 'TCP') === 'TCP');
  return port === undefined ? self : `${self}:${port.containerPort}`;
}

/** The nameservers of its resolv.conf; before that was read, the Service that clusters call kube-dns. */
function dnsServers(snapshot: Snapshot, pod: ResolvedPod['pod']): readonly string[] {
  const read = nameserversOf(snapshot, pod);
  if (read.length > 0) return read;
  const dns = seenItems(clusterList(snapshot, 'api.services')).find(
    (one) => one.metadata.labels?.['k8s-app'] === 'kube-dns' || one.metadata.name === 'kube-dns',
  );
  return dns === undefined ? [] : clusterAddresses(dns).slice(0, 1);
}

function servicesOf(snapshot: Snapshot, pod: Pod): readonly Service[] {
  const labels = pod.metadata.labels ?? {};
  return seenItems(clusterList(snapshot, 'api.services', pod.metadata.namespace))
    .filter((one) => (one.metadata.namespace ?? 'default') === (pod.metadata.namespace ?? 'default'))
    .filter((one) => one.spec.type !== 'ExternalName' && !isHeadless(one))
    .filter((one) => {
      const selector = Object.entries(one.spec.selector ?? {});
      return selector.length > 0 && selector.every(([key, value]) => labels[key] === value);
    })
    .slice(0, OWN_SERVICES_MAX);
}
