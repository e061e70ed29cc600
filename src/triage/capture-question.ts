import { analyseCapture, type CaptureAnalysis, type OwnTraffic } from '../capture/analyse-capture.ts';
import { captureNote } from '../capture/capture-note.ts';
import { type CaptureLimits, startRequest, stopRequest } from '../capture/capture-request.ts';
import { type Captured, readCaptures } from '../capture/read-captures.ts';
import { type WatchPlan, watchPlan } from '../capture/watch-plan.ts';
import { datapathGate } from '../cni/gate.ts';
import type { Flow } from '../diagnose/derived.ts';
import { clusterAddresses } from '../diagnose/leaf-health.ts';
import type { Host, Reply, Request } from '../host/host.ts';
import { buildCaptureReport } from '../report/build-capture-report.ts';
import type { CaptureReport } from '../report/capture-report.ts';
import { walkBeside } from '../report/capture-walk.ts';
import { flowText } from '../report/packet-text.ts';
import type { TcpAnswer } from '../snapshot/probe-answers.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { PlannedFlow } from '../target/flows.ts';
import { isTargetProblem, type Question, type TargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import type { CaptureFile } from '../wire/capture-file.ts';
import { BATCH_DEADLINE_MS, collectQuestion, REQUEST_MAX_BYTES } from './collect-question.ts';
import { mainFlow } from './main-flow.ts';
import { oppositeFlows } from './opposite-flows.ts';
import { withPodUids } from './places-asked.ts';
import { requestsOf } from './probe-outcomes.ts';
import { createRun, type Run } from './run.ts';
import { walkFlow } from './walk-flows.ts';
import { walkUntilKnown } from './walk-until-known.ts';

export interface CaptureOptions {
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
  readonly notes: readonly string[];
  readonly prepare: (nodes: readonly string[]) => void;
  readonly sleep: (ms: number) => Promise<void>;
  /** Attempts that are made; 0: only what others send is watched. */
  readonly count: number;
  /** Of watching, where nothing is sent. */
  readonly seconds: number;
  /** Also follow what others send between the same ends. */
  readonly isEverybodys: boolean;
}

export type CaptureOutcome =
  | { readonly kind: 'capture'; readonly report: CaptureReport; readonly file: CaptureFile }
  | { readonly kind: 'problem'; readonly problem: TargetProblem };

const RUN_LIMITS = { deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES };
/** A device keeps at most that many frames. */
const PACKETS_MAX = 10_000;
/** The node ends a capture itself this long after it should have been asked to. */
const GRACE_SECONDS = 20;
/** For what is still on its way when the last probe gave up. */
const SETTLE_MS = 300;

/**
 * Walks the question's packet, watches every device on its way there and back at the same time, sends it some times, and follows
 * each from device to device: target → collect → walk ⇄ collect → watch → send → follow.
 */
export async function captureQuestion(
  host: Host,
  words: QuestionWords,
  options: CaptureOptions,
): Promise<CaptureOutcome> {
  const startedAtMs = host.nowMs();
  const run = createRun(host, { ...options, ...RUN_LIMITS });
  const problemOf = async (problem: TargetProblem): Promise<CaptureOutcome> => {
    await host.close();
    return { kind: 'problem', problem };
  };
  const question = await collectQuestion(run, words, options.prepare);
  if (isTargetProblem(question)) return problemOf(question);
  const main = mainFlow(run.snapshot(), question);
  if (isTargetProblem(main)) return problemOf(main);
  if (!canSend(run, question, main) && !options.isEverybodys) return problemOf(cannotSend(question));
  const walks = (snapshot: Snapshot): Flow[] =>
    [main, ...oppositeFlows(snapshot, question, main)].map((planned) => walkOne(snapshot, planned));
  await walkUntilKnown(run, question.family, walks);
  const [flow, ...opposites] = walks(run.snapshot());
  const plan = watchPlan({
    snapshot: run.snapshot(),
    trip: flow!.trip,
    opposites: new Map(opposites.map((one) => [one.source!, one.trip])),
  });
  const watched = await watch(run, plan, options, () => send(run, question, main, options));
  const analysis = analyseCapture(
    watched.captured.file,
    plan,
    watched.captured.watches,
    options.isEverybodys ? undefined : watched.own,
  );
  const created = await run.timed('removing helpers', () => host.close());
  const { watches } = watched.captured;
  const target = {
    source: question.asked.source,
    destination: question.asked.destination,
    flow: flowText(flow!.trip.forward.packet),
    notes: [...question.notes, ...options.notes],
  };
  const report = buildCaptureReport({
    target,
    walk: walkBeside(analysis.attempts, flow!, plan),
    plan,
    watches,
    analysis,
    created,
    durationMs: host.nowMs() - startedAtMs,
  });
  const { notes: _, ...about } = target;
  const file = {
    ...ownPart(watched.captured.file, analysis, options),
    comment: captureNote({ target: about, plan, watches }),
  };
  return { kind: 'capture', report, file };
}

function canSend(run: Run, question: Question, main: PlannedFlow): boolean {
  return requestsOf(run.snapshot(), question, main).length > 0;
}

function cannotSend({ asked, protocol }: Question): TargetProblem {
  const problem = `nothing can be sent from ${asked.source} by ${protocol}: send it yourself meanwhile, and add --capture-user-traffic`;
  return { kind: 'usage', problem, near: [] };
}

function walkOne(snapshot: Snapshot, planned: PlannedFlow): Flow {
  return walkFlow(planned, { snapshot, gate: datapathGate(snapshot) }, clusterAddresses(snapshot));
}

interface Sent {
  readonly own?: OwnTraffic;
  readonly probes: readonly string[];
}

/** Watches all points while `act` runs. What was started is stopped, whatever happens. */
async function watch(
  run: Run,
  { points }: WatchPlan,
  options: CaptureOptions,
  act: () => Promise<Sent>,
): Promise<Sent & { readonly captured: Captured }> {
  const limits: CaptureLimits = { seconds: Math.ceil(options.seconds) + GRACE_SECONDS, packets: PACKETS_MAX };
  const ids = points.map((_, index) => `capture-${run.host.nowMs()}-${index}`);
  const starts = points.map((point, index) => startRequest(point, ids[index]!, limits));
  const stops = points.map((point, index) => stopRequest(point, ids[index]!));
  await run.collect('starting captures', starts);
  const sent = await act();
  // Also after Ctrl-C, which ends the watching: what was seen until then is told.
  const ending = createRun(run.host, { ...RUN_LIMITS, signal: new AbortController().signal, tell: options.tell });
  await ending.collect('ending captures', withPodUids(run.snapshot(), stops));
  const replies = [...run.replies(), ...ending.replies()];
  const answerTo = (requests: readonly Request[]) =>
    requests.map((request) => replies.find((reply) => isSame(reply, request)));
  return { ...sent, captured: readCaptures(points, answerTo(starts), answerTo(stops)) };
}

function isSame({ request }: Reply, asked: Request): boolean {
  return request.action === asked.action && request.args.id === asked.args.id;
}

async function send(run: Run, question: Question, main: PlannedFlow, options: CaptureOptions): Promise<Sent> {
  const snapshot = run.snapshot();
  const [probe] = options.count === 0 ? [] : requestsOf(snapshot, question, main);
  if (!probe) {
    await run.timed('watching', () => options.sleep(options.seconds * 1_000));
    return { probes: [] };
  }
  const payloadPrefix = `podtriage ${run.host.nowMs()}`;
  const attempts = attemptsOf(probe, options.count, payloadPrefix);
  await run.collect('sending', attempts);
  await options.sleep(SETTLE_MS);
  const answers = attempts.flatMap((attempt) => {
    const answer = run.snapshot().fact(attempt.action as 'probe.tcp', attempt.place, attempt.args);
    return answer.state === 'seen' ? [answer.value] : [];
  });
  const ports = [
    ...answers.flatMap(({ localPort }: TcpAnswer) => localPort ?? []),
    ...(probe.action === 'probe.tcp' ? await translatedPorts(run, probe, answers) : []),
  ];
  return {
    probes: answers.map(({ outcome }) => outcome),
    own: {
      ...(probe.action === 'probe.tcp' && ports.length > 0 && { sourcePorts: new Set(ports) }),
      ...(probe.action === 'probe.udp' && { payloadPrefix }),
    },
  };
}

/**
 * Of a node's own connections a capture sees nothing before its rules have translated them, the port perhaps as well: the
 * kernel's table of connections tells to what. Where it can't be read, such a connection is not known to be ours.
 */
async function translatedPorts(run: Run, probe: Request, answers: readonly TcpAnswer[]): Promise<number[]> {
  if (probe.place.namespace !== 'host') return [];
  const { address: destination, port: destinationPort } = probe.args;
  const requests = answers.flatMap(({ localAddress: source, localPort: sourcePort }): Request[] => {
    if (source === undefined || sourcePort === undefined || destination === undefined || destinationPort === undefined)
      return [];
    const args = { protocol: 'tcp', source, sourcePort, destination, destinationPort };
    return [{ action: 'conntrack', place: probe.place, args, round: 0 }];
  });
  await run.collect('asking for the connections', requests);
  return requests.flatMap(({ place, args }) => {
    const entries = run.snapshot().fact('conntrack', place, args);
    return entries.state === 'seen' ? entries.value.flatMap(({ answer }) => answer.destinationPort ?? []) : [];
  });
}

/** The same probe several times at once, each from a port of its own; ping repeats by itself. */
function attemptsOf(probe: Request, count: number, payloadPrefix: string): Request[] {
  if (probe.action === 'probe.icmp') return [{ ...probe, args: { ...probe.args, count } }];
  return Array.from({ length: count }, (_, attempt) => {
    const args = { ...probe.args, attempt };
    if (probe.action !== 'probe.udp') return { ...probe, args };
    return { ...probe, args: { ...args, payload: `${payloadPrefix} ${attempt}` } };
  });
}

/** The frames of the attempts that are told of; others' traffic is not written unless it was asked for. */
function ownPart(file: CaptureFile, { attempts }: CaptureAnalysis, { isEverybodys }: CaptureOptions): CaptureFile {
  if (isEverybodys) return file;
  const own = new Set(
    attempts.flatMap(({ packets }) =>
      packets.flatMap(({ sightings }) => sightings.map(({ point, atNs }) => `${point} ${atNs}`)),
    ),
  );
  return { ...file, frames: file.frames.filter((frame) => own.has(`${frame.interface} ${frame.timestampNs}`)) };
}
