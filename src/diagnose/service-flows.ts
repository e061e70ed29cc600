import type { Service } from '../snapshot/objects.ts';
import type { Flow } from './derived.ts';
import { type DeadEnd, deadEnds, hopOf, stepOf } from './evidence-of.ts';
import type { Leaf } from './leaves.ts';

/** The flows that go to the Service itself: to one of its cluster addresses, or to its NodePort or load balancer. */
export function flowsTo(service: Service, flows: readonly Flow[]): Flow[] {
  const addresses = new Set([
    ...(service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : [])),
    ...(service.spec.externalIPs ?? []),
    ...(service.status?.loadBalancer?.ingress ?? []).flatMap((one) => one.ip ?? []),
  ]);
  return flows.filter(
    (flow) => flow.protocol !== 'icmp' && (addresses.has(flow.destination) || isToNodePort(flow, service)),
  );
}

/** Any port can have a NodePort's number: an endpoint's is its own, and so is one that a pod gets untranslated. */
function isToNodePort(flow: Flow, service: Service): boolean {
  if (flow.purpose === 'endpoint') return false;
  const isOne = (service.spec.ports ?? []).some(
    (port) => port.nodePort === flow.port && (port.protocol ?? 'TCP').toLowerCase() === flow.protocol,
  );
  return isOne && flow.port !== undefined && !flow.leaves.some((leaf) => isUntranslatedInPod(leaf, flow));
}

function isUntranslatedInPod({ ref, end }: Leaf, flow: Flow): boolean {
  return (
    ref.leg === 'forward' && end.place.namespace.startsWith('pod/') && end.packet.ip.destination === flow.destination
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
