import type { FlowProbe } from '../diagnose/derived.ts';
import type { Address } from '../net/address.ts';
import { CLUSTER, podPlace } from '../net/place.ts';
import { namesAsked } from '../probe/plan.ts';
import type { DatapathGate } from '../simulate/datapath.ts';
import type { DnsAnswer } from '../snapshot/probe-answers.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { ownerOfAddress } from '../target/address-owner.ts';
import { nameserversOf, type PlannedFlow, plannedFlows, type ResolvedNames } from '../target/flows.ts';
import { leavingMtu } from '../target/leaving-device.ts';
import type { Question } from '../target/question.ts';
import { followUps } from './follow-ups.ts';
import { meshFlows } from './mesh-flows.ts';
import { type ProbeOutcome, probeOutcomes, requestsOf } from './probe-outcomes.ts';
import type { Run } from './run.ts';

/** An answer can make a further question worth asking (a name's address, an upstream); it does so at most this often. */
const PROBE_ROUNDS_MAX = 6;

/** Every flow of the question as far as the snapshot lets them be planned, and what planning the rest lacks. */
export function allPlannedFlows(snapshot: Snapshot, question: Question) {
  const resolved = resolvedNames(snapshot, question);
  const all = plannedFlows(snapshot, question, resolved);
  const planned = all
    .map((flow) => pastTheService(flow, all, snapshot, question))
    .filter((flow) => isWorthALook(flow, snapshot, question));
  const more = followUps(snapshot, question, planned);
  return { flows: [...meshFlows(snapshot, question, planned), ...more.flows], wants: more.wants };
}

/**
 * A ClusterIP answers no ping (but in ipvs mode), so that pings of it tell nothing: they go to an endpoint, of another
 * node than the source's if there is one.
 */
function pastTheService(
  flow: PlannedFlow,
  all: readonly PlannedFlow[],
  snapshot: Snapshot,
  question: Question,
): PlannedFlow {
  if (flow.purpose !== 'icmp' && flow.purpose !== 'large') return flow;
  const endpoints = all.filter((one) => one.purpose === 'endpoint');
  if (!isClusterIp(flow.packet.ip.destination, snapshot) || endpoints.length === 0) return flow;
  const source = nodeOfSource(question);
  const endpoint = endpoints.find((one) => nodeOf(one.packet.ip.destination, snapshot) !== source) ?? endpoints[0]!;
  const { destination } = endpoint.packet.ip;
  const mtu =
    flow.purpose === 'large' && 'node' in flow.from ? leavingMtu(snapshot, flow.from, destination) : undefined;
  const { ip, lengthBytes } = flow.packet;
  return { ...flow, packet: { ...flow.packet, ip: { ...ip, destination }, lengthBytes: mtu ?? lengthBytes } };
}

function nodeOfSource({ source }: Question): string | undefined {
  if (source.kind === 'node') return source.name;
  return source.kind === 'pod' ? source.node : undefined;
}

function isClusterIp(address: Address, snapshot: Snapshot): boolean {
  const services = snapshot.fact('api.services', CLUSTER);
  return (
    services.state === 'seen' && services.value.some((service) => (service.spec.clusterIPs ?? []).includes(address))
  );
}

function nodeOf(address: Address, snapshot: Snapshot): string | undefined {
  const owner = ownerOfAddress(snapshot, address);
  return owner?.kind === 'pod' ? owner.pods[0].spec.nodeName : undefined;
}

/** Name resolution belongs to a question about a name, and to one whose own flow failed (its consequence may be there). */
function isWorthALook(flow: PlannedFlow, snapshot: Snapshot, question: Question): boolean {
  // From outside only what was asked is known to be meant to work: the network out there carries no pod's address.
  if ('outside' in flow.from) return flow.purpose === 'main';
  if ((flow.purpose === 'icmp' || flow.purpose === 'large') && isClusterIp(flow.packet.ip.destination, snapshot))
    return false;
  if (flow.purpose !== 'dns' || question.destination.kind === 'name') return true;
  if (question.destination.kind === 'service' && question.destination.externalName !== undefined) return true;
  if (question.destination.kind !== 'service') return false;
  const main = plannedFlows(snapshot, question).find((one) => one.purpose === 'main');
  return main !== undefined && probeOutcomes(snapshot, question, main).some((one) => one.passed === 'no');
}

