import type { Request } from '../host/host.ts';
import { type Address, familyOf } from '../net/address.ts';
import { CLUSTER, hostOf, type Place } from '../net/place.ts';
import type { Pod } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { nameserversOf, type PlannedFlow, serviceAskedBy } from '../target/flows.ts';
import { leavingMtu } from '../target/leaving-device.ts';
import { firstPacket } from '../target/packets.ts';
import type { Question } from '../target/question.ts';
import { dnsUpstreams } from './dns-upstreams.ts';
import { learntWants, sizeFlows } from './mtu-follow-ups.ts';
import { ANY_CLUSTER_NAME, probeOutcomes } from './probe-outcomes.ts';

/** Flows that only an answer makes worth a look, and the facts that planning them lacks. */
export interface FollowUps {
  readonly flows: readonly PlannedFlow[];
  readonly wants: readonly Request[];
}

/** Outcomes of probes that nothing came back for. */
const SILENT: ReadonlySet<string> = new Set(['silent', 'timed-out', 'unreachable']);
const NONE: FollowUps = { flows: [], wants: [] };
/** DNS servers of the cluster whose upstream is asked. */
const DNS_PODS_MAX = 2;

/** What the answers so far make us ask next. Pure: the same snapshot gives the same flows. */
export function followUps(snapshot: Snapshot, question: Question, planned: readonly PlannedFlow[]): FollowUps {
  const parts = [
    dnsFollowUps(snapshot, question, planned),
    underlayFollowUps(snapshot, question, planned),
    { flows: sizeFlows(snapshot, question, planned), wants: learntWants(snapshot, question, planned) },
  ];
  return { flows: parts.flatMap((part) => part.flows), wants: parts.flatMap((part) => part.wants) };
}

/** A look-up that failed at the server: does it know a name of the cluster, and do its own upstreams answer it? */
function dnsFollowUps(snapshot: Snapshot, question: Question, planned: readonly PlannedFlow[]): FollowUps {
  if (question.destination.kind !== 'name' || serviceAskedBy(snapshot, question)) return NONE;
  const failed = planned.filter(
    (flow) =>
      flow.purpose === 'dns' &&
      probeOutcomes(snapshot, question, flow).some((one) => one.outcome === 'servfail' || one.outcome === 'timed-out'),
  );
  if (failed.length === 0) return cutOffFollowUps(snapshot, question, planned, question.destination.host);
  const control = failed.map(
    (flow): PlannedFlow => ({ ...flow, id: `dns-control/${flow.packet.ip.destination}`, purpose: 'dns-control' }),
  );
  const { host } = question.destination;
  const upstream = dnsPods(snapshot, nameserversOf(snapshot, question.source))
    .slice(0, DNS_PODS_MAX)
    .map((pod) => upstreamFlows(snapshot, pod, host));
  return { flows: [...control, ...upstream.flatMap((one) => one.flows)], wants: upstream.flatMap((one) => one.wants) };
}

/** An answer that did not fit UDP: does it come over TCP, and where not, does the server's own upstream give it so? */
function cutOffFollowUps(
  snapshot: Snapshot,
  question: Question,
  planned: readonly PlannedFlow[],
  host: string,
): FollowUps {
  const overTcp = planned
    .filter((flow) => flow.purpose === 'dns')
    .flatMap((flow) =>
      probeOutcomes(snapshot, question, flow)
        .filter(({ truncated }) => truncated)
        .slice(0, 1)
        .map(({ request }) => tcpFlow(flow, 'dns-tcp', String(request.args.name))),
    );
  const failed = overTcp.filter((flow) =>
    probeOutcomes(snapshot, question, flow).some((one) => one.passed === 'no' || one.outcome === 'servfail'),
  );
  if (failed.length === 0) return { flows: overTcp, wants: [] };
  const upstream = dnsPods(snapshot, nameserversOf(snapshot, question.source))
    .slice(0, DNS_PODS_MAX)
    .map((pod) => upstreamFlows(snapshot, pod, host));
  const name = `${host.replace(/\.$/, '')}.`;
  return {
    flows: [
      ...overTcp,
      ...failed.map((flow) => tcpFlow(flow, 'dns-tcp-control', ANY_CLUSTER_NAME)),
      ...upstream.flatMap((one) => one.flows).flatMap((flow) => [flow, tcpFlow(flow, 'dns-upstream-tcp', name)]),
    ],
    wants: upstream.flatMap((one) => one.wants),
  };
}

function tcpFlow(
  flow: PlannedFlow,
  purpose: 'dns-tcp' | 'dns-tcp-control' | 'dns-upstream-tcp',
  name: string,
): PlannedFlow {
  const { ip, l4 } = flow.packet;
  const port = 'destinationPort' in l4 && typeof l4.destinationPort === 'number' ? l4.destinationPort : 53;
  const { source, destination } = ip;
  return {
    ...{ ...flow, purpose, name, protocol: 'tcp', id: flow.id.replace(/^[^/]+/, purpose) },
    packet: firstPacket({ source, destination, protocol: 'tcp', port }),
  };
}

