import type { Address } from '../net/address.ts';
import type { Pod, Service } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { nodeEndpoint, ownerOfAddress } from './address-owner.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import { findNode, findObject } from './find-object.ts';
import { nearNames } from './near-names.ts';
import { podEndpoint } from './pod-endpoint.ts';
import { type Endpoint, isTargetProblem, type Protocol, type TargetProblem } from './question.ts';
import { podByName, podOfWorkload } from './resolve-pod.ts';
import {
  defaultServicePort,
  describePorts,
  externalAddresses,
  protocolOf,
  serviceEndpoint,
  serviceOfHost,
  serviceOfNodePort,
  servicePortOf,
} from './service-ports.ts';
import type { Target } from './target.ts';
import { notFound, usageProblem } from './target-problem.ts';
import { WELL_KNOWN_PORTS } from './well-known-ports.ts';

export interface DestinationWish {
  /** Where a name without a namespace is looked up. */
  readonly namespace: string;
  /** The namespace of the source, for DNS names and as the second try for Services and pods without a namespace. */
  readonly sourceNamespace?: string;
  readonly port?: string;
  readonly protocol?: Protocol;
}

export interface ResolvedDestination {
  readonly endpoint: Endpoint;
  /** Port as the source uses it. */
  readonly port?: number;
  /** What the port's own object says of it. */
  readonly protocol?: Protocol;
  readonly notes: readonly string[];
}

export function resolveDestination(
  snapshot: Snapshot,
  target: Target,
  wish: DestinationWish,
): ResolvedDestination | TargetProblem {
  switch (target.kind) {
    case 'service': {
      const found = inNamespaces(target.namespace, wish, (namespace) =>
        findObject(snapshot, clusterList(snapshot, 'api.services', namespace), 'svc', namespace, target.name),
      );
      return isTargetProblem(found) ? found : withNote(toService(found.value, wish), found.note);
    }
    case 'pod': {
      const found = inNamespaces(target.namespace, wish, (namespace) => podByName(snapshot, namespace, target.name));
      return isTargetProblem(found) ? found : withNote(toPod(found.value.object, found.value.pod, wish), found.note);
    }
    case 'workload': {
      const found = inNamespaces(target.namespace, wish, (namespace) =>
        podOfWorkload(snapshot, target.workload, namespace, target.name),
      );
      if (isTargetProblem(found)) return found;
      return withNote(toPod(found.value.object, found.value.pod, wish), [...found.value.notes, ...found.note]);
    }
    case 'node': {
      const node = findNode(snapshot, target.name);
      return isTargetProblem(node) ? node : toNode(snapshot, nodeEndpoint(node), wish);
    }
    case 'address':
      return toAddress(snapshot, target.address, wish);
    case 'host':
      return toName(snapshot, target.host, wish, []);
    case 'bare':
      return toWord(snapshot, target.word, wish);
  }
}

type Found<T> = { readonly value: T; readonly note: readonly string[] };

/** Without a namespace in the word: the default one, then the source's own, which is where a pod's short names lead. */
function inNamespaces<T extends object>(
  explicit: string | undefined,
  wish: DestinationWish,
  look: (namespace: string) => T | TargetProblem,
): Found<T> | TargetProblem {
  const first = look(explicit ?? wish.namespace);
  if (!isTargetProblem(first)) return { value: first, note: [] };
  const second = wish.sourceNamespace;
  if (explicit !== undefined || second === undefined || second === wish.namespace) return first;
  const other = look(second);
  if (isTargetProblem(other)) return first;
  return { value: other, note: [`the destination was found in ${second}, the source's namespace`] };
}

function withNote(
  resolved: ResolvedDestination | TargetProblem,
  notes: readonly string[],
): ResolvedDestination | TargetProblem {
  return isTargetProblem(resolved) ? resolved : { ...resolved, notes: [...notes, ...resolved.notes] };
}

function toService(service: Service, wish: DestinationWish, address?: Address): ResolvedDestination {
  if (service.spec.type === 'ExternalName') return toExternalName(service, wish);
  if (wish.port !== undefined) {
    const port = servicePortOf(service, wish.port, wish.protocol);
    const endpoint = serviceEndpoint(service, { ...(port ? { port } : {}), portAsked: wish.port }, address);
    const number = port?.port ?? numberOf(wish.port);
    const has = describePorts(service) || 'none';
    const notes = port ? [] : [`Service ${nameOf(service)} has no port ${wish.port} (its ports: ${has})`];
    return {
      endpoint,
      ...(number === undefined ? {} : { port: number }),
      ...(port ? { protocol: protocolOf(port) } : {}),
      notes,
    };
  }
  const port = wish.protocol === 'icmp' ? undefined : defaultServicePort(service, wish.protocol);
  if (!port) return { endpoint: serviceEndpoint(service, {}, address), notes: [] };
  const several = (service.spec.ports?.length ?? 0) > 1 ? `, of ${describePorts(service)}` : '';
  return {
    endpoint: serviceEndpoint(service, { port }, address),
    port: port.port,
    protocol: protocolOf(port),
    notes: [`no port was given: ${port.port}/${protocolOf(port)} was taken${several}`],
  };
}

