import { defineCause } from '../../diagnose/cause.ts';
import { probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { deadEndsTo, flowsTo } from '../../diagnose/service-flows.ts';
import type { Pod } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { backendsOf, usableBackends } from '../../target/service-backends.ts';
import { claimsOf } from '../shared/claims.ts';
import { dnsServices } from '../shared/cluster-dns.ts';
import { present } from '../shared/present.ts';
import { podName, selectedPods, serviceAt, serviceName, servicePlace } from '../shared/services.ts';

/** The cluster's DNS Service has no usable endpoint: its servers are gone, not scheduled, crashing or not ready. */
export const dnsNoEndpoints = defineCause({
  id: 'dns-no-endpoints',
  class: 'dns-failure',
  title: 'The cluster’s DNS has no server that is ready',
  gravity: 'fault',
  at: 'service',
  needs: ['flows', 'api.services', 'api.pods', 'api.endpointslices'],
  optional: ['api.deployments'],
  refines: ['service-selector-mismatch', 'endpoints-not-ready'],
  invariant: 'the cluster’s DNS Service has a usable endpoint',
  check(given, place) {
    const service = serviceAt(place, given['api.services'].value);
    if (!service || !dnsServices(given['api.services'].value).includes(service))
      return { is: 'absent', because: 'this Service is not the cluster’s DNS' };
    const usable = (service.spec.ports ?? []).flatMap((port) =>
      usableBackends(backendsOf(given['api.endpointslices'].value, service, port)),
    );
    if (usable.length > 0)
      return { is: 'absent', because: `${serviceName(service)} has ${usable.length} usable endpoints` };
    if (!isComplete(given['api.endpointslices']))
      return { is: 'unknown', because: 'the EndpointSlices were not read wholly' };
    const pods = selectedPods(service, given['api.pods'].value);
    const deployments = given['api.deployments'];
    const deployment = (deployments.state === 'seen' ? deployments.value : []).find(
      (one) =>
        one.metadata.namespace === service.metadata.namespace &&
        Object.entries(service.spec.selector ?? {}).every(
          ([key, value]) => one.spec.selector?.matchLabels?.[key] === value,
        ),
    );
    return present({
      claims: claimsOf(deadEndsTo(service, given.flows)),
      evidence: [
        stateEvidence(
          'endpoints',
          place,
          given['api.endpointslices'],
          `${serviceName(service)} has no usable endpoint`,
        ),
        ...(deployment && deployments.state === 'seen'
          ? [
              stateEvidence(
                'deployment',
                place,
                deployments,
                `deployment ${deployment.metadata.namespace}/${deployment.metadata.name} wants ${deployment.spec.replicas ?? 1} replicas`,
              ),
            ]
          : []),
        ...(pods.length === 0
          ? [stateEvidence('pods', place, given['api.pods'], `no pod of ${serviceName(service)} exists`)]
          : pods.slice(0, 3).map((pod) => stateEvidence('pod-state', place, given['api.pods'], podStatement(pod)))),
        ...probeEvidence(flowsTo(service, given.flows)),
      ],
      place: servicePlace(service),
      fix: {
        summary:
          deployment?.spec.replicas === 0
            ? 'scale the cluster’s DNS up again; somebody set it to no replicas'
            : 'get the DNS pods ready: see their state, events and log',
        commands: [
          ...(deployment?.spec.replicas === 0
            ? [`kubectl -n ${deployment.metadata.namespace} scale deployment ${deployment.metadata.name} --replicas=2`]
            : []),
          `kubectl -n ${service.metadata.namespace} get pods -l ${Object.entries(service.spec.selector ?? {})
            .map(([key, value]) => `${key}=${value}`)
            .join(',')} -o wide`,
        ],
      },
    });
  },
});

function podStatement(pod: Pod): string {
  const waiting = pod.status.containerStatuses?.find((status) => status.state?.waiting)?.state?.waiting;
  const unscheduled = pod.status.conditions?.find(
    (condition) => condition.type === 'PodScheduled' && condition.status === 'False',
  );
  const why =
    waiting?.reason ??
    unscheduled?.message ??
    (pod.status.phase === 'Running' ? 'runs but is not ready' : pod.status.phase);
  return `${podName(pod)}: ${why ?? 'unknown state'}`;
}
