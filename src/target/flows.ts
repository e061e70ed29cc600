import { type Address, type Family, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { hostOf, type Place, podPlace } from '../net/place.ts';
import type { Service, ServicePort } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import { leavingMtu } from './leaving-device.ts';
import { firstPacket } from './packets.ts';
import type { Endpoint, Protocol, Question, ServiceEndpoint } from './question.ts';
import { type Backend, backendsOf, usableBackends } from './service-backends.ts';
import { clusterAddresses, protocolOf, serviceOfHost, serviceOfNodePort, servicePortOf } from './service-ports.ts';

/** Backends of one Service that are looked at one by one. */
export const ENDPOINT_FLOWS_MAX = 8;

export type FlowPurpose =
  | 'main'
  | 'dns'
  | 'dns-endpoint'
  | 'icmp'
  | 'endpoint'
  | 'large'
  // What an answer makes worth asking (triage/follow-ups.ts):
  | 'dns-control' // a name that the cluster's DNS must know, at the server that failed
  | 'dns-tcp' // a look-up whose answer did not fit UDP, over TCP
  | 'dns-tcp-control' // a small answer over TCP, of the same server
  | 'dns-upstream-tcp' // the same of the server that the cluster's DNS forwards to
  | 'dns-upstream' // the server that the cluster's DNS forwards to, from its own namespace
  | 'underlay' // from node to node, small
  | 'underlay-large' // and at the NIC's own MTU
  | 'past-proxy' // main as the user of the mesh's proxy, whom nobody intercepts
  | 'size'; // sizes between the smallest and the largest, where only large ones are lost

/** One packet that the question makes us look at, before it is walked. */
export interface PlannedFlow {
  /** `main`, `dns/ADDRESS` (a nameserver of the source), `icmp`, `large`, `endpoint/ADDRESS`, `dns-endpoint/ADDRESS`. */
  readonly id: string;
  readonly purpose: FlowPurpose;
  /** The namespace that sends it, or an address outside the cluster. */
  readonly from: Place | { readonly outside: Address };
  readonly packet: Packet;
  readonly protocol: Protocol;
  /**
   * The socket is not bound to an address, as those of most clients: the route chooses it. The packet's source is then what
   * the cluster's objects say, which a node or a pod with several addresses need not send from.
   */
  readonly isUnbound?: true;
  /** What a DNS server is asked for, where it is not the question's own list of names. */
  readonly name?: string;
  /** The user as whom it is probed; undefined: podtriage's own. */
  readonly asUser?: number;
}

/** What is known of names: addresses that the source's resolver answered, by the name asked. */
export type ResolvedNames = ReadonlyMap<string, readonly Address[]>;

/**
 * The packets that the question makes us look at. Empty where the source has no network yet; without `main` where no
 * address is known (a name that was not resolved, a Service without endpoints). Pure and deterministic.
 */
export function plannedFlows(
  snapshot: Snapshot,
  question: Question,
  resolved: ResolvedNames = new Map(),
): PlannedFlow[] {
  const sender = senderOf(snapshot, question);
  if (sender === undefined) return [];
  const target = mainTarget(snapshot, question, resolved);
  return [
    ...mainFlows(sender, question, target),
    ...endpointFlows(snapshot, sender, question),
    ...dnsFlows(snapshot, sender, question),
  ];
}

interface Sender {
  readonly from: PlannedFlow['from'];
  readonly addressOf: (family: Family) => Address | undefined;
  readonly mtuOf: (destination: Address) => number | undefined;
}

function senderOf(snapshot: Snapshot, question: Question): Sender | undefined {
  const { source } = question;
  if (source.kind === 'address') {
    const { address } = source;
    return {
      from: { outside: address },
      addressOf: (family) => (familyOf(address) === family ? address : undefined),
      mtuOf: () => undefined,
    };
  }
  if (source.kind !== 'pod' && source.kind !== 'node') return undefined;
  const { place } = source;
  if (place === undefined) return undefined;
  return {
    from: place,
    addressOf: (family) => source.addresses.find((one) => familyOf(one) === family),
    mtuOf: (destination) => leavingMtu(snapshot, place, destination),
  };
}

function flow(
  sender: Sender,
  id: string,
  purpose: FlowPurpose,
  to: { readonly destination: Address; readonly protocol: Protocol; readonly port?: number },
  lengthBytes?: number,
): PlannedFlow[] {
  const family = familyOf(to.destination);
  const source = sender.addressOf(family);
  if (source === undefined) return [];
  const packet = firstPacket({ source, ...to, ...(lengthBytes === undefined ? {} : { lengthBytes }) });
  const { from } = sender;
  return [{ id, purpose, from, packet, protocol: to.protocol, ...('node' in from && { isUnbound: true as const }) }];
}

function mainFlows(sender: Sender, question: Question, destination: Address | undefined): PlannedFlow[] {
  if (destination === undefined) return [];
  const { protocol, port } = question;
  const to = { destination, protocol, ...(port === undefined ? {} : { port }) };
  // A port that the Service does not have by name leaves nothing to send to.
  const main = protocol !== 'icmp' && port === undefined ? [] : flow(sender, 'main', 'main', to);
  const icmp = protocol === 'icmp' ? [] : flow(sender, 'icmp', 'icmp', { destination, protocol: 'icmp' });
  const mtu = sender.mtuOf(destination);
  // As ping, which alone can be of any size at once: walk and probe must speak of the same packet.
  const toLarge = { destination, protocol: 'icmp' } as const;
  const large = main.length === 0 || mtu === undefined ? [] : flow(sender, 'large', 'large', toLarge, mtu);
  return [...main, ...icmp, ...large];
}

function mainTarget(snapshot: Snapshot, question: Question, resolved: ResolvedNames): Address | undefined {
  const { destination, family } = question;
  const fits = (addresses: readonly Address[]) => addresses.find((one) => familyOf(one) === family);
  switch (destination.kind) {
    case 'address':
      return destination.address;
    case 'pod':
    case 'node':
      return fits(destination.addresses);
    case 'service': {
      if (destination.externalName !== undefined) return fits(resolved.get(destination.externalName) ?? []);
      return destination.headless ? headlessTarget(snapshot, destination, family) : fits(destination.addresses);
    }
    case 'name': {
      const answered = resolved.get(destination.host);
      if (answered !== undefined) return fits(answered) ?? answered[0];
      const service = serviceAskedBy(snapshot, question)?.service;
      if (service === undefined) return undefined;
      return fits(clusterAddresses(service)) ?? headlessAddress(snapshot, service, family);
    }
  }
}

/** DNS gives a client any of the ready addresses; the first in order stands for them. */
function headlessTarget(snapshot: Snapshot, endpoint: ServiceEndpoint, family: Family): Address | undefined {
  const service = findService(snapshot, endpoint.namespace, endpoint.name);
  return service === undefined ? undefined : headlessAddress(snapshot, service, family);
}

function headlessAddress(snapshot: Snapshot, service: Service, family: Family): Address | undefined {
  const ports = service.spec.ports ?? [];
  const backends = ports.flatMap((port) => usableBackends(backendsFor(snapshot, service, port)));
  return backends.find((one) => familyOf(one.address) === family)?.address;
}

/** The Service and its port that the destination leads through, by whatever words. */
export function serviceAskedBy(
  snapshot: Snapshot,
  question: Question,
): { readonly service: Service; readonly port?: ServicePort } | undefined {
  const { destination, source, protocol, port } = question;
  const services = seenItems(clusterList(snapshot, 'api.services'));
  if (destination.kind === 'service') {
    const service = findService(snapshot, destination.namespace, destination.name);
    return service && { service, ...(destination.port ? { port: destination.port } : {}) };
  }
  if (destination.kind === 'node' && port !== undefined) return serviceOfNodePort(services, port, protocol);
  if (destination.kind !== 'name') return undefined;
  const namespace = source.kind === 'pod' ? source.namespace : 'default';
  const service = serviceOfHost(destination.host, namespace, services);
  if (service === undefined || service.spec.type === 'ExternalName') return undefined;
  const asked = port === undefined ? undefined : servicePortOf(service, String(port), protocol);
  return { service, ...(asked ? { port: asked } : {}) };
}

function endpointFlows(snapshot: Snapshot, sender: Sender, question: Question): PlannedFlow[] {
  const { port, backends } = backendsAsked(snapshot, question);
  if (!port) return [];
  return backends.slice(0, ENDPOINT_FLOWS_MAX).flatMap((one) => {
    const to = { destination: one.address, protocol: protocolOf(port), port: one.port };
    return flow(sender, `endpoint/${one.address}`, 'endpoint', to);
  });
}

function backendsAsked(
  snapshot: Snapshot,
  question: Question,
): { readonly port?: ServicePort; readonly backends: readonly Backend[] } {
  const asked = serviceAskedBy(snapshot, question);
  if (asked?.port === undefined) return { backends: [] };
  const { port, service } = asked;
  const usable = usableBackends(backendsFor(snapshot, service, port));
  return { port, backends: usable.filter((one) => familyOf(one.address) === question.family) };
}

/** What a report must say where a Service has more backends than are tried: those left out may fail as they like. */
export function backendsLeftOut(snapshot: Snapshot, question: Question): string[] {
  const count = backendsAsked(snapshot, question).backends.length;
  if (count <= ENDPOINT_FLOWS_MAX) return [];
  return [
    `${ENDPOINT_FLOWS_MAX} of the Service’s ${count} backends are tried one by one; of the others only the walk tells`,
  ];
}

/** Name resolution as the source does it: each nameserver of its resolv.conf, and behind the cluster's DNS each endpoint. */
function dnsFlows(snapshot: Snapshot, sender: Sender, question: Question): PlannedFlow[] {
  const nameservers = nameserversOf(snapshot, question.source);
  const ask = { protocol: 'udp', port: 53 } as const;
  const servers = nameservers.flatMap((destination) =>
    flow(sender, `dns/${destination}`, 'dns', { destination, ...ask }),
  );
  return needsDns(question.destination) ? [...servers, ...dnsEndpointFlows(snapshot, sender, nameservers)] : servers;
}

function needsDns(destination: Endpoint): boolean {
  return destination.kind === 'name' || (destination.kind === 'service' && destination.externalName !== undefined);
}

function dnsEndpointFlows(snapshot: Snapshot, sender: Sender, nameservers: readonly Address[]): PlannedFlow[] {
  const services = seenItems(clusterList(snapshot, 'api.services'));
  const backends = new Map<Address, Backend>();
  for (const nameserver of nameservers) {
    const service = services.find((one) => clusterAddresses(one).includes(nameserver));
    const port = service && servicePortOf(service, '53', 'udp');
    if (!service || !port) continue;
    for (const one of usableBackends(backendsFor(snapshot, service, port))) {
      if (familyOf(one.address) === familyOf(nameserver)) backends.set(one.address, one);
    }
  }
  return [...backends.values()].slice(0, ENDPOINT_FLOWS_MAX).flatMap((one) => {
    const to = { destination: one.address, protocol: 'udp', port: one.port } as const;
    return flow(sender, `dns-endpoint/${one.address}`, 'dns-endpoint', to);
  });
}

/** The nameservers that the source itself uses; none where its resolv.conf was not read. glibc reads three at most. */
export function nameserversOf(snapshot: Snapshot, source: Endpoint): readonly Address[] {
  for (const place of resolverPlaces(source)) {
    const file = snapshot.fact('resolv-conf', place);
    if (file.state === 'seen') return [...new Set(file.value.nameservers.slice(0, 3))];
  }
  return [];
}

function resolverPlaces(source: Endpoint): Place[] {
  if (source.kind === 'node') return [hostOf(source.name)];
  if (source.kind !== 'pod' || source.node === undefined) return [];
  // A pod on the host's network has its own file, which its dnsPolicy decides.
  return [podPlace(source.node, source.namespace, source.name)];
}

function findService(snapshot: Snapshot, namespace: string, name: string): Service | undefined {
  return seenItems(clusterList(snapshot, 'api.services', namespace)).find(
    (one) => (one.metadata.namespace ?? 'default') === namespace && one.metadata.name === name,
  );
}

function backendsFor(snapshot: Snapshot, service: Service, port: ServicePort): Backend[] {
  const namespace = service.metadata.namespace ?? 'default';
  return backendsOf(seenItems(clusterList(snapshot, 'api.endpointslices', namespace)), service, port);
}
