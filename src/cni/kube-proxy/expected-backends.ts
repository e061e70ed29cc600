import type { EndpointSlice, Node, Service, ServicePort } from '../../snapshot/objects.ts';
import { type Backend, backendsOf } from '../../target/service-backends.ts';
import { isHeadless } from '../../target/service-ports.ts';

/** Whom a service proxy on one node should send a Service's connections to. */
export interface ExpectedBackends {
  /** Connections to the ClusterIP, from this node and its pods (internalTrafficPolicy). */
  readonly internal: readonly Backend[];
  /** Connections from outside to NodePort, externalIPs and load balancer addresses at this node (externalTrafficPolicy). */
  readonly external: readonly Backend[];
  /** Nothing was ready, so those that still serve while they terminate are used (KEP-1669). */
  readonly terminating: boolean;
  /** Which hints bound the choice (topology-aware routing, trafficDistribution). */
  readonly topology?: 'zone' | 'node';
  /** Some endpoint anywhere could take a connection: without one the proxy rejects, with one but none here it drops. */
  readonly anywhere: boolean;
}

/** Does kube-proxy deal with this Service at all? (pkg/proxy/config, pkg/proxy/util ShouldSkipService; `service-proxy-name` hands it to another proxy.) */
export function isProxied(service: Service): boolean {
  if (service.spec.type === 'ExternalName' || isHeadless(service) || !service.spec.clusterIP) return false;
  return service.metadata.labels?.['service.kubernetes.io/service-proxy-name'] === undefined;
}

/**
 * Pure. Follows pkg/proxy/topology.go (CategorizeEndpoints): ready endpoints, by hints where every ready endpoint has
 * one and some are for here; else those serving and terminating; for a `Local` policy the node's own only.
 * publishNotReadyAddresses needs nothing here: the controller marks such endpoints ready.
 */
export function expectedBackends(
  service: Service,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  node: Pick<Node, 'metadata'>,
): ExpectedBackends {
  const all = backendsOf(slices, service, port);
  const ready = all.filter((one) => one.ready);
  const draining = all.filter((one) => !one.ready && one.serving && one.terminating);
  const { list, topology } = byTopology(ready, node);
  const cluster = list.length > 0 ? list : draining;
  const local = localOf(ready, node).length > 0 ? localOf(ready, node) : localOf(draining, node);
  const internal = service.spec.internalTrafficPolicy === 'Local' ? local : cluster;
  const external = service.spec.externalTrafficPolicy === 'Local' ? local : cluster;
  return {
    internal,
    external,
    terminating: ready.length === 0 && draining.length > 0,
    ...(topology === undefined ? {} : { topology }),
    anywhere: ready.length + draining.length > 0,
  };
}

function localOf(backends: readonly Backend[], node: Pick<Node, 'metadata'>): readonly Backend[] {
  return backends.filter((one) => one.node === node.metadata.name);
}

function byTopology(
  ready: readonly Backend[],
  node: Pick<Node, 'metadata'>,
): { readonly list: readonly Backend[]; readonly topology?: 'zone' | 'node' } {
  if (ready.length === 0) return { list: ready };
  const { name, labels } = node.metadata;
  const here = ready.filter((one) => one.hintNodes.includes(name));
  if (ready.every((one) => one.hintNodes.length > 0) && here.length > 0) return { list: here, topology: 'node' };
  const zone = labels?.['topology.kubernetes.io/zone'];
  const near = ready.filter((one) => zone !== undefined && one.hintZones.includes(zone));
  if (ready.every((one) => one.hintZones.length > 0) && near.length > 0) return { list: near, topology: 'zone' };
  return { list: ready };
}
