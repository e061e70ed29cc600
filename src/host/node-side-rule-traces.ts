import {
  RULE_TRACE_BYTES_MAX,
  RULE_TRACE_NAMES,
  RULE_TRACES_MAX,
  type RuleTraceJob,
  ruleTraceJobOf,
  ruleTraceScript,
} from '../capture/rule-trace-request.ts';
import { placeKey } from '../net/place.ts';
import type { Request } from './host.ts';
import type { Answer, NodeSideContext } from './node-side.ts';
import { late, nothing, raw } from './node-side-answer.ts';
import type { Modules } from './node-side-modules.ts';
import type { Ran, RunPlace } from './node-side-run.ts';

/** Traces of one flow through the rules of network namespaces of this node. */
export interface RuleTraces {
  answer(request: Request, signal: AbortSignal): Promise<Answer>;
}

/** From the call to the listing of the table. */
const START_MS = 4_000;
/** From the listing to the subscription of `monitor trace`, and for the last words at the end. */
const SETTLE_MS = 120;
const FINISH_MS = 1_000;

interface Running {
  readonly ended: Promise<Ran>;
  /** The table goes with it. */
  readonly end: () => void;
  readonly output: () => string;
}

export function isRuleTrace(action: string): boolean {
  return (RULE_TRACE_NAMES as readonly string[]).includes(action);
}

export function createRuleTraces({ places, runner, tools }: NodeSideContext, modules: Modules): RuleTraces {
  const running = new Map<string, Running>();
  let made = 0;
  return {
    answer: (request, signal) => (request.action === 'rules.trace.start' ? start(request, signal) : stop(request)),
  };

  async function start(request: Request, signal: AbortSignal): Promise<Answer> {
    const job = ruleTraceJobOf(request.args);
    const where = places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    const key = placeKey(request.place);
    if (running.has(key)) return nothing('failed', 'rules are traced there already');
    if (running.size >= RULE_TRACES_MAX)
      return nothing('too-large', `${RULE_TRACES_MAX} traces run on this node already`);
    // Asking would load it; where it is not loaded there are no rules that could be traced.
    if (await modules.isIdle('nf_tables'))
      return nothing('not-supported', 'nf_tables is not loaded: no rule can be traced');
    const table = `podtriage_trace_${process.pid}${made++}`;
    const listed = Promise.withResolvers<'listed'>();
    const trace = launch(job, table, where, () => listed.resolve('listed'));
    running.set(key, trace);
    const first = await Promise.race([listed.promise, trace.ended, late(START_MS, signal)]);
    if (first === 'listed') {
      await pause(SETTLE_MS);
      return raw('', await tools.versionOf('nft'), false);
    }
    running.delete(key);
    trace.end();
    await trace.ended;
    const said = first === 'late' ? `nft did not list its table within ${START_MS} ms` : complaintOf(first);
    return nothing(/not permitted/.test(said) ? 'not-permitted' : 'not-supported', said);
  }

  function launch(job: RuleTraceJob, table: string, where: RunPlace, onListed: () => void): Running {
    const ending = new AbortController();
    let text = '';
    const ended = runner.run({
      argv: ['nft', '-i'],
      input: ruleTraceScript(job, table),
      where,
      timeoutMs: job.seconds * 1_000,
      maxBytes: RULE_TRACE_BYTES_MAX,
      signal: ending.signal,
      nice: false,
      onOutput: (bytes) => {
        text += Buffer.from(bytes).toString('utf8');
        // An unowned table would outlive us: nothing goes on without that word.
        if (
          new RegExp(
            `table inet ${table} \\{[^\\n]*\\n\\s*flags [^\\n]*\\bowner\\b[\\s\\S]*nftrace set 1[\\s\\S]*^\\}`,
            'm',
          ).test(text)
        )
          onListed();
      },
    });
    return { ended, end: () => ending.abort(), output: () => text };
  }

  async function stop(request: Request): Promise<Answer> {
    const key = placeKey(request.place);
    const trace = running.get(key);
    if (!trace) return nothing('not-asked', 'no rules are traced there');
    running.delete(key);
    await pause(SETTLE_MS);
    const early = await Promise.race([trace.ended, pause(0).then(() => undefined)]);
    trace.end();
    await Promise.race([trace.ended, pause(FINISH_MS)]);
    // It ended before it was asked to: by its time, by its bytes, or by an error.
    return raw(trace.output(), await tools.versionOf('nft'), early !== undefined);
  }
}

function complaintOf(ran: Ran): string {
  if (ran.ended === 'not-started') return `nft: ${ran.error}`;
  const first = ran.stderr.split('\n').find((line) => line.includes('Error')) ?? ran.stderr;
  return `nft makes no table that ends with its session (Linux 5.12 and newer): ${first.slice(0, 200)}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
