import { type Address, parseAddress } from '../net/address.ts';
import type { Service, ServicePort } from '../snapshot/objects.ts';
import type { Protocol, ServiceEndpoint } from './question.ts';

export function protocolOf(port: { readonly protocol?: string }): 'tcp' | 'udp' | 'sctp' {
  const lower = (port.protocol ?? 'TCP').toLowerCase();
  return lower === 'udp' || lower === 'sctp' ? lower : 'tcp';
}

/** The Service's port by number or name; of several with the number (DNS has 53 for UDP and TCP) the first that fits. */
export function servicePortOf(service: Service, asked: string, protocol?: Protocol): ServicePort | undefined {
  const byProtocol = (service.spec.ports ?? []).filter(
    (one) => protocol === undefined || protocol === 'icmp' || protocolOf(one) === protocol,
  );
  if (/^\d+$/.test(asked)) return byProtocol.find((one) => one.port === Number(asked));
  return byProtocol.find((one) => one.name === asked);
}

/** The port to ask where the user named none: the first of the protocol asked for, TCP before others. */
export function defaultServicePort(service: Service, protocol?: Protocol): ServicePort | undefined {
  const ports = service.spec.ports ?? [];
  if (protocol !== undefined && protocol !== 'icmp') return ports.find((one) => protocolOf(one) === protocol);
  return ports.find((one) => protocolOf(one) === 'tcp') ?? ports[0];
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None' || service.spec.clusterIPs?.[0] === 'None';
}

export function clusterAddresses(service: Service): readonly Address[] {
  const texts = service.spec.clusterIPs ?? (service.spec.clusterIP === undefined ? [] : [service.spec.clusterIP]);
  return texts.map(parseAddress).filter((address) => address !== undefined);
}

/** externalIPs and load balancer addresses. */
export function externalAddresses(service: Service): readonly Address[] {
  const ingress = service.status?.loadBalancer?.ingress?.map((one) => one.ip ?? '') ?? [];
  return [...(service.spec.externalIPs ?? []), ...ingress].map(parseAddress).filter((one) => one !== undefined);
}

export function serviceEndpoint(
  service: Service,
  port: { port?: ServicePort; portAsked?: string } = {},
  address?: Address,
): ServiceEndpoint {
  const type = service.spec.type ?? 'ClusterIP';
  return {
    kind: 'service',
    namespace: service.metadata.namespace ?? 'default',
    name: service.metadata.name,
    type,
    addresses: address === undefined ? clusterAddresses(service) : [address],
    headless: type !== 'ExternalName' && isHeadless(service),
    ...(port.port === undefined ? {} : { port: port.port }),
    ...(port.portAsked === undefined ? {} : { portAsked: port.portAsked }),
    ...(service.spec.externalName === undefined || type !== 'ExternalName'
      ? {}
      : { externalName: service.spec.externalName }),
  };
}

/** `http 80/tcp, dns 53/udp`, for notes. */
export function describePorts(service: Service): string {
  const ports = service.spec.ports ?? [];
  return ports.map((one) => `${one.name ? `${one.name} ` : ''}${one.port}/${protocolOf(one)}`).join(', ');
}

/** The Service and port behind a NodePort. */
export function serviceOfNodePort(
  services: readonly Service[],
  nodePort: number,
  protocol?: Protocol,
): { readonly service: Service; readonly port: ServicePort } | undefined {
  for (const service of services) {
    const port = service.spec.ports?.find(
      (one) => one.nodePort === nodePort && (protocol === undefined || protocolOf(one) === protocol),
    );
    if (port) return { service, port };
  }
  return undefined;
}

/**
 * The Service that a name means inside a pod of `namespace`, by the cluster DNS's schema: `api`, `api.shop`,
 * `api.shop.svc`, `api.shop.svc.DOMAIN` (DNS-Based Service Discovery 1.1.0).
 */
export function serviceOfHost(host: string, namespace: string, services: readonly Service[]): Service | undefined {
  const labels = host.toLowerCase().replace(/\.$/, '').split('.');
  const [name, where = namespace, kind] = labels;
  if (kind !== undefined && kind !== 'svc') return undefined;
  if (labels.length === 1 && host.endsWith('.')) return undefined;
  return services.find((one) => one.metadata.name === name && (one.metadata.namespace ?? 'default') === where);
}
