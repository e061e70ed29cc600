import { requestsForNamespace } from '../collect/plan.ts';
import { answeredBy } from '../diagnose/answered-by.ts';
import { placesOfFlow } from '../diagnose/check.ts';
import type { Flow } from '../diagnose/derived.ts';
import { AFTER_PROBES, type Request } from '../host/host.ts';
import { CLUSTER, type Place, placeKey } from '../net/place.ts';
import type { Pod } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { serviceAskedBy } from '../target/flows.ts';
import type { Question } from '../target/question.ts';
import type { Run } from './run.ts';

/** Facts whose change over the probes' time tells what dropped; totals tell nothing. */
const COUNTED: ReadonlySet<string> = new Set([
  'links',
  'counters',
  'conntrack.statistics',
  'iptables.nft',
  'iptables.legacy',
  'qdiscs',
  'softnet',
]);
/** Pods whose events are read. */
const PODS_MAX = 4;

/**
 * What is looked at only where something failed: the counters of every namespace on the way once more, the events of
 * the pods that are concerned, and the log of a DNS server whose upstream is silent.
 */
export async function secondLook(run: Run, question: Question, flows: readonly Flow[]): Promise<void> {
  const failed = flows.filter((flow) => flow.probe && answeredBy(flow.probe) === 'no');
  // That a datagram had no answer proves nothing by itself; the counters may tell.
  const lost = flows.filter(({ probe }) => probe?.passed === 'no' || probe?.outcome === 'silent');
  const places = new Map(lost.flatMap(placesOfFlow).map((place) => [placeKey(place), place]));
  const counters = [...places.values()].flatMap((place) => countersOf(place, question));
  const rules = tablesRead(run, places);
  const told = [...eventRequests(run.snapshot(), question), ...logRequests(failed)];
  await Promise.all([
    run.collect('reading counters again', [...counters, ...rules]),
    run.collect('reading events', told),
  ]);
}

function countersOf(place: Place, question: Question): Request[] {
  const ofNamespace = requestsForNamespace(place, question.family, AFTER_PROBES);
  const ofMachine = place.namespace === 'host' ? [{ action: 'softnet', place, args: {}, round: AFTER_PROBES }] : [];
  return [...ofNamespace, ...ofMachine].filter((request) => COUNTED.has(request.action));
}

/** Tables of nftables that the walk had asked for there. */
function tablesRead(run: Run, places: ReadonlyMap<string, Place>): Request[] {
  return run
    .replies()
    .map(({ request }) => request)
    .filter(
      ({ action, place, round }) => action === 'nft.table' && round !== AFTER_PROBES && places.has(placeKey(place)),
    )
    .map((request) => ({ ...request, round: AFTER_PROBES }));
}

/** Events of the question's pods, and of the pods of the Service that was asked for, that are not ready. */
function eventRequests(snapshot: Snapshot, question: Question): Request[] {
  const pods = snapshot.fact('api.pods', CLUSTER);
  if (pods.state === 'unseen') return [];
  const concerned = pods.value.filter((pod) => !isReady(pod) && isConcerned(pod, snapshot, question));
  return concerned.slice(0, PODS_MAX).map((pod) => ({
    action: 'api.events',
    place: CLUSTER,
    args: { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name },
    round: 0,
  }));
}

function isConcerned(pod: Pod, snapshot: Snapshot, question: Question): boolean {
  const { name, namespace } = pod.metadata;
  const ends = [question.source, question.destination];
  if (ends.some((end) => end.kind === 'pod' && end.name === name && end.namespace === namespace)) return true;
  const service = serviceAskedBy(snapshot, question)?.service;
  const selector = Object.entries(service?.spec.selector ?? {});
  if (!service || selector.length === 0 || service.metadata.namespace !== namespace) return false;
  return selector.every(([key, value]) => pod.metadata.labels?.[key] === value);
}

function isReady(pod: Pod): boolean {
  return pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

function logRequests(failed: readonly Flow[]): Request[] {
  const servers = failed.flatMap((flow) => (flow.purpose === 'dns-upstream' && flow.from ? [flow.from] : []));
  return [...new Map(servers.map((place) => [placeKey(place), place])).values()].map((place) => {
    const [, namespace = '', pod = ''] = place.namespace.split('/');
    return { action: 'api.log', place: CLUSTER, args: { namespace, pod, container: '' }, round: 0 };
  });
}