/** The addresses that the source's own resolver would use: the first candidate name that a nameserver answered. */
export function resolvedNames(snapshot: Snapshot, question: Question): ResolvedNames {
  const { source, destination } = question;
  const host =
    destination.kind === 'name'
      ? destination.host
      : destination.kind === 'service'
        ? destination.externalName
        : undefined;
  if (host === undefined || source.kind !== 'pod' || source.node === undefined) return new Map();
  const place = podPlace(source.node, source.namespace, source.name);
  const sender = source.place ?? place;
  const file = snapshot.fact('resolv-conf', place);
  const names =
    destination.kind === 'name'
      ? namesAsked(question, file.state === 'seen' ? file.value : undefined)
      : [`${host.replace(/\.$/, '')}.`];
  for (const name of names) {
    for (const server of nameserversOf(snapshot, source)) {
      const answer = snapshot.fact('probe.dns', sender, {
        server,
        name,
        type: question.family === 6 ? 'AAAA' : 'A',
        transport: 'udp',
        timeoutMs: 2_000,
      });
      const whole =
        answer.state === 'seen' && answer.value.truncated
          ? snapshot.fact('probe.dns', sender, { ...answer.source.request.args, transport: 'tcp' })
          : answer;
      if (whole.state === 'seen' && whole.value.outcome === 'answered' && whole.value.addresses.length > 0)
        return new Map([[host, whole.value.addresses]]);
    }
  }
  return new Map();
}

/** Sends the probes of every planned flow, then those that the answers make worth sending. */
export async function probeUntilDone(run: Run, question: Question): Promise<void> {
  let before = '';
  for (let round = 0; round < PROBE_ROUNDS_MAX; round++) {
    const snapshot = run.snapshot();
    const { flows, wants } = allPlannedFlows(snapshot, question);
    const asked = JSON.stringify([flows.map((flow) => flow.id), wants.map((want) => [want.action, want.place])]);
    if (asked === before) return;
    before = asked;
    const probes = flows.flatMap((flow) => requestsOf(snapshot, question, flow));
    await Promise.all([run.collect('reading what a probe needs', wants), run.collect('probing', probes)]);
  }
}

/** What the live probe of one flow saw, its several look-ups of a name taken together. */
export function probeOf(
  snapshot: Snapshot,
  question: Question,
  planned: PlannedFlow,
  gate: DatapathGate,
): FlowProbe | undefined {
  const outcomes = probeOutcomes(snapshot, question, planned, gate);
  const telling =
    outcomes.find((one) => one.outcome === 'answered') ??
    outcomes.find((one) => one.passed === 'no') ??
    outcomes.find((one) => one.outcome === 'servfail') ??
    outcomes.find((one) => one.passed === 'unknown');
  if (telling) return flowProbe(telling, planned, overTcp(snapshot, telling));
  // A name is denied only where every name that the resolver would try is: one that got no answer may be the right one.
  if (outcomes.length < requestsOf(snapshot, question, planned).length) return undefined;
  const last = outcomes.find((one) => one.outcome === 'no-data') ?? outcomes.at(-1);
  return last && flowProbe(last, planned, overTcp(snapshot, last));
}

/** The answer that a look-up got over TCP, where that by UDP was cut. */
function overTcp(snapshot: Snapshot, { truncated, request }: ProbeOutcome): DnsAnswer | undefined {
  if (!truncated) return undefined;
  const answer = snapshot.fact('probe.dns', request.place, { ...request.args, transport: 'tcp' });
  return answer.state === 'seen' ? answer.value : undefined;
}

function flowProbe(outcome: ProbeOutcome, planned: PlannedFlow, whole?: DnsAnswer): FlowProbe {
  const isLookUp = outcome.request.action === 'probe.dns';
  // A name without an address of the asked family leads nowhere; of a name that only tests a server it is an answer.
  const told = outcome.truncated ? whole?.outcome : outcome.outcome;
  const resolved = told === 'answered' || (told === 'no-data' && planned.purpose !== 'dns');
  return {
    outcome: outcome.outcome,
    passed: outcome.passed,
    ...(isLookUp && told !== undefined && { resolved }),
    ...(outcome.truncated && { truncated: true as const }),
    statement: `${outcome.request.place.namespace === 'host' ? outcome.request.place.node : outcome.request.place.namespace}${userWords(planned)}: ${outcome.statement}`,
    ...(outcome.latencyMs !== undefined && { latencyMs: outcome.latencyMs }),
    evidence: {
      kind: outcome.request.action,
      plane: 'probe',
      place: outcome.request.place,
      source: outcome.source,
      values: { flow: planned.id, outcome: outcome.outcome },
      statement: outcome.statement,
    },
  };
}

/** As whom a probe was made, where it was not as podtriage itself. */
function userWords({ purpose, asUser }: PlannedFlow): string {
  if (asUser === undefined) return '';
  return purpose === 'past-proxy' ? ` as user ${asUser}, past the proxy` : ` as the application’s user ${asUser}`;
}