/** A CNAME in the cluster DNS: no address, no proxy, and its `ports` are translated by nobody. */
function toExternalName(service: Service, wish: DestinationWish): ResolvedDestination {
  const asked = wish.port ?? service.spec.ports?.[0]?.port.toString();
  const declared = asked === undefined ? undefined : servicePortOf(service, asked, wish.protocol);
  const port = declared?.port ?? (asked === undefined ? undefined : numberOf(asked));
  return {
    endpoint: serviceEndpoint(service, wish.port === undefined ? {} : { portAsked: wish.port }),
    ...(port === undefined ? {} : { port }),
    ...(declared ? { protocol: protocolOf(declared) } : {}),
    notes: [`${nameOf(service)} is an ExternalName: a DNS alias of ${service.spec.externalName ?? '(no name)'}`],
  };
}

function toPod(object: Pod, endpoint: Endpoint, wish: DestinationWish): ResolvedDestination | TargetProblem {
  const declared = object.spec.containers.flatMap((one) => one.ports ?? []);
  if (wish.port === undefined) {
    const ports = declared.map((one) => `${one.containerPort}/${protocolOf(one)}`).join(', ');
    const hint = ports === '' ? '' : `; it declares ${ports}`;
    return { endpoint, notes: wish.protocol === undefined ? [`no port was given: ping decides${hint}`] : [] };
  }
  const number = numberOf(wish.port);
  if (number !== undefined) {
    const same = declared.filter((one) => one.containerPort === number);
    // A container's ports are information only; where it says UDP and nothing else, that is better than a guess.
    const only = same.length === 1 ? same[0] : undefined;
    return { endpoint, port: number, ...(only ? { protocol: protocolOf(only) } : {}), notes: [] };
  }
  const named = declared.find((one) => one.name === wish.port);
  if (named) return { endpoint, port: named.containerPort, protocol: protocolOf(named), notes: [] };
  const names = declared.map((one) => one.name ?? `${one.containerPort}`);
  const where = `pod/${object.metadata.namespace ?? 'default'}/${object.metadata.name}`;
  const has = names.length === 0 ? 'it declares none' : `it declares ${names.join(', ')}`;
  return notFound(
    `${where} has no port named ${wish.port} (${has})`,
    nearNames(wish.port, names).map((one) => `${where}:${one}`),
  );
}

function toNode(
  snapshot: Snapshot,
  endpoint: ReturnType<typeof nodeEndpoint>,
  wish: DestinationWish,
): ResolvedDestination | TargetProblem {
  if (wish.port === undefined) return { endpoint, notes: [] };
  const number = numberOf(wish.port) ?? WELL_KNOWN_PORTS[wish.port];
  if (number === undefined) return usageProblem(`"${wish.port}" is no port of a node: write its number`);
  const services = seenItems(clusterList(snapshot, 'api.services'));
  const nodePort = serviceOfNodePort(services, number, wish.protocol);
  if (!nodePort) return { endpoint, port: number, notes: [] };
  const { service, port } = nodePort;
  return {
    endpoint: { ...endpoint, nodePortOf: serviceEndpoint(service, { port, portAsked: wish.port }) },
    port: number,
    protocol: protocolOf(port),
    notes: [`${number} is the NodePort of ${nameOf(service)} port ${port.port}/${protocolOf(port)}`],
  };
}

function toAddress(snapshot: Snapshot, address: Address, wish: DestinationWish): ResolvedDestination | TargetProblem {
  const owner = ownerOfAddress(snapshot, address);
  if (owner?.kind === 'cluster-ip' || owner?.kind === 'external-ip') {
    const kind = owner.kind === 'cluster-ip' ? 'the ClusterIP' : 'an external address';
    const note = `${address} is ${kind} of ${nameOf(owner.service)}`;
    return withNote(toService(owner.service, wish, address), [note]);
  }
  if (owner?.kind === 'pod') {
    const [pod, ...others] = owner.pods;
    const names = owner.pods.map((one) => `pod/${one.metadata.namespace ?? 'default'}/${one.metadata.name}`);
    const note = others.length === 0 ? `${address} is ${names[0]}` : `${names.join(' and ')} claim ${address}`;
    return withNote(toPod(pod, { ...podEndpoint(pod), addresses: [address] }, wish), [note]);
  }
  if (owner?.kind === 'node') return toNodeAddress(snapshot, address, owner.node, wish);
  return toOutside(snapshot, address, wish);
}

