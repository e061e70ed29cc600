import type { Service } from '../snapshot/objects.ts';
import type { Flow } from './derived.ts';
import { type DeadEnd, deadEnds, hopOf, stepOf } from './evidence-of.ts';

/** The flows that go to the Service itself: to one of its cluster addresses, or to its NodePort or load balancer. */
export function flowsTo(service: Service, flows: readonly Flow[]): Flow[] {
  const addresses = new Set([
    ...(service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : [])),
    ...(service.spec.externalIPs ?? []),
    ...(service.status?.loadBalancer?.ingress ?? []).flatMap((one) => one.ip ?? []),
  ]);
  const nodePorts = new Set((service.spec.ports ?? []).flatMap((port) => port.nodePort ?? []));
  return flows.filter(
    (flow) =>
      flow.protocol !== 'icmp' &&
      (addresses.has(flow.destination) || (flow.port !== undefined && nodePorts.has(flow.port))),
  );
}

/** Dead ends, and those of which the walk could not tell: what lies behind an address that is nobody's is not known. */
export function endsTo(service: Service, flows: readonly Flow[]): DeadEnd[] {
  return flowsTo(service, flows).flatMap((flow) =>
    [...flow.dead, ...flow.unknown].map((leaf) => ({ flow, leaf, step: stepOf(leaf), hop: hopOf(leaf) })),
  );
}

export function deadEndsTo(service: Service, flows: readonly Flow[]): DeadEnd[] {
  return deadEnds(flowsTo(service, flows));
}
