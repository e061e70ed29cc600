import type { Host, Reply, Request, Scalar } from '../host/host.ts';
import { type Circumstances, interpretIcmp, interpretTcp } from '../probe/interpret.ts';
import { PING_COUNT_MAX, TIMEOUT_MAX_MS } from '../probe/probe-request.ts';
import { type ProbeSample, sampleOfLookup, samplesOfPing } from '../probe/probe-sample.ts';
import type { IcmpAnswer, LookupAnswer, TcpAnswer } from '../snapshot/probe-answers.ts';
import { parseProbeAnswer } from '../snapshot/probe-answers-schema.ts';

/** How often, how fast, how long. */
export interface SendPlan {
  /** Attempts to each destination; Infinity: until the signal. */
  readonly count: number;
  /** Between two attempts to the same destination. */
  readonly intervalMs: number;
  /** How long each waits for its answer. */
  readonly waitMs: number;
  /** TCP: every connection from this one port, one after the other. */
  readonly sourcePort?: number;
}

/** One destination: `probe.tcp`, `probe.icmp` or `probe.lookup` with its arguments but those that say how often and how long. */
export interface SendTarget {
  readonly request: Request;
  readonly circumstances: Circumstances;
}

export interface SendOptions {
  readonly signal: AbortSignal;
  readonly sleep: (ms: number) => Promise<void>;
}

/** One piece of the work: what one prober, or one ping for each destination, does by itself on the node. */
interface Batch {
  readonly first: number;
  readonly attempts: number;
  readonly startedAtMs: number;
}

/** A prober does what belongs to so much time, so that the plan is small and an end comes soon. */
const SPAN_MS: Readonly<Record<string, number>> = { 'probe.tcp': 10_000, 'probe.icmp': 2_000, 'probe.lookup': 10_000 };
/** Of one batch: its jobs are one argument of the prober (128 KiB), and one frame of the protocol. */
const REQUESTS_MAX = 200;
/** Probers at a time in one namespace, each of which takes a helper's memory. */
const BATCHES_MAX = 3;
/** Between two probers, so that the start of the one does not slow down the last connects of the other: a helper has half a core. */
const PAUSE_MS: Readonly<Record<string, number>> = { 'probe.tcp': 250, 'probe.icmp': 0 };
/** Start of a prober, and the way to the node and back. */
const GRACE_MS = 6_000;
const ANSWER_MAX_BYTES = 1 << 20;

/**
 * Sends to every destination as often as the plan says, in batches that the node side paces by itself: an interval is kept by
 * the prober's clock, not by the way to the node. Hands over what became of each attempt as it is known, in any order. Ends on the
 * signal, with its prober, and where a whole batch got no answer of the node.
 */
export async function sendRepeatedly(
  host: Pick<Host, 'perform' | 'nowMs'>,
  targets: readonly SendTarget[],
  plan: SendPlan,
  options: SendOptions,
  take: (target: number, sample: ProbeSample) => void,
): Promise<void> {
  const perBatch = attemptsPerBatch(targets, plan);
  const pauseMs = plan.sourcePort === undefined ? (PAUSE_MS[targets[0]?.request.action ?? ''] ?? 0) : 0;
  const batchesMax = plan.sourcePort === undefined ? BATCHES_MAX : 1;
  const underWay = new Set<Promise<void>>();
  let isLost = false;
  let dueAtMs = host.nowMs();
  for (let first = 0; first < plan.count && !options.signal.aborted && !isLost; first += perBatch) {
    while (underWay.size >= batchesMax) await Promise.race(underWay);
    await options.sleep(Math.max(0, dueAtMs - host.nowMs()));
    if (options.signal.aborted) break;
    const startedAtMs = host.nowMs();
    const batch = { first, attempts: Math.min(perBatch, plan.count - first), startedAtMs };
    dueAtMs = startedAtMs + batch.attempts * plan.intervalMs + pauseMs;
    const done = sendBatch(host, targets, plan, batch, options.signal, take).then((answers) => {
      underWay.delete(done);
      isLost ||= answers === 0;
    });
    underWay.add(done);
  }
  await Promise.all(underWay);
}

function attemptsPerBatch(targets: readonly SendTarget[], { intervalMs, waitMs, sourcePort }: SendPlan): number {
  if (sourcePort !== undefined) return 1;
  const action = targets[0]?.request.action ?? '';
  const spanMs = Math.min(SPAN_MS[action] ?? 0, TIMEOUT_MAX_MS - waitMs);
  const requestsMax = action === 'probe.icmp' ? PING_COUNT_MAX : Math.floor(REQUESTS_MAX / targets.length);
  return Math.max(1, Math.min(Math.floor(spanMs / intervalMs), requestsMax));
}