/** The pods behind these nameservers, as the API lists them by address. */
export function dnsPods(snapshot: Snapshot, servers: readonly Address[]): Pod[] {
  const services = snapshot.fact('api.services', CLUSTER);
  const slices = snapshot.fact('api.endpointslices', CLUSTER);
  const pods = snapshot.fact('api.pods', CLUSTER);
  if (services.state === 'unseen' || slices.state === 'unseen' || pods.state === 'unseen') return [];
  const dns = services.value.filter((service) => (service.spec.clusterIPs ?? []).some((ip) => servers.includes(ip)));
  const addresses = new Set(
    slices.value
      .filter((slice) =>
        dns.some(
          (service) =>
            service.metadata.namespace === slice.metadata.namespace &&
            slice.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name,
        ),
      )
      .flatMap((slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses)),
  );
  return pods.value.filter((pod) => (pod.status.podIPs ?? []).some((ip) => addresses.has(ip.ip)));
}

function upstreamFlows(snapshot: Snapshot, pod: Pod, host: string): FollowUps {
  const { from, source, servers, wants } = dnsUpstreams(snapshot, pod, host);
  if (from === undefined || source === undefined) return { flows: [], wants };
  const flows = servers.map(
    ({ address, port }): PlannedFlow => ({
      id: `dns-upstream/${pod.metadata.name}/${address}`,
      purpose: 'dns-upstream',
      from,
      protocol: 'udp',
      packet: firstPacket({ source, destination: address, protocol: 'udp', port }),
      isUnbound: true,
    }),
  );
  return { flows, wants };
}

/** Packets, or only large ones, that are lost between pods of two nodes: are they lost between the nodes themselves? */
function underlayFollowUps(snapshot: Snapshot, question: Question, planned: readonly PlannedFlow[]): FollowUps {
  const silent = (flow: PlannedFlow): boolean =>
    probeOutcomes(snapshot, question, flow).some((one) => SILENT.has(one.outcome));
  const lost = planned.filter((flow) => ['main', 'icmp', 'endpoint', 'large'].includes(flow.purpose)).filter(silent);
  const sender = lost[0]?.from;
  if (!sender || !('node' in sender)) return NONE;
  const from = hostOf(sender.node);
  const to = nodesBehind(snapshot, question).filter((node) => node !== from.node);
  return { flows: to.flatMap((node) => underlayFlows(snapshot, question, from, node)), wants: [] };
}

/** The nodes on which the destination, or a backend of it, runs. */
function nodesBehind(snapshot: Snapshot, question: Question): string[] {
  const { destination } = question;
  if (destination.kind === 'pod') return destination.node ? [destination.node] : [];
  if (destination.kind === 'node') return [destination.name];
  const asked = serviceAskedBy(snapshot, question);
  const slices = snapshot.fact('api.endpointslices', CLUSTER);
  if (!asked || slices.state === 'unseen') return [];
  const own = slices.value.filter(
    (slice) =>
      slice.metadata.namespace === asked.service.metadata.namespace &&
      slice.metadata.labels?.['kubernetes.io/service-name'] === asked.service.metadata.name,
  );
  return [
    ...new Set(own.flatMap((slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.nodeName ?? []))),
  ].slice(0, 2);
}

function underlayFlows(snapshot: Snapshot, question: Question, from: Place, to: string): PlannedFlow[] {
  const source = nodeAddress(snapshot, from.node, question.family);
  const destination = nodeAddress(snapshot, to, question.family);
  const mtu = destination && leavingMtu(snapshot, from, destination);
  if (!source || !destination || mtu === undefined) return [];
  const flow = (purpose: 'underlay' | 'underlay-large', lengthBytes?: number): PlannedFlow => ({
    id: `${purpose}/${to}`,
    purpose,
    from,
    protocol: 'icmp',
    packet: firstPacket({
      source,
      destination,
      protocol: 'icmp',
      ...(lengthBytes === undefined ? {} : { lengthBytes }),
    }),
  });
  return [flow('underlay'), flow('underlay-large', mtu)];
}

function nodeAddress(snapshot: Snapshot, name: string, family: 4 | 6): Address | undefined {
  const nodes = snapshot.fact('api.nodes', CLUSTER);
  if (nodes.state === 'unseen') return undefined;
  const node = nodes.value.find((one) => one.metadata.name === name);
  return node?.status.addresses
    ?.filter((one) => one.type === 'InternalIP')
    .map((one) => one.address)
    .find((one) => familyOf(one) === family);
}
