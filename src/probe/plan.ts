import type { Request, Scalar } from '../host/host.ts';
import { type Address, type Family, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Question } from '../target/question.ts';
import { dnsCandidates, type SearchRules } from './dns-candidates.ts';

/** Of a flow: what a probe of it needs to know. */
export interface ProbedFlow {
  readonly purpose: 'main' | 'dns' | 'dns-endpoint' | 'icmp' | 'endpoint' | 'large';
  /** Undefined: from outside the cluster, where we cannot send. */
  readonly from?: Place;
  readonly destination: Address;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'sctp';
  readonly port?: number;
  readonly trip?: { readonly forward: { readonly packet: { readonly lengthBytes: number } } };
}

/**
 * How long each probe waits. TCP: past the first SYN's repetition, which comes after 1 s, and the answer to it; the next
 * one would come only after 3 s, and a whole diagnosis is to take little more than its slowest probe.
 */
export const PROBE_TIMEOUTS_MS = { tcp: 2_200, udp: 1_000, icmp: 1_000, dns: 2_000 } as const;
const PING_COUNT = 2;
const PING_PAYLOAD_BYTES = 56;
/** IP and ICMP header. */
const PING_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 28, 6: 48 };

/** A name that every cluster DNS answers: it tells whether the server does, where the question asks for no name. */
const ANY_CLUSTER_NAME = 'kubernetes.default.svc.cluster.local.';

/** Every probe that these flows ask for, each once. */
export function planProbes(
  question: Question,
  flows: readonly ProbedFlow[],
  names: readonly string[] = namesAsked(question),
): readonly Request[] {
  const planned = new Map<string, Request>();
  for (const request of flows.flatMap((flow) => probesOf(flow, question.family, names)))
    planned.set(JSON.stringify(request), request);
  return [...planned.values()];
}

/**
 * The probes of one flow, asked at its source. Empty where there is none that could tell: a source outside, SCTP, a flow
 * without a port. `names`: what a DNS server is asked for, of that family's addresses.
 */
export function probesOf(
  flow: ProbedFlow,
  family: Family,
  names: readonly string[] = [ANY_CLUSTER_NAME],
): readonly Request[] {
  const { from, purpose, protocol, destination: address, port } = flow;
  if (!from) return [];
  const at: Place = { node: from.node, namespace: from.namespace };
  if (purpose === 'large') return largePing(flow, at);
  if (protocol === 'icmp') return [ping(at, address, PING_PAYLOAD_BYTES, false)];
  if (port === undefined) return [];
  if (purpose === 'dns' || purpose === 'dns-endpoint')
    return names.map((name) => dnsProbe(flow, at, port, name, family));
  const args = { address, port };
  if (protocol === 'tcp') return [probe('probe.tcp', at, { ...args, timeoutMs: PROBE_TIMEOUTS_MS.tcp })];
  return protocol === 'udp' ? [probe('probe.udp', at, { ...args, timeoutMs: PROBE_TIMEOUTS_MS.udp })] : [];
}

/** The names that the source's resolver would ask for the destination, in order. */
export function namesAsked(question: Question, rules: SearchRules = { search: [], options: {} }): readonly string[] {
  const { destination } = question;
  return destination.kind === 'name' ? dnsCandidates(destination.host, rules) : [ANY_CLUSTER_NAME];
}

/** A whole packet of that length which may not be fragmented. ICMP, since only it can be of any length at once. */
function largePing(flow: ProbedFlow, at: Place): readonly Request[] {
  const { destination, trip } = flow;
  const payloadBytes = (trip?.forward.packet.lengthBytes ?? 0) - PING_HEADER_BYTES[familyOf(destination)];
  return payloadBytes > PING_PAYLOAD_BYTES ? [ping(at, destination, payloadBytes, true)] : [];
}

function ping(at: Place, address: Address, sizeBytes: number, df: boolean): Request {
  return probe('probe.icmp', at, { address, sizeBytes, df, count: PING_COUNT, timeoutMs: PROBE_TIMEOUTS_MS.icmp });
}

function dnsProbe(flow: ProbedFlow, at: Place, port: number, name: string, family: Family): Request {
  const { destination: server, protocol } = flow;
  return probe('probe.dns', at, {
    server,
    ...(port === 53 ? {} : { port }),
    name,
    type: family === 6 ? 'AAAA' : 'A',
    transport: protocol === 'tcp' ? 'tcp' : 'udp',
    timeoutMs: PROBE_TIMEOUTS_MS.dns,
  });
}

function probe(action: string, place: Place, args: Readonly<Record<string, Scalar>>): Request {
  return { action, place, args, round: 0 };
}
