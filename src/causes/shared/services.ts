import { CLUSTER, type Place } from '../../net/place.ts';
import type { EndpointSlice, Pod, Service } from '../../snapshot/objects.ts';
import { slicesOfService } from '../../target/service-backends.ts';

/** The Service that a place of `at: 'service'` names (`service/NS/NAME`). */
export function serviceAt(place: Place, services: readonly Service[]): Service | undefined {
  const [, namespace, name] = (place.object ?? '').split('/');
  return services.find((service) => service.metadata.namespace === namespace && service.metadata.name === name);
}

export function serviceName(service: Service): string {
  return `${service.metadata.namespace}/${service.metadata.name}`;
}

export function servicePlace(service: Service): Place {
  return { ...CLUSTER, object: `service/${serviceName(service)}` };
}

export function selectorText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Pods of the Service's namespace that its selector selects and that have not ended. */
export function selectedPods(service: Service, pods: readonly Pod[]): Pod[] {
  const selector = Object.entries(service.spec.selector ?? {});
  if (selector.length === 0) return [];
  return livingPods(service, pods).filter((pod) =>
    selector.every(([key, value]) => pod.metadata.labels?.[key] === value),
  );
}

export function livingPods(service: Service, pods: readonly Pod[]): Pod[] {
  return pods.filter(
    (pod) =>
      pod.metadata.namespace === service.metadata.namespace &&
      pod.status.phase !== 'Succeeded' &&
      pod.status.phase !== 'Failed',
  );
}

/** Every address that the Service's EndpointSlices list, ready or not. */
export function listedAddresses(service: Service, slices: readonly EndpointSlice[]): string[] {
  return slicesOfService(slices, service).flatMap((slice) =>
    (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
  );
}

export function isReadyPod(pod: Pod): boolean {
  return pod.status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

export function podName(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}
