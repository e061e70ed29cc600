import { type Ask, defineCause } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { deadEndsTo, flowsTo } from '../../diagnose/service-flows.ts';
import { CLUSTER } from '../../net/place.ts';
import type { Pod } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { backendsOf, usableBackends } from '../../target/service-backends.ts';
import { claimsOf } from '../shared/claims.ts';
import { present } from '../shared/present.ts';
import { isReadyPod, podName, selectedPods, serviceAt, serviceName, servicePlace } from '../shared/services.ts';

/**
 * Pods match the Service, but none of them is ready, so proxies have nowhere to send to. Proxies fall back to endpoints
 * that serve while they terminate (KEP-1669): then it still works, and this is absent.
 */
export const endpointsNotReady = defineCause({
  id: 'endpoints-not-ready',
  class: 'port-unreachable',
  title: 'None of the Service’s pods is ready',
  gravity: 'fault',
  at: 'service',
  needs: ['flows', 'api.services', 'api.pods', 'api.endpointslices', 'api.events'],
  invariant: 'a Service whose selector matches pods has a usable endpoint',
  check(given, place, ask) {
    const service = serviceAt(place, given['api.services'].value);
    if (!service) return { is: 'absent', because: 'there is no such Service' };
    const pods = selectedPods(service, given['api.pods'].value);
    if (pods.length === 0) return { is: 'absent', because: `the selector of ${serviceName(service)} matches no pod` };
    if (service.spec.publishNotReadyAddresses)
      return { is: 'absent', because: `${serviceName(service)} publishes addresses that are not ready` };
    const ports = service.spec.ports ?? [];
    const usable = ports.flatMap((port) =>
      usableBackends(backendsOf(given['api.endpointslices'].value, service, port)),
    );
    if (usable.length > 0)
      return { is: 'absent', because: `${serviceName(service)} has ${usable.length} usable endpoints` };
    if (pods.some(isReadyPod)) return { is: 'absent', because: `a pod of ${serviceName(service)} is ready` };
    if (!isComplete(given['api.endpointslices']))
      return { is: 'unknown', because: 'the EndpointSlices were not read wholly' };
    return present({
      claims: claimsOf(deadEndsTo(service, given.flows)),
      evidence: [
        stateEvidence(
          'endpoints',
          place,
          given['api.endpointslices'],
          `${serviceName(service)} selects ${pods.length} pods, and none of their endpoints is ready`,
        ),
        ...pods.slice(0, 3).map((pod) => stateEvidence('pod-ready', place, given['api.pods'], notReadyStatement(pod))),
        ...pods.slice(0, 3).flatMap((pod) => failingProbe(pod, ask)),
        ...probeEvidence(flowsTo(service, given.flows)),
      ],
      place: servicePlace(service),
      fix: {
        summary:
          'mend what keeps the pods from being ready: the probe’s path, port or time-outs, or the application itself',
        commands: pods
          .slice(0, 1)
          .flatMap((pod) => [
            `kubectl -n ${pod.metadata.namespace} describe pod ${pod.metadata.name}`,
            `kubectl -n ${pod.metadata.namespace} logs ${pod.metadata.name} --tail=50`,
          ]),
      },
    });
  },
});

function notReadyStatement(pod: Pod): string {
  const ready = pod.status.conditions?.find((condition) => condition.type === 'Ready');
  const gates = (pod.spec.readinessGates ?? [])
    .filter(
      (gate) => pod.status.conditions?.find((condition) => condition.type === gate.conditionType)?.status !== 'True',
    )
    .map((gate) => `readiness gate ${gate.conditionType}`);
  const containers = (pod.status.containerStatuses ?? []).filter((status) => !status.ready).map(containerStatement);
  const why = [...gates, ...containers];
  return `${podName(pod)} is not ready${why.length > 0 ? `: ${why.join('; ')}` : ready?.message ? `: ${ready.message}` : ''}`;

  function containerStatement(status: NonNullable<Pod['status']['containerStatuses']>[number]): string {
    const waiting = status.state?.waiting?.reason;
    if (waiting) return `container ${status.name} waits (${waiting})`;
    if (status.state?.terminated)
      return `container ${status.name} has ended (${status.state.terminated.reason ?? `exit ${status.state.terminated.exitCode}`})`;
    const probe = pod.spec.containers.find((container) => container.name === status.name)?.readinessProbe;
    return `container ${status.name} runs, but its readiness probe${probe ? ` (${probeText(probe)})` : ''} does not pass`;
  }
}

/** The handler of a probe in a few words (core/v1 Probe). */
function probeText(probe: Readonly<Record<string, unknown>>): string {
  const http = probe['httpGet'] as { path?: string; port?: unknown } | undefined;
  if (http) return `HTTP GET ${http.path ?? '/'} on port ${String(http.port)}`;
  const tcp = probe['tcpSocket'] as { port?: unknown } | undefined;
  if (tcp) return `TCP connect to port ${String(tcp.port)}`;
  const grpc = probe['grpc'] as { port?: unknown } | undefined;
  if (grpc) return `gRPC on port ${String(grpc.port)}`;
  const exec = probe['exec'] as { command?: readonly string[] } | undefined;
  return exec?.command ? `command ${exec.command.join(' ')}` : 'of an unknown kind';
}

function failingProbe(pod: Pod, ask: Ask<'api.events'>): Evidence[] {
  const events = ask('api.events', CLUSTER, {
    namespace: pod.metadata.namespace ?? 'default',
    name: pod.metadata.name,
  });
  if (events.state === 'unseen') return [];
  const unhealthy = events.value
    .filter((event) => event.reason === 'Unhealthy' && /readiness/i.test(event.message ?? ''))
    .at(-1);
  return unhealthy
    ? [stateEvidence('event', CLUSTER, events, `the kubelet says of ${podName(pod)}: ${unhealthy.message}`)]
    : [];
}
