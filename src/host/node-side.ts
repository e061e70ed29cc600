import { availableParallelism, release } from 'node:os';
import type { Collector, CommandHow, How } from '../collect/collector.ts';
import { collectorOf } from '../collect/collectors.ts';
import type { Limits, Reply, Request } from './host.ts';
import { nothing, raw } from './node-side-answer.ts';
import { createCaptures, isCapture } from './node-side-captures.ts';
import { createDropWatch, isDropWatch } from './node-side-drops.ts';
import { readFilesBelow } from './node-side-files.ts';
import { type GapDetail, gapOf, isDoubtful, wasInterrupted } from './node-side-gap.ts';
import { createModules } from './node-side-modules.ts';
import { createPlaces, type NodeAccess, type Places } from './node-side-places.ts';
import { isProbe, performProbes } from './node-side-probes.ts';
import { fileReplyOfGrep, readProcFilesArgv } from './node-side-proc-files.ts';
import { createAsyncQueue, createGate } from './node-side-queue.ts';
import { createRuleTraces, isRuleTrace } from './node-side-rule-traces.ts';
import { createRunner, type Runner, type RunPlace } from './node-side-run.ts';
import { askTcFilters } from './node-side-tc-filters.ts';
import { createTools, type Tools } from './node-side-tools.ts';
import { askWireguard } from './node-side-wireguard.ts';
import { within } from './within-budget.ts';

/**
 * Answers requests on the node itself: the part that the agent and the local host share. It knows collectors and
 * probes by their ids, and runs nothing else.
 */
export interface NodeSide {
  /** One reply per request, in any order. After an abort what is not answered is a gap. */
  perform(requests: readonly Request[], limits: Limits, signal: AbortSignal): AsyncIterable<Reply>;
  /** Ends every process that still runs, at once. */
  close(): void;
}

/** What the reply says, without the request and its times. */
export type Answer =
  | {
      readonly got: 'raw';
      readonly raw: Uint8Array;
      readonly exitCode: number;
      readonly truncated: boolean;
      readonly tool: string;
    }
  | ({ readonly got: 'nothing' } & GapDetail);

/** What the parts of the node side work with. */
export interface NodeSideContext {
  readonly places: Places;
  readonly runner: Runner;
  readonly tools: Tools;
}

/** A tool and the limits that remain for it. */
export interface Budget {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxMemoryBytes?: number;
  readonly signal: AbortSignal;
}

/** Tools at once: per core, since they mostly wait for the kernel; and in all, since the helper's memory does not grow with the cores. */
const TOOLS_PER_CORE = 4;
const TOOLS_MAX = 16;
const INTERRUPTED_RETRIES = 3;
const VERSION_TIMEOUT_MS = 2_000;
const SHELL_NOT_FOUND = 126;
const XARGS_SOME_FAILED = 123;

