import { datapathGate } from '../cni/gate.ts';
import type { Flow } from '../diagnose/derived.ts';
import { clusterAddresses } from '../diagnose/leaf-health.ts';
import type { Host, Request } from '../host/host.ts';
import { type Address, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Route } from '../parse/ip-route.ts';
import type { MtuBounds } from '../probe/mtu-search.ts';
import { buildMtuReport, type MtuWaySeen } from '../report/build-mtu-report.ts';
import { devicesOfTrace } from '../report/mtu-devices.ts';
import type { MtuReport } from '../report/mtu-report.ts';
import { flowText } from '../report/packet-text.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { PlannedFlow } from '../target/flows.ts';
import { leavingMtu } from '../target/leaving-device.ts';
import { isTargetProblem, type Question, type TargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import { BATCH_DEADLINE_MS, collectQuestion, REQUEST_MAX_BYTES } from './collect-question.ts';
import { mainFlow } from './main-flow.ts';

import { oppositeFlows } from './opposite-flows.ts';
import { allPlannedFlows } from './probe-flows.ts';
import { createRun, type Run } from './run.ts';
import { type Searched, type SearchWay, searchMtu } from './search-mtu.ts';
import { walkFlow } from './walk-flows.ts';
import { walkUntilKnown } from './walk-until-known.ts';

export interface MtuOptions {
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
  readonly notes: readonly string[];
  readonly prepare: (nodes: readonly string[]) => void;
}

export type MtuOutcome =
  | { readonly kind: 'mtu'; readonly report: MtuReport }
  | { readonly kind: 'problem'; readonly problem: TargetProblem };

/** Every IPv4 link takes that much in practice (RFC 791 asks for 68); every IPv6 link must (RFC 8200 §5). */
const LEAST_BYTES = { 4: 256, 6: 1_280 } as const;
/** Discard (RFC 863), where nobody listens: a reset tells as much as a SYN-ACK. */
const CLOSED_PORT = 9;

/**
 * Searches the path MTU there and, where the other end is ours, back, by pings and where these do not tell it all by SYNs with
 * data; and walks a packet of the sender's full size each way: target → collect → walk ⇄ collect → search → compare.
 */
export async function mtuQuestion(host: Host, words: QuestionWords, options: MtuOptions): Promise<MtuOutcome> {
  const startedAtMs = host.nowMs();
  const run = createRun(host, { ...options, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  const problemOf = async (problem: TargetProblem): Promise<MtuOutcome> => {
    await host.close();
    return { kind: 'problem', problem };
  };
  const question = await collectQuestion(run, words, options.prepare);
  if (isTargetProblem(question)) return problemOf(question);
  const main = mainFlow(run.snapshot(), question);
  if (isTargetProblem(main)) return problemOf(main);
  const ping = pingFlow(run.snapshot(), question, main);
  if (!ping || !('node' in ping.from)) return problemOf(cannotSend(question));
  const back = oppositeFlows(run.snapshot(), question, ping).find(
    (one) => one.packet.ip.source === ping.packet.ip.destination,
  );
  const flows = await walkBoth(run, question, [ping, ...(back ? [back] : [])]);
  const ways = await searchBoth(run, flows, portOf(main, ping), options.signal);
  const snapshot = run.snapshot();
  const created = await run.timed('removing helpers', () => host.close());
  const isPast = ping.packet.ip.destination !== main.packet.ip.destination;
  const report = buildMtuReport({
    snapshot,
    target: {
      source: question.asked.source,
      destination: question.asked.destination,
      flow: flowText(ping.packet),
      notes: [
        ...question.notes,
        ...(isPast
          ? [`a Service’s own address tells nothing of the path: measured to its backend ${ping.packet.ip.destination}`]
          : []),
        ...options.notes,
      ],
    },
    ways,
    far: { address: ping.packet.ip.destination, source: ping.packet.ip.source },
    created,
    durationMs: host.nowMs() - startedAtMs,
  });
  return { kind: 'mtu', report };
}

/** The question's ping; past a Service, to a backend of it. */
function pingFlow(snapshot: Snapshot, question: Question, main: PlannedFlow): PlannedFlow | undefined {
  if (main.protocol === 'icmp') return main;
  return allPlannedFlows(snapshot, question).flows.find(({ purpose }) => purpose === 'icmp');
}

/** Of an address that the question's port belongs to; a backend's port may be another than its Service's. */
function portOf({ packet, protocol }: PlannedFlow, ping: PlannedFlow): number {
  const { l4 } = packet;
  const isSame = packet.ip.destination === ping.packet.ip.destination && protocol === 'tcp';
  return isSame && 'destinationPort' in l4 && typeof l4.destinationPort === 'number' ? l4.destinationPort : CLOSED_PORT;
}

function cannotSend({ asked }: Question): TargetProblem {
  const problem = `no packet of a chosen size can be sent from ${asked.source} to ${asked.destination}: a source is a pod or a node of the cluster, and the destination has an address`;
  return { kind: 'usage', problem, near: [] };
}

/** A packet of the sender's full size, walked each way. */
async function walkBoth(run: Run, question: Question, planned: readonly PlannedFlow[]): Promise<readonly Flow[]> {
  const walks = (snapshot: Snapshot): Flow[] =>
    planned.map((one) => {
      const { packet, from } = one;
      const full = 'node' in from ? leavingMtu(snapshot, from, packet.ip.destination) : undefined;
      const large = { ...one, packet: { ...packet, lengthBytes: full ?? packet.lengthBytes } };
      return walkFlow(large, { snapshot, gate: datapathGate(snapshot) }, clusterAddresses(snapshot));
    });
  await walkUntilKnown(run, question.family, walks);
  return walks(run.snapshot());
}

async function searchBoth(
  run: Run,
  flows: readonly Flow[],
  port: number,
  signal: AbortSignal,
): Promise<readonly MtuWaySeen[]> {
  const ways = flows.map((flow, at) => ({ flow, way: wayOf(flow, at === 0 ? port : CLOSED_PORT) }));
  const before = ways.map(({ way }) => learntAt(run.snapshot(), way, 'first'));
  const most = ways.map(({ way }) => leavingMtu(run.snapshot(), way.from, way.destination));
  const bounds = ways.map(({ way }, at) => ({
    leastBytes: Math.min(LEAST_BYTES[familyOf(way.destination)], most[at] ?? Infinity),
    mostBytes: most[at] ?? LEAST_BYTES[familyOf(way.destination)],
    // What the devices on the way let through is tried first.
    likely: devicesOfTrace(run.snapshot(), flows[at]!.trip.forward).map(({ carriesBytes }) => carriesBytes),
  }));
  // What the sender's kernel has learnt it does not let a ping exceed: beyond that, SYNs alone tell.
  const heeded = bounds.map((one, at) => {
    const learnt = Math.min(...before[at]!.flatMap(({ mtu }) => mtu ?? []));
    return { ...one, mostBytes: Math.max(one.leastBytes, Math.min(one.mostBytes, learnt)) };
  });
  const pinged = await Promise.all(ways.map(({ way }, at) => searchMtu(run, way, heeded[at]!, signal)));
  const isAllTold = pinged.every(({ reading }, at) => reading.is === 'whole' && reading.mtuBytes === most[at]);
  const syns = isAllTold
    ? undefined
    : await Promise.all(
        ways.map(({ way }, at) =>
          searchMtu(run, { ...way, by: 'tcp' }, bounds[at]!, signal, firstOf(pinged[at]!, bounds[at]!)),
        ),
      );
  await run.collect(
    'reading what was learnt',
    ways.map(({ way }) => learntRequest(way, 'after')),
  );
  return ways.map(({ flow, way }, at) => ({
    flow,
    from: way.from,
    ...(most[at] === undefined ? {} : { sendingMtuBytes: most[at] }),
    icmp: { ...pinged[at]!, upToBytes: heeded[at]!.mostBytes },
    ...(syns ? { tcp: { ...syns[at]!, upToBytes: bounds[at]!.mostBytes } } : {}),
    learnt: { before: before[at]!, after: learntAt(run.snapshot(), way, 'after') },
  }));
}

/** What the pings found is tried first and by itself, since a larger size at the same time could disturb it; then what is beyond. */
function firstOf({ reading }: Searched, { leastBytes, mostBytes }: MtuBounds): readonly (readonly number[])[] {
  if (reading.is !== 'smaller') return [];
  const { mtuBytes } = reading;
  return [[...new Set([leastBytes, mtuBytes])], [...new Set([mtuBytes + 1, mostBytes])]];
}

function wayOf(flow: Flow, port: number): SearchWay {
  return { by: 'icmp', from: flow.from!, source: flow.source!, destination: flow.destination, port };
}

function learntRequest({ from, destination }: SearchWay, when: 'after'): Request {
  const place: Place = { node: from.node, namespace: from.namespace };
  return { action: 'route-exceptions', place, args: { family: familyOf(destination), when }, round: 0 };
}

/** What the sender's kernel keeps for the destination. */
function learntAt(snapshot: Snapshot, way: SearchWay, when: 'first' | 'after'): readonly Route[] {
  const { place, args } = learntRequest(way, 'after');
  const { when: _, ...first } = args;
  const seen = snapshot.fact('route-exceptions', place, when === 'first' ? first : args);
  return seen.state === 'seen' ? exceptionsFor(seen.value, way.destination) : [];
}

function exceptionsFor(routes: readonly Route[], destination: Address): readonly Route[] {
  return routes.filter(({ destination: { address }, mtu }) => address === destination && mtu !== undefined).slice(0, 1);
}
