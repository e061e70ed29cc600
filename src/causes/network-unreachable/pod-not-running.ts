import { defineCause } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { CLUSTER, hostOf, type Place } from '../../net/place.ts';
import type { Pod } from '../../snapshot/objects.ts';
import type { Endpoint } from '../../target/question.ts';
import { present } from '../shared/present.ts';
import { podName } from '../shared/services.ts';

/** A pod of the question does not run: Pending, completed, failed, terminating, or no container of it is up (core/v1 PodStatus). */
export const podNotRunning = defineCause({
  id: 'pod-not-running',
  class: 'network-unreachable',
  title: 'The pod is not running',
  gravity: 'fault',
  at: 'question',
  needs: ['question', 'flows', 'api.pods'],
  optional: ['api.events', 'sandboxes'],
  explains: ['no-listener', 'endpoints-not-ready'],
  invariant: 'both pods of the question run',
  check(given, _place, ask) {
    const ends = [given.question.source, given.question.destination];
    const stopped = ends.flatMap((end) => {
      const pod = podOf(end, given['api.pods'].value);
      const why = pod && whyNotRunning(pod);
      return pod && why ? [{ pod, why }] : [];
    });
    const [first] = stopped;
    if (!first) return { is: 'absent', because: 'the pods of the question run' };
    const evidence = stopped.flatMap(({ pod, why }): Evidence[] => {
      const place: Place = {
        ...(pod.spec.nodeName ? hostOf(pod.spec.nodeName) : CLUSTER),
        object: `pod/${podName(pod)}`,
      };
      const events = ask('api.events', CLUSTER, {
        namespace: pod.metadata.namespace ?? 'default',
        name: pod.metadata.name,
      });
      const warning =
        events.state === 'seen' ? events.value.filter((event) => event.type === 'Warning').at(-1) : undefined;
      return [
        stateEvidence('pod-state', place, given['api.pods'], `${podName(pod)} ${why}`, {
          phase: pod.status.phase ?? 'unknown',
        }),
        ...(warning && events.state === 'seen'
          ? [stateEvidence('event', place, events, `${warning.reason}: ${warning.message}`)]
          : []),
        ...noProcesses(pod, place),
      ];
    });
    return present({
      claims: [],
      evidence: [...evidence, ...probeEvidence(given.flows.filter((flow) => flow.purpose === 'main'))],
      place: {
        ...(first.pod.spec.nodeName ? hostOf(first.pod.spec.nodeName) : CLUSTER),
        object: `pod/${podName(first.pod)}`,
      },
      fix: {
        summary: `${podName(first.pod)} ${first.why}: mend that first, the network cannot be judged before`,
        commands: [
          `kubectl -n ${first.pod.metadata.namespace} describe pod ${first.pod.metadata.name}`,
          `kubectl -n ${first.pod.metadata.namespace} logs ${first.pod.metadata.name} --previous --tail=50`,
        ],
      },
    });

    /** The node itself says it: no process of the pod is there. */
    function noProcesses(pod: Pod, place: Place): Evidence[] {
      if (!pod.spec.nodeName) return [];
      const observed = ask('sandboxes', hostOf(pod.spec.nodeName));
      if (observed.state === 'unseen' || !observed.complete) return [];
      const sandbox = observed.value.pods.find((one) => one.uid === pod.metadata.uid);
      if (sandbox && sandbox.containers.length > 0) return [];
      return [
        {
          kind: 'processes',
          plane: 'kernel',
          place,
          source: observed.source,
          values: {},
          statement: `no container process of ${podName(pod)} runs on ${pod.spec.nodeName}`,
        },
      ];
    }
  },
});

function podOf(end: Endpoint, pods: readonly Pod[]): Pod | undefined {
  return end.kind === 'pod'
    ? pods.find((pod) => pod.metadata.namespace === end.namespace && pod.metadata.name === end.name)
    : undefined;
}

/** Why the pod does not run, as a predicate; undefined where one of its containers runs. */
function whyNotRunning(pod: Pod): string | undefined {
  const { phase } = pod.status;
  if (phase === 'Succeeded') return 'has completed';
  if (phase === 'Failed') return `has failed${pod.status.reason ? ` (${pod.status.reason})` : ''}`;
  const statuses = [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])];
  const own = pod.status.containerStatuses ?? [];
  if (own.some((status) => status.state?.running)) return undefined;
  const waiting =
    statuses.find((status) => status.state?.waiting?.reason && status.state.waiting.reason !== 'PodInitializing') ??
    statuses.find((status) => status.state?.waiting);
  const why = waiting?.state?.waiting;
  if (phase === 'Pending') {
    const unscheduled = pod.status.conditions?.find(
      (condition) => condition.type === 'PodScheduled' && condition.status === 'False',
    );
    if (unscheduled) return `is not scheduled: ${unscheduled.message ?? unscheduled.reason ?? 'no node fits'}`;
    return `is Pending${why ? `: ${waiting!.name} waits (${why.reason}${why.message ? `: ${why.message}` : ''})` : ''}`;
  }
  if (pod.metadata.deletionTimestamp) return 'is being deleted, and no container of it runs any more';
  if (why)
    return `has no running container: ${waiting!.name} waits (${why.reason}${why.message ? `: ${why.message}` : ''})`;
  const ended = own.find((status) => status.state?.terminated)?.state?.terminated;
  return ended
    ? `has no running container: the last one ended (${ended.reason ?? `exit ${ended.exitCode}`})`
    : undefined;
}