/** `memoryFactor`: of the collectors' limits of a tool's memory (tool-memory.ts). */
export function createNodeSide(access: NodeAccess, nowMs: () => number = Date.now, memoryFactor = 1): NodeSide {
  const runner = createRunner();
  const gate = createGate(Math.min(TOOLS_MAX, TOOLS_PER_CORE * availableParallelism()));
  const tools = createTools((argv) =>
    runner.run({
      argv,
      where: { enter: access.enter },
      timeoutMs: VERSION_TIMEOUT_MS,
      maxBytes: 64 << 10,
      signal: new AbortController().signal,
    }),
  );
  const context: NodeSideContext = { places: createPlaces(access, nowMs), runner, tools };
  const captures = createCaptures(context);
  const drops = createDropWatch(context);
  const modules = createModules(access.procRoot, access.root);
  const traces = createRuleTraces(context, modules);

  return {
    perform: (requests, limits, signal) => performAll(requests, limits, signal),
    close: () => runner.endAll(),
  };

  function performAll(requests: readonly Request[], limits: Limits, signal: AbortSignal): AsyncIterable<Reply> {
    const replies = createAsyncQueue<Reply>();
    const deadlineAtMs = nowMs() + limits.deadlineMs;
    const remainingMs = (): number => deadlineAtMs - nowMs();
    const probes = requests.filter(({ action }) => isProbe(action));
    const watches = requests.filter(({ action }) => isWatch(action));
    const collects = requests.filter(({ action }) => !isProbe(action) && !isWatch(action));
    const push = (request: Request, startedAtMs: number, answer: Answer): void =>
      replies.push({ request, startedAtMs, tookMs: nowMs() - startedAtMs, ...answer });
    const work = [
      performProbes(probes, context, { ...limits, signal, remainingMs, nowMs }, push),
      ...watches.map((request) => watchOne(request, signal, remainingMs, push)),
      ...collects.map((request) => collectOne(request, limits, signal, remainingMs, push)),
    ];
    void Promise.allSettled(work).then(() => replies.end());
    return replies;
  }

  async function collectOne(
    request: Request,
    limits: Limits,
    signal: AbortSignal,
    remainingMs: () => number,
    push: (request: Request, startedAtMs: number, answer: Answer) => void,
  ): Promise<void> {
    await gate.pass(async () => {
      const startedAtMs = nowMs();
      push(request, startedAtMs, await answerOf(request, limits, signal, remainingMs()));
    });
  }

  /** Not behind the gate: captures of one way are to begin together, and wait rather than work. */
  async function watchOne(
    request: Request,
    signal: AbortSignal,
    remainingMs: () => number,
    push: (request: Request, startedAtMs: number, answer: Answer) => void,
  ): Promise<void> {
    const startedAtMs = nowMs();
    try {
      push(request, startedAtMs, await watchAnswer(request, signal, remainingMs()));
    } catch (error) {
      const detail = `${request.action}: ${error instanceof Error ? error.message : String(error)}`;
      push(request, startedAtMs, nothing('failed', detail));
    }
  }

  function watchAnswer(request: Request, signal: AbortSignal, remainingMs: number): Promise<Answer> {
    if (isDropWatch(request.action)) return drops.answer(request, signal);
    if (isRuleTrace(request.action)) return traces.answer(request, signal);
    return captures.answer(request, { remainingMs, signal });
  }

  async function answerOf(request: Request, limits: Limits, signal: AbortSignal, remainingMs: number): Promise<Answer> {
    if (signal.aborted) return nothing('timed-out', 'the run was ended before this was asked');
    if (remainingMs <= 0) return nothing('timed-out', 'the deadline passed before its turn came');
    const collector = collectorOf(request.action);
    if (!collector) return nothing('not-supported', `no collector or probe is named ${request.action}`);
    try {
      const how = collector.how(request.args);
      return await collect(how, request, budgetOf(collector, limits, signal, { remainingMs, memoryFactor }));
    } catch (error) {
      return nothing('failed', `${request.action}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async function collect(how: How, request: Request, budget: Budget): Promise<Answer> {
    switch (how.via) {
      case 'api':
        return nothing('not-supported', `${request.action} is asked of the API server, not of a node`);
      case 'command':
        return runCommand(how, request, budget);
      case 'files':
        return how.root === 'netns' ? readProcFiles(how.paths, request, budget) : readFiles(how, request, budget);
      case 'node-side':
        return computed(how.name, request, budget);
    }
  }

  async function runCommand(how: CommandHow, request: Request, budget: Budget): Promise<Answer> {
    const where = context.places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    const idle = how.modules ? await Promise.all(how.modules.names.map(modules.isIdle)) : [];
    const without = idle.includes(true) ? how.modules?.without : undefined;
    if (without && 'text' in without) return raw(without.text, '');
    if (how.when) {
      const guard = await readGuard(how.when, where, budget);
      if (guard !== 'holds') return guard;
    }
    const answer = await runTool(how.argv, where, budget, { input: how.input, env: without?.env });
    // Asked in another way, the tool may know less; who reads the answer can tell by this.
    return without && answer.got === 'raw'
      ? { ...answer, tool: `${answer.tool} (${idleNames(how)} not loaded)` }
      : answer;
  }

  async function runTool(
    argv: readonly string[],
    where: RunPlace,
    budget: Budget,
    more: { readonly input?: string | undefined; readonly env?: Readonly<Record<string, string>> | undefined },
  ): Promise<Answer> {
    const { input, env } = more;
    const options = { argv, where, ...budget, ...(input === undefined ? {} : { input }), ...(env ? { env } : {}) };
    let ran = await runner.run(options);
    for (let retry = 0; retry < INTERRUPTED_RETRIES && wasInterrupted(ran); retry++) ran = await runner.run(options);
    const gap = gapOf(ran, argv, budget.timeoutMs, budget.maxMemoryBytes);
    if (gap || ran.ended !== 'exited') return { got: 'nothing', ...(gap ?? { gap: 'failed', detail: 'no answer' }) };
    return {
      got: 'raw',
      raw: ran.stdout,
      exitCode: ran.code,
      // A listing that was disturbed every time may lack what it should show.
      truncated: ran.truncated || wasInterrupted(ran) || isDoubtful(ran),
      tool: await tools.versionOf(argv[0] ?? ''),
    };
  }

  /** Whether the tool is to be run: 'holds', or the answer without it. */
  async function readGuard(
    when: { readonly file: string; readonly hasLine?: string },
    where: RunPlace,
    budget: Budget,
  ): Promise<'holds' | Answer> {
    const read = await grepProcFiles([when.file], where, budget);
    if ('gap' in read) return { got: 'nothing', ...read };
    const [file] = read.files;
    if (file?.error !== undefined && file.error !== 'ENOENT') {
      return nothing(file.error === 'EACCES' ? 'not-permitted' : 'failed', `reading ${when.file}: ${file.error}`);
    }
    const lines = (file?.text ?? '').split('\n').filter((line) => line !== '');
    const holds = when.hasLine === undefined ? lines.length > 0 : lines.includes(when.hasLine);
    return holds ? 'holds' : raw('', '');
  }

  async function readProcFiles(paths: readonly string[], request: Request, budget: Budget): Promise<Answer> {
    const where = context.places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    const read = await grepProcFiles(paths, where, budget);
    return 'gap' in read ? { got: 'nothing', ...read } : rawJson({ files: read.files }, read.truncated);
  }

  async function grepProcFiles(paths: readonly string[], where: RunPlace, budget: Budget) {
    const argv = readProcFilesArgv(paths);
    const ran = await runner.run({ argv, where, ...budget });
    if (ran.ended !== 'exited') return gapOf(ran, ['grep'], budget.timeoutMs)!;
    const started = ran.code === 0 || ran.code === XARGS_SOME_FAILED || ran.truncated;
    if (!started) {
      const gap = ran.code >= SHELL_NOT_FOUND ? 'not-installed' : 'failed';
      return gapOf(ran, argv, budget.timeoutMs) ?? ({ gap, detail: `grep: ${ran.stderr.slice(0, 300)}` } as const);
    }
    const stdout = Buffer.from(ran.stdout).toString('utf8');
    return { ...fileReplyOfGrep(stdout, ran.stderr, paths, ran.truncated), truncated: ran.truncated };
  }

  async function readFiles(how: How & { via: 'files' }, request: Request, budget: Budget): Promise<Answer> {
    const root = how.root === 'container' ? context.places.containerRootOf(request) : access.root;
    if (typeof root !== 'string') return { got: 'nothing', ...root };
    const read = await within(readFilesBelow(root, how.paths), budget);
    if (read === 'late') return nothing('timed-out', `reading ${how.paths[0]} and the like took too long`);
    return rawJson(read, false);
  }

  async function computed(name: string, request: Request, budget: Budget): Promise<Answer> {
    if (name === 'sandboxes') return rawJson(context.places.sandboxes(), false);
    if (name !== 'tc-filters' && name !== 'wireguard')
      return nothing('not-supported', `the node side computes no ${name}`);
    const where = context.places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    const run = (argv: readonly string[], input?: string) => runTool(argv, where, budget, { input });
    return name === 'wireguard' ? askWireguard(run) : askTcFilters(run);
  }

  function rawJson(value: unknown, truncated: boolean): Answer {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    return { got: 'raw', raw: bytes, exitCode: 0, truncated, tool: `Linux ${release()}` };
  }
}

/** What goes on between two requests. */
function isWatch(action: string): boolean {
  return isCapture(action) || isDropWatch(action) || isRuleTrace(action);
}

function budgetOf(
  collector: Collector,
  limits: Limits,
  signal: AbortSignal,
  { remainingMs, memoryFactor }: { readonly remainingMs: number; readonly memoryFactor: number },
): Budget {
  const { timeoutMs, maxBytes, maxMemoryBytes } = collector.limits;
  return {
    timeoutMs: Math.min(timeoutMs, remainingMs),
    maxBytes: Math.min(maxBytes, limits.maxBytes),
    ...(maxMemoryBytes === undefined ? {} : { maxMemoryBytes: Math.floor(maxMemoryBytes * memoryFactor) }),
    signal,
  };
}

function idleNames(how: CommandHow): string {
  return how.modules?.names.join(', ') ?? '';
}