/** Answers how many requests the node answered. */
async function sendBatch(
  host: Pick<Host, 'perform'>,
  targets: readonly SendTarget[],
  plan: SendPlan,
  batch: Batch,
  signal: AbortSignal,
  take: (target: number, sample: ProbeSample) => void,
): Promise<number> {
  const asked = new Map<string, { readonly target: number; readonly attempt: number }>();
  const requests = targets.flatMap(({ request }, target) =>
    attemptsOf(request, plan, batch, (plan.intervalMs * target) / targets.length).map(({ attempt, args }) => {
      asked.set(`${target} ${attempt}`, { target, attempt });
      return { ...request, args: { ...args, attempt: `${target} ${attempt}` } };
    }),
  );
  const spanMs = batch.attempts * plan.intervalMs;
  const limits = { deadlineMs: spanMs + plan.waitMs + GRACE_MS, maxBytes: ANSWER_MAX_BYTES };
  let answers = 0;
  for await (const reply of host.perform(requests, limits, signal)) {
    const one = asked.get(String(reply.request.args.attempt));
    if (!one) continue;
    if (reply.got === 'raw') answers++;
    // What the end of the run cut off was not sent, or nobody waited for it: it is no part of what was seen.
    else if (signal.aborted) continue;
    for (const sample of samplesOf(reply, targets[one.target]!, plan, { ...batch, first: one.attempt }))
      take(one.target, sample);
  }
  return signal.aborted ? Infinity : answers;
}

interface Attempt {
  readonly attempt: number;
  readonly args: Readonly<Record<string, Scalar>>;
}

/** The requests of one destination: a ping repeats by itself, a connect is one each. `offsetMs`: destinations take turns. */
function attemptsOf({ action, args }: Request, plan: SendPlan, batch: Batch, offsetMs: number): Attempt[] {
  const { intervalMs, waitMs: timeoutMs, sourcePort } = plan;
  const { first, attempts } = batch;
  if (action === 'probe.icmp') return [{ attempt: first, args: { ...args, count: attempts, intervalMs, timeoutMs } }];
  const isLookup = action === 'probe.lookup';
  const always: Attempt['args'] = { ...args, timeoutMs, ...(sourcePort === undefined ? {} : { sourcePort }) };
  return Array.from({ length: attempts }, (_, at) => {
    const afterMs = Math.min(Math.round(at * intervalMs + offsetMs), TIMEOUT_MAX_MS - timeoutMs);
    const turn: Attempt['args'] = isLookup ? { turn: first + at } : {};
    return { attempt: first + at, args: { ...always, ...turn, afterMs } };
  });
}

function samplesOf(reply: Reply, { request, circumstances }: SendTarget, plan: SendPlan, batch: Batch): ProbeSample[] {
  const { args } = reply.request;
  const { first } = batch;
  if (request.action === 'probe.icmp') {
    const answer = reply.got === 'raw' ? parse('probe.icmp', reply.raw) : undefined;
    const asked = { first, count: batch.attempts, sentAtMs: batch.startedAtMs, intervalMs: plan.intervalMs };
    if (answer === undefined) return samplesOfNothing(reply, asked);
    return samplesOfPing(answer, asked, interpretIcmp(args, answer));
  }
  const sentAtMs = batch.startedAtMs + Number(args.afterMs);
  if (request.action === 'probe.lookup') {
    const answer = reply.got === 'raw' ? parse('probe.lookup', reply.raw) : undefined;
    if (answer === undefined) return samplesOfNothing(reply, { first, count: 1, sentAtMs, intervalMs: 0 });
    return [sampleOfLookup(first, sentAtMs, answer)];
  }
  const answer = reply.got === 'raw' ? parse('probe.tcp', reply.raw) : undefined;
  if (answer === undefined) return samplesOfNothing(reply, { first, count: 1, sentAtMs, intervalMs: 0 });
  return [sampleOfTcp(first, sentAtMs, args, answer, circumstances)];
}

function sampleOfTcp(
  attempt: number,
  sentAtMs: number,
  args: Request['args'],
  answer: TcpAnswer,
  circumstances: Circumstances,
): ProbeSample {
  const { passed, statement } = interpretTcp(args, answer, circumstances);
  const { outcome, latencyMs, errno } = answer;
  return {
    ...{ attempt, sentAtMs, outcome, passed, statement },
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(errno === undefined ? {} : { errno }),
  };
}

function samplesOfNothing(
  reply: Reply,
  asked: { readonly first: number; readonly count: number; readonly sentAtMs: number; readonly intervalMs: number },
): ProbeSample[] {
  const statement = reply.got === 'nothing' ? `${reply.gap}: ${reply.detail}` : 'an answer that is not understood';
  return Array.from({ length: asked.count }, (_, at) => ({
    attempt: asked.first + at,
    sentAtMs: asked.sentAtMs + at * asked.intervalMs,
    outcome: 'untold' as const,
    passed: 'unknown' as const,
    statement,
  }));
}

function parse(name: 'probe.tcp', raw: Uint8Array): TcpAnswer | undefined;
function parse(name: 'probe.icmp', raw: Uint8Array): IcmpAnswer | undefined;
function parse(name: 'probe.lookup', raw: Uint8Array): LookupAnswer | undefined;
function parse(
  name: 'probe.tcp' | 'probe.icmp' | 'probe.lookup',
  raw: Uint8Array,
): TcpAnswer | IcmpAnswer | LookupAnswer | undefined {
  return parseProbeAnswer(name, new TextDecoder().decode(raw));
}
