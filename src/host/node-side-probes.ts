import { dirname, extname, join } from 'node:path';
import { placeKey } from '../net/place.ts';
import { parsePing, pingArgv, pingLastsMs } from '../probe/ping.ts';
import {
  jobOf,
  PROBE_NAMES,
  type ProbeJob,
  pingQuestionOf,
  type SocketProbe,
  synQuestionOf,
  userOf,
} from '../probe/probe-request.ts';
import type { Limits, Request } from './host.ts';
import type { Answer, NodeSideContext } from './node-side.ts';
import { type GapDetail, gapOf } from './node-side-gap.ts';
import type { RunPlace } from './node-side-run.ts';
import { askBySyn } from './node-side-syn.ts';

export interface ProbeLimits extends Limits {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  readonly nowMs: () => number;
}

type Push = (request: Request, startedAtMs: number, answer: Answer) => void;

/** Start of node in the namespace, and what is between the last answer and its line on our side. */
const PROBER_START_MS = 3_000;
const ANSWER_MAX_BYTES = 1 << 20;
const HERE = import.meta.filename;
/** The program beside the agent, in the source as in the build. */
const PROBER = join(dirname(dirname(HERE)), 'agent', `prober-main${extname(HERE)}`);

export function isProbe(action: string): boolean {
  return (PROBE_NAMES as readonly string[]).includes(action);
}

/** All probes at once: pings each by its ping(8), the others by one prober per namespace and user. */
export async function performProbes(
  requests: readonly Request[],
  context: NodeSideContext,
  limits: ProbeLimits,
  push: Push,
): Promise<void> {
  const pings = requests.filter(({ action }) => action === 'probe.icmp');
  const syns = requests.filter(({ action }) => action === 'probe.syn');
  const batches = Map.groupBy(
    requests.filter(({ action }) => action !== 'probe.icmp' && action !== 'probe.syn'),
    ({ place, args }) => `${placeKey(place)} ${args.uid ?? ''}`,
  );
  await Promise.all([
    ...pings.map((request) => pingOne(request, context, limits, push)),
    ...syns.map((request) => synOne(request, context, limits, push)),
    ...[...batches.values()].map((batch) => probeBatch(batch, context, limits, push)),
  ]);
}

async function pingOne(request: Request, context: NodeSideContext, limits: ProbeLimits, push: Push): Promise<void> {
  const startedAtMs = limits.nowMs();
  const answer = await attempt(request, async (): Promise<Answer> => {
    const where = context.places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    const question = pingQuestionOf(request.args);
    const argv = pingArgv(question);
    const timeoutMs = Math.min(pingLastsMs(question) + PROBER_START_MS, limits.remainingMs());
    const { maxBytes, signal } = limits;
    const ran = await context.runner.run({ argv, where, timeoutMs, maxBytes, signal, nice: false });
    if (ran.ended !== 'exited') return { got: 'nothing', ...gapOf(ran, argv, timeoutMs)! };
    const silentGap = ran.code > 2 ? gapOf(ran, argv, timeoutMs) : undefined;
    if (silentGap || /^nsenter: /m.test(ran.stderr))
      return { got: 'nothing', ...(silentGap ?? unreachable(ran.stderr)) };
    const answer = parsePing(Buffer.from(ran.stdout).toString('utf8'), ran.stderr);
    return rawJson(answer, await context.tools.versionOf('ping'));
  });
  push(request, startedAtMs, answer);
}

async function synOne(request: Request, context: NodeSideContext, limits: ProbeLimits, push: Push): Promise<void> {
  const startedAtMs = limits.nowMs();
  const answer = await attempt(request, async (): Promise<Answer> => {
    const where = context.places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    const answer = await askBySyn(synQuestionOf(request.args), where, context.runner, limits);
    if (answer.sent === 0 && answer.detail !== undefined) return gapOfSyn(answer.detail);
    return rawJson(answer, 'socat');
  });
  push(request, startedAtMs, answer);
}

function gapOfSyn(detail: string): Answer {
  const isMissing = detail === 'ENOENT' || /socat: (No such file|not found)|failed to execute socat/.test(detail);
  return { got: 'nothing', gap: isMissing ? 'not-installed' : 'failed', detail };
}

function unreachable(stderr: string): GapDetail {
  return { gap: 'unreachable', detail: stderr.slice(0, 300) };
}

async function attempt(request: Request, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    return failed(`${request.action}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Requests of one namespace and user, done by one prober. */
async function probeBatch(
  batch: readonly Request[],
  context: NodeSideContext,
  limits: ProbeLimits,
  push: Push,
): Promise<void> {
  const startedAtMs = limits.nowMs();
  const where = context.places.networkOf(batch[0]!);
  const waiting = new Map<number, Request>();
  const answer = (id: number, one: Answer): void => {
    const request = waiting.get(id);
    if (request && waiting.delete(id)) push(request, startedAtMs, one);
  };
  const jobs: ProbeJob[] = [];
  for (const [id, request] of batch.entries()) {
    waiting.set(id, request);
    try {
      if ('gap' in where) answer(id, { got: 'nothing', ...where });
      else jobs.push(jobOf(id, request.action as SocketProbe, request.args));
    } catch (error) {
      answer(id, failed(`${request.action}: ${error instanceof Error ? error.message : String(error)}`));
    }
  }
  if ('gap' in where || jobs.length === 0) return;
  const gap = await runProber(jobs, userOf(batch[0]!.args), where, context, limits, answer);
  for (const id of [...waiting.keys()]) answer(id, { got: 'nothing', ...gap });
}

/** Hands each answer over as it comes; returns why the rest has none. */
async function runProber(
  jobs: readonly ProbeJob[],
  user: number | undefined,
  where: RunPlace,
  context: NodeSideContext,
  limits: ProbeLimits,
  answer: (id: number, one: Answer) => void,
): Promise<GapDetail> {
  const longestMs = Math.max(...jobs.map(lastsMs));
  const timeoutMs = Math.min(longestMs + PROBER_START_MS, limits.remainingMs());
  if (timeoutMs <= 0) return { gap: 'timed-out', detail: 'the deadline passed before its turn came' };
  const readLine = linesOf((line) => {
    const { id, answer: value } = JSON.parse(line) as { readonly id: number; readonly answer: unknown };
    answer(id, rawJson(value, `podtriage prober, Node ${process.version}`));
  });
  const argv = [...asUser(user), process.execPath, PROBER, JSON.stringify(jobs)];
  const { signal } = limits;
  const ran = await context.runner.run({
    argv,
    where,
    timeoutMs,
    maxBytes: ANSWER_MAX_BYTES,
    signal,
    nice: false,
    onOutput: readLine,
  });
  const gap = gapOf(ran, ['prober'], timeoutMs);
  return gap ?? { gap: 'failed', detail: 'the prober ended without an answer' };
}

function lastsMs(job: ProbeJob): number {
  return ('afterMs' in job ? (job.afterMs ?? 0) : 0) + job.timeoutMs;
}

function asUser(user: number | undefined): readonly string[] {
  return user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
}

function linesOf(take: (line: string) => void): (bytes: Uint8Array) => void {
  let pending = '';
  return (bytes) => {
    const lines = (pending + Buffer.from(bytes).toString('utf8')).split('\n');
    pending = lines.pop()!;
    for (const line of lines) if (line !== '') take(line);
  };
}

function rawJson(value: unknown, tool: string): Answer {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { got: 'raw', raw: bytes, exitCode: 0, truncated: false, tool };
}

function failed(detail: string): Answer {
  return { got: 'nothing', gap: 'failed', detail };
}
