import { datapathGate } from '../cni/gate.ts';
import type { Host, Request } from '../host/host.ts';
import type { Circumstances } from '../probe/interpret.ts';
import { createStateWatch, type StateChange } from '../probe/state-watch.ts';
import { createTally } from '../probe/tally.ts';
import { buildProbeReport } from '../report/build-probe-report.ts';
import { flowText } from '../report/packet-text.ts';
import type { ProbeReport } from '../report/probe-report.ts';
import { type PlannedFlow, plannedFlows } from '../target/flows.ts';
import { isTargetProblem, type Question, type TargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import { BATCH_DEADLINE_MS, collectQuestion, REQUEST_MAX_BYTES } from './collect-question.ts';
import { mainFlow } from './main-flow.ts';
import { withPodUids } from './places-asked.ts';
import { circumstances, requestsOf } from './probe-outcomes.ts';
import { serviceTargets } from './probe-targets.ts';
import { createRun, type Run } from './run.ts';
import { type SendOptions, type SendPlan, type SendTarget, sendRepeatedly } from './send-repeatedly.ts';

export interface ProbeOptions extends SendOptions {
  readonly notes: readonly string[];
  readonly prepare: (nodes: readonly string[]) => void;
  /** What is being done, once. */
  readonly tell: (text: string) => void;
  /** How it stands, after each attempt. */
  readonly live: (text: string) => void;
  /** A destination began, or ceased, to answer; only while `isWatch`. */
  readonly mark: (change: StateChange & { readonly target: string }) => void;
  readonly isWatch: boolean;
  readonly plan: SendPlan;
  /** ICMP: bytes of payload, and whether it may be fragmented on the way. */
  readonly ping?: { readonly sizeBytes: number; readonly df: boolean };
}

export type ProbeQuestionOutcome =
  | { readonly kind: 'probe'; readonly report: ProbeReport }
  | { readonly kind: 'problem'; readonly problem: TargetProblem };

interface Tried extends SendTarget {
  readonly role: 'asked' | 'backend';
  readonly name: string;
}

/**
 * Connects to (or pings) the destination again and again from inside the source's network namespace, and each ready backend of a
 * Service by itself: target → collect → send → count.
 */
export async function probeQuestion(
  host: Host,
  words: QuestionWords,
  options: ProbeOptions,
): Promise<ProbeQuestionOutcome> {
  const startedAtMs = host.nowMs();
  const run = createRun(host, { ...options, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  const problemOf = async (problem: TargetProblem): Promise<ProbeQuestionOutcome> => {
    await host.close();
    return { kind: 'problem', problem };
  };
  const question = await collectQuestion(run, words, options.prepare);
  if (isTargetProblem(question)) return problemOf(question);
  await lookUp(run, question);
  const main = mainFlow(run.snapshot(), question);
  if (isTargetProblem(main)) return problemOf(unresolved(question) ?? main);
  const [request] = requestsOf(run.snapshot(), question, main);
  if (!request || (request.action !== 'probe.tcp' && request.action !== 'probe.icmp'))
    return problemOf(cannotSend(question));
  const { tried, notes, unevenBecause } = destinations(run, question, main, request, options);
  const seen = await send(run, tried, options);
  const created = await run.timed('removing helpers', () => host.close());
  const { intervalMs, waitMs, sourcePort } = options.plan;
  const report = buildProbeReport({
    kind: request.action === 'probe.tcp' ? 'tcp' : 'ping',
    target: {
      source: question.asked.source,
      destination: question.asked.destination,
      flow: flowText(main.packet),
      notes: [...question.notes, ...notes, ...options.notes],
    },
    ...seen,
    ...(unevenBecause === undefined ? {} : { unevenBecause }),
    plan: { intervalMs, waitMs, ...(sourcePort === undefined ? {} : { sourcePort }) },
    created,
    durationMs: host.nowMs() - startedAtMs,
  });
  return { kind: 'probe', report };
}

/** A name is asked for as the source's resolver would ask for it. */
async function lookUp(run: Run, question: Question): Promise<void> {
  if (question.destination.kind !== 'name') return;
  const flows = plannedFlows(run.snapshot(), question).filter(({ purpose }) => purpose === 'dns');
  await run.collect(
    'looking up the name',
    flows.flatMap((flow) => requestsOf(run.snapshot(), question, flow)),
  );
}

function unresolved({ destination, source }: Question): TargetProblem | undefined {
  if (destination.kind !== 'name' || source.kind === 'address') return undefined;
  const problem = `no look-up from the source gave an address for ${destination.host}: give the address, or diagnose the name`;
  return { kind: 'not-found', problem, near: [] };
}

function cannotSend({ asked, protocol }: Question): TargetProblem {
  const problem = `nothing can be sent from ${asked.source} by ${protocol}: a source is a pod or a node of the cluster`;
  return { kind: 'usage', problem, near: [] };
}

function destinations(
  run: Run,
  question: Question,
  main: PlannedFlow,
  request: Request,
  options: ProbeOptions,
): { readonly tried: readonly Tried[]; readonly notes: readonly string[]; readonly unevenBecause?: string } {
  const snapshot = run.snapshot();
  const about: Circumstances = circumstances(datapathGate(snapshot), question);
  const { timeoutMs: _, count: __, ...bare } = request.args;
  const args: Request['args'] = { ...bare, ...(request.action === 'probe.icmp' ? options.ping : {}) };
  const asked = { ...request, args };
  const one = (role: Tried['role'], name: string, of: Request): Tried => ({
    ...{ role, name, request: of, circumstances: about },
  });
  const own = one('asked', endOf(args.address, args.port), asked);
  const service = request.action === 'probe.tcp' ? serviceTargets(snapshot, question, main, asked) : undefined;
  if (service === undefined || service.backends.length === 0) return { tried: [own], notes: [] };
  // The same port to the Service and to its backend are one connection to the kernel's table: the one would change the other.
  if (options.plan.sourcePort !== undefined)
    return { tried: [own], notes: ['from one source port, the backends are not tried by themselves'] };
  const backends = service.backends.map(({ name, request: of }) => one('backend', name, of));
  const { unevenBecause } = service;
  return { tried: [own, ...backends], notes: [], ...(unevenBecause === undefined ? {} : { unevenBecause }) };
}

function endOf(address: unknown, port: unknown): string {
  const text = String(address);
  if (port === undefined) return text;
  return text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`;
}

async function send(run: Run, tried: readonly Tried[], options: ProbeOptions) {
  const tallies = tried.map(() => createTally());
  const watches = tried.map(() => createStateWatch());
  const changes: (StateChange & { readonly target: string })[] = [];
  const { host } = run;
  options.tell(`sending to ${tried.map(({ name }) => name).join(', ')}`);
  const sender: Pick<Host, 'perform' | 'nowMs'> = {
    nowMs: () => host.nowMs(),
    perform: (requests, limits, signal) => host.perform(withPodUids(run.snapshot(), requests), limits, signal),
  };
  await run.timed('sending', () =>
    sendRepeatedly(sender, tried, options.plan, options, (at, sample) => {
      tallies[at]!.add(sample);
      options.live(liveText(tallies[0]!.read(), sample.latencyMs));
      if (!options.isWatch) return;
      for (const change of watches[at]!.take(sample)) {
        const named = { ...change, target: tried[at]!.name };
        changes.push(named);
        options.mark(named);
      }
    }),
  );
  return {
    tried: tried.map(({ role, name }, at) => ({ role, name, reading: tallies[at]!.read() })),
    changes,
  };
}

function liveText(
  { sent, passed, failed }: ReturnType<ReturnType<typeof createTally>['read']>,
  lastMs?: number,
): string {
  const loss = passed + failed === 0 ? '' : `, ${Math.round((failed / (passed + failed)) * 1_000) / 10} % loss`;
  return `${sent} sent, ${passed} answered${loss}${lastMs === undefined ? '' : `, last ${lastMs} ms`}`;
}
