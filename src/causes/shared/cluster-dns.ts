import type { Address } from '../../net/address.ts';
import type { Service } from '../../snapshot/objects.ts';

/** NodeLocal DNSCache's usual link-local address (kubernetes.io, "Using NodeLocal DNSCache"). */
const NODE_LOCAL = '169.254.20.10';

/** The Services that serve the cluster's DNS: by the label that every distribution keeps, else by name. */
export function dnsServices(services: readonly Service[]): Service[] {
  const labelled = services.filter(
    (service) => service.metadata.labels?.['k8s-app'] === 'kube-dns' && hasPort53(service),
  );
  if (labelled.length > 0) return labelled;
  return services.filter(
    (service) =>
      service.metadata.namespace === 'kube-system' &&
      ['kube-dns', 'coredns'].includes(service.metadata.name) &&
      hasPort53(service),
  );
}

function hasPort53(service: Service): boolean {
  return (service.spec.ports ?? []).some((port) => port.port === 53);
}

export function isClusterDns(address: Address, services: readonly Service[]): boolean {
  return (
    address === NODE_LOCAL || dnsServices(services).some((service) => (service.spec.clusterIPs ?? []).includes(address))
  );
}