function toNodeAddress(
  snapshot: Snapshot,
  address: Address,
  node: Parameters<typeof nodeEndpoint>[0],
  wish: DestinationWish,
): ResolvedDestination | TargetProblem {
  // k3s's ServiceLB publishes the nodes' own addresses as load balancer addresses.
  const balanced = seenItems(clusterList(snapshot, 'api.services')).find(
    (one) =>
      wish.port !== undefined &&
      externalAddresses(one).includes(address) &&
      servicePortOf(one, wish.port, wish.protocol),
  );
  if (balanced) {
    return withNote(toService(balanced, wish, address), [`${address} is an external address of ${nameOf(balanced)}`]);
  }
  const endpoint = { ...nodeEndpoint(node), addresses: [address] };
  return withNote(toNode(snapshot, endpoint, wish), [`${address} is node ${endpoint.name}`]);
}

function toOutside(snapshot: Snapshot, address: Address, wish: DestinationWish): ResolvedDestination | TargetProblem {
  const notes: string[] = [];
  for (const [what, fact] of [
    ['pods', 'api.pods'],
    ['Services', 'api.services'],
    ['nodes', 'api.nodes'],
  ] as const) {
    const list = clusterList(snapshot, fact);
    if (list.state === 'unseen') notes.push(`${what} could not be read (${list.gap}): ${address} may be one of them`);
  }
  const endpoint: Endpoint = { kind: 'address', address };
  if (wish.port === undefined) return { endpoint, notes };
  const port = numberOf(wish.port) ?? WELL_KNOWN_PORTS[wish.port];
  if (port === undefined) return usageProblem(`"${wish.port}" is no port that is known by name: write its number`);
  return { endpoint, port, notes };
}

function toName(
  snapshot: Snapshot,
  host: string,
  wish: DestinationWish,
  notes: readonly string[],
): ResolvedDestination | TargetProblem {
  const endpoint: Endpoint = { kind: 'name', host };
  const services = seenItems(clusterList(snapshot, 'api.services'));
  const service = serviceOfHost(host, wish.sourceNamespace ?? wish.namespace, services);
  if (service && service.spec.type !== 'ExternalName') {
    const behind = toService(service, wish);
    return { ...behind, endpoint, notes: [...notes, `${host} is Service ${nameOf(service)}`, ...behind.notes] };
  }
  if (wish.port === undefined) return { endpoint, notes };
  const port = numberOf(wish.port) ?? WELL_KNOWN_PORTS[wish.port];
  if (port === undefined) return usageProblem(`"${wish.port}" is no port that is known by name: write its number`);
  return { endpoint, port, notes };
}

function toWord(snapshot: Snapshot, word: string, wish: DestinationWish): ResolvedDestination | TargetProblem {
  const namespaces = [...new Set([wish.namespace, wish.sourceNamespace ?? wish.namespace])];
  for (const namespace of namespaces) {
    const pod = podByName(snapshot, namespace, word);
    if (isTargetProblem(pod)) continue;
    const services = seenItems(clusterList(snapshot, 'api.services'));
    const service = serviceOfHost(word, namespace, services);
    const notes = service ? [`${word} is taken as the pod of this name, not as svc/${namespace}/${word}`] : [];
    return withNote(toPod(pod.object, pod.pod, wish), notes);
  }
  const pods = clusterList(snapshot, 'api.pods', namespaces[0]);
  const names = seenItems(pods).map((one) => one.metadata.name);
  const near = nearNames(word, names);
  const hint = near.length === 0 ? '' : ` (near pod names: ${near.join(', ')})`;
  const why = pods.state === 'seen' ? `no pod has this name${hint}` : `pods could not be read (${pods.gap})`;
  return toName(snapshot, word, wish, [`${word} is taken as a DNS name: ${why}`]);
}

function numberOf(port: string): number | undefined {
  return /^\d+$/.test(port) ? Number(port) : undefined;
}

function nameOf(service: Service): string {
  return `svc/${service.metadata.namespace ?? 'default'}/${service.metadata.name}`;
}
