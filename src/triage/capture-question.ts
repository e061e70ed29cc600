import { captureNote } from '../capture/capture-note.ts';
import { tracesCreated } from '../capture/rule-verdicts.ts';
import type { Host } from '../host/host.ts';
import { buildCaptureReport } from '../report/build-capture-report.ts';
import type { CaptureReport } from '../report/capture-report.ts';
import { walkBeside } from '../report/capture-walk.ts';
import { flowText } from '../report/packet-text.ts';
import { isTargetProblem, type Question, type TargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import type { CaptureFile } from '../wire/capture-file.ts';
import { BATCH_DEADLINE_MS, collectQuestion, REQUEST_MAX_BYTES } from './collect-question.ts';
import { mainFlow } from './main-flow.ts';
import { requestsOf } from './probe-outcomes.ts';
import { createRun } from './run.ts';
import { sendAttempts } from './send-attempts.ts';
import { type WatchOptions, watchFlow } from './watch-flow.ts';

export interface CaptureOptions extends WatchOptions {
  readonly signal: AbortSignal;
  readonly notes: readonly string[];
  readonly prepare: (nodes: readonly string[]) => void;
  /** Attempts that are made; 0: only what others send is watched. */
  readonly count: number;
}

export type CaptureOutcome =
  | { readonly kind: 'capture'; readonly report: CaptureReport; readonly file: CaptureFile }
  | { readonly kind: 'problem'; readonly problem: TargetProblem };

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
  const run = createRun(host, { ...options, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  const problemOf = async (problem: TargetProblem): Promise<CaptureOutcome> => {
    await host.close();
    return { kind: 'problem', problem };
  };
  const question = await collectQuestion(run, words, options.prepare);
  if (isTargetProblem(question)) return problemOf(question);
  const main = mainFlow(run.snapshot(), question);
  if (isTargetProblem(main)) return problemOf(main);
  const [probe] = requestsOf(run.snapshot(), question, main);
  if (!probe && !options.isEverybodys) return problemOf(cannotSend(question));
  const { flow, plan, watches, analysis, file, drops, rules } = await watchFlow(
    run,
    question,
    main,
    options,
    async () => {
      if (probe && options.count > 0) return sendAttempts(run, probe, options.count);
      await run.timed('watching', () => options.sleep(options.seconds * 1_000));
      return undefined;
    },
  );
  const created = [...(await run.timed('removing helpers', () => host.close())), ...tracesCreated(run.replies())];
  const target = {
    source: question.asked.source,
    destination: question.asked.destination,
    flow: flowText(flow.trip.forward.packet),
    notes: [...question.notes, ...options.notes],
  };
  const report = buildCaptureReport({
    target,
    walk: walkBeside(analysis.attempts, flow, plan),
    plan,
    watches,
    analysis,
    ...(drops && { drops }),
    ...(rules && { rules }),
    created,
    durationMs: host.nowMs() - startedAtMs,
  });
  const { notes: _, ...about } = target;
  const comment = captureNote({ target: about, plan, watches });
  return { kind: 'capture', report, file: { ...file, comment } };
}

function cannotSend({ asked, protocol }: Question): TargetProblem {
  const problem = `nothing can be sent from ${asked.source} by ${protocol}: send it yourself meanwhile, and add --capture-user-traffic`;
  return { kind: 'usage', problem, near: [] };
}
