import { defineCause } from '../../diagnose/cause.ts';
import { probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { deadEndsTo, flowsTo } from '../../diagnose/service-flows.ts';
import type { Pod, Service } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { claimsOf } from '../shared/claims.ts';
import { present } from '../shared/present.ts';
import {
  listedAddresses,
  livingPods,
  podName,
  selectedPods,
  selectorText,
  serviceAt,
  serviceName,
  servicePlace,
} from '../shared/services.ts';

/** No pod matches the Service's selector, so it has no endpoints (the endpointslice controller lists what is selected). */
export const serviceSelectorMismatch = defineCause({
  id: 'service-selector-mismatch',
  class: 'port-unreachable',
  title: 'No pod matches the Service’s selector',
  gravity: 'fault',
  at: 'service',
  needs: ['flows', 'api.services', 'api.pods', 'api.endpointslices'],
  invariant: 'a Service with a selector selects at least one pod',
  check(given, place) {
    const service = serviceAt(place, given['api.services'].value);
    if (!service) return { is: 'absent', because: 'there is no such Service' };
    const { selector } = service.spec;
    if (!selector || Object.keys(selector).length === 0)
      return { is: 'absent', because: `${serviceName(service)} has no selector: its endpoints are kept by hand` };
    const selected = selectedPods(service, given['api.pods'].value);
    if (selected.length > 0)
      return { is: 'absent', because: `the selector of ${serviceName(service)} matches ${selected.length} pods` };
    if (listedAddresses(service, given['api.endpointslices'].value).length > 0)
      return { is: 'absent', because: `${serviceName(service)} has endpoints` };
    if (!isComplete(given['api.pods']) || !isComplete(given['api.endpointslices']))
      return { is: 'unknown', because: 'pods or EndpointSlices were not read wholly' };
    const near = nearestPod(service, given['api.pods'].value);
    const flows = flowsTo(service, given.flows);
    return present({
      claims: claimsOf(deadEndsTo(service, given.flows)),
      evidence: [
        stateEvidence(
          'selector',
          place,
          given['api.services'],
          `${serviceName(service)} selects ${selectorText(selector)}, and no pod of its namespace has these labels`,
        ),
        ...(near ? [stateEvidence('labels', place, given['api.pods'], nearStatement(near, selector))] : []),
        ...probeEvidence(flows),
      ],
      place: servicePlace(service),
      fix: {
        summary: near
          ? `make the Service’s selector and the pods’ labels agree: ${differences(near, selector).join(', ')}`
          : 'correct the selector, or start the pods that it means',
        commands: [
          `kubectl -n ${service.metadata.namespace} get pods --show-labels`,
          ...(near
            ? [
                `kubectl -n ${service.metadata.namespace} patch service ${service.metadata.name} --type merge -p '${JSON.stringify({ spec: { selector: corrected(near, selector) } })}'`,
              ]
            : []),
        ],
      },
    });
  },
});

/** The pod that shares most of the selector's labels, or has the same keys with other values. */
function nearestPod(service: Service, pods: readonly Pod[]): Pod | undefined {
  const selector = service.spec.selector ?? {};
  const scored = livingPods(service, pods)
    .map((pod) => ({ pod, score: score(pod, selector) }))
    .filter((one) => one.score > 0);
  return scored.sort((a, b) => b.score - a.score || a.pod.metadata.name.localeCompare(b.pod.metadata.name))[0]?.pod;
}

/** An equal label counts double, a key with another value counts if one value holds the other (web, web-v2) or nothing else is set. */
function score(pod: Pod, selector: Readonly<Record<string, string>>): number {
  return Object.entries(selector).reduce((sum, [key, value]) => {
    const own = pod.metadata.labels?.[key];
    if (own === value) return sum + 2;
    return own !== undefined && (own.includes(value) || value.includes(own)) ? sum + 1 : sum;
  }, 0);
}

function differences(pod: Pod, selector: Readonly<Record<string, string>>): string[] {
  return Object.entries(selector)
    .filter(([key, value]) => pod.metadata.labels?.[key] !== value)
    .map(
      ([key, value]) =>
        `${key}: the Service wants "${value}", the pod has ${pod.metadata.labels?.[key] === undefined ? 'no such label' : `"${pod.metadata.labels[key]}"`}`,
    );
}

function nearStatement(pod: Pod, selector: Readonly<Record<string, string>>): string {
  return `the nearest pod is ${podName(pod)}; ${differences(pod, selector).join('; ')}`;
}

function corrected(pod: Pod, selector: Readonly<Record<string, string>>): Record<string, string | null> {
  return Object.fromEntries(Object.entries(selector).map(([key]) => [key, pod.metadata.labels?.[key] ?? null]));
}
