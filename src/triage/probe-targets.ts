import type { Request } from '../host/host.ts';
import { familyOf } from '../net/address.ts';
import { podPlace } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from '../target/cluster-list.ts';
import { ENDPOINT_FLOWS_MAX, type PlannedFlow, serviceAskedBy } from '../target/flows.ts';
import type { Question } from '../target/question.ts';
import { type Backend, backendsOf, usableBackends } from '../target/service-backends.ts';

/** A ready backend of the Service that is asked, to be tried past the Service. */
export interface BackendTarget {
  /** `pod/shop/api-0 10.244.1.4:8080`. */
  readonly name: string;
  readonly request: Request;
}

export interface ServiceTargets {
  readonly backends: readonly BackendTarget[];
  /** Why the Service does not spread this source's connections over these backends evenly; undefined where it does. */
  readonly unevenBecause?: string;
}

/** The Service that the question leads through, with each ready backend of the asked port; undefined where there is none. */
export function serviceTargets(
  snapshot: Snapshot,
  question: Question,
  main: PlannedFlow,
  request: Request,
): ServiceTargets | undefined {
  const asked = serviceAskedBy(snapshot, question);
  // The addresses of a headless Service are its backends: nothing is between.
  if (asked?.port === undefined || asked.service.spec.clusterIP === 'None') return undefined;
  const { service, port } = asked;
  const slices = seenItems(clusterList(snapshot, 'api.endpointslices', service.metadata.namespace ?? 'default'));
  const family = familyOf(main.packet.ip.destination);
  const all = usableBackends(backendsOf(slices, service, port)).filter((one) => familyOf(one.address) === family);
  const tried = all.slice(0, ENDPOINT_FLOWS_MAX);
  const unevenBecause = uneven(service.spec, all, tried.length);
  return {
    backends: tried.map((backend) => ({
      name: nameOf(backend),
      request: { ...request, args: { ...request.args, address: backend.address, port: backend.port } },
    })),
    ...(unevenBecause === undefined ? {} : { unevenBecause }),
  };
}

function nameOf({ address, port, pod }: Backend): string {
  const end = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return pod === undefined ? end : `${podPlace('', pod.namespace, pod.name).namespace} ${end}`;
}

function uneven(
  spec: { readonly sessionAffinity?: string; readonly internalTrafficPolicy?: string },
  all: readonly Backend[],
  tried: number,
): string | undefined {
  if (spec.sessionAffinity === 'ClientIP')
    return 'the Service keeps each client at one backend (sessionAffinity: ClientIP)';
  if (spec.internalTrafficPolicy === 'Local')
    return 'the Service sends only to backends of the client’s own node (internalTrafficPolicy: Local)';
  if (all.some(({ hintZones, hintNodes }) => hintZones.length + hintNodes.length > 0))
    return 'the Service prefers backends that are near (hints in its EndpointSlices)';
  return tried < all.length ? `only ${tried} of its ${all.length} backends were tried` : undefined;
}
