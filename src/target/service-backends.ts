import { type Address, parseAddress } from '../net/address.ts';
import type { EndpointSlice, Service, ServicePort } from '../snapshot/objects.ts';

/** One endpoint of a Service's port as its EndpointSlices list it (discovery.k8s.io/v1). */
export interface Backend {
  readonly address: Address;
  readonly port: number;
  readonly node?: string;
  readonly zone?: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Zones of `hints.forZones` and nodes of `hints.forNodes`. */
  readonly hintZones: readonly string[];
  readonly hintNodes: readonly string[];
  readonly pod?: { readonly namespace: string; readonly name: string };
}

const SERVICE_NAME = 'kubernetes.io/service-name';

export function slicesOfService(slices: readonly EndpointSlice[], service: Service): readonly EndpointSlice[] {
  const namespace = service.metadata.namespace ?? 'default';
  return slices.filter(
    (one) =>
      (one.metadata.namespace ?? 'default') === namespace &&
      one.metadata.labels?.[SERVICE_NAME] === service.metadata.name &&
      one.addressType !== 'FQDN',
  );
}

/**
 * Every endpoint behind one port of a Service, in address order. A slice's port belongs to the Service's port of the same
 * name (both unnamed where there is one only); the same address in two slices counts once, ready before not ready.
 */
export function backendsOf(slices: readonly EndpointSlice[], service: Service, port: ServicePort): Backend[] {
  const found = new Map<string, Backend>();
  for (const slice of slicesOfService(slices, service)) {
    const number = portOfSlice(slice, port);
    if (number === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const backend = toBackend(endpoint, number);
      if (backend === undefined) continue;
      const key = `${backend.address} ${number}`;
      const before = found.get(key);
      if (before === undefined || (!before.ready && backend.ready)) found.set(key, backend);
    }
  }
  return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

function portOfSlice(slice: EndpointSlice, port: ServicePort): number | undefined {
  const same = slice.ports?.find(
    (one) => (one.name ?? '') === (port.name ?? '') && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
  );
  return same?.port;
}

type SliceEndpoint = NonNullable<EndpointSlice['endpoints']>[number];

function toBackend(endpoint: SliceEndpoint, port: number): Backend | undefined {
  const address = parseAddress(endpoint.addresses[0] ?? '');
  if (address === undefined) return undefined;
  const { ready, serving, terminating } = endpoint.conditions ?? {};
  const { targetRef } = endpoint;
  return {
    address,
    port,
    ...(endpoint.nodeName === undefined ? {} : { node: endpoint.nodeName }),
    ...(endpoint.zone === undefined ? {} : { zone: endpoint.zone }),
    // The API says that nil is to be read as true (ready), and serving as ready where it is nil.
    ready: ready !== false,
    serving: serving ?? ready !== false,
    terminating: terminating === true,
    hintZones: hintNames(endpoint.hints, 'forZones'),
    hintNodes: hintNames(endpoint.hints, 'forNodes'),
    ...(targetRef?.kind === 'Pod' && targetRef.name !== undefined
      ? { pod: { namespace: targetRef.namespace ?? 'default', name: targetRef.name } }
      : {}),
  };
}

function hintNames(hints: SliceEndpoint['hints'], key: string): readonly string[] {
  const list = hints?.[key];
  if (!Array.isArray(list)) return [];
  return list.map((one: unknown) => (one as { name?: unknown })?.name).filter((name) => typeof name === 'string');
}

/** Those that can take a connection: the ready ones, or, as proxies fall back (KEP-1669), the serving and terminating ones. */
export function usableBackends(backends: readonly Backend[]): readonly Backend[] {
  const ready = backends.filter((one) => one.ready);
  return ready.length > 0 ? ready : backends.filter((one) => one.serving && one.terminating);
}
