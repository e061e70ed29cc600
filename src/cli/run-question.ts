import { setTimeout } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { TargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import { planOf } from '../triage.ts';
import { EXIT, type ExitCode, RunError, UsageError } from './exit-codes.ts';
import { createInterrupt } from './interrupt.ts';
import { type OpenedHost, openHost } from './open-host.ts';
import { problemLine } from './problem-line.ts';
import { createProgress } from './progress.ts';
import type { QuestionOptions } from './question-options.ts';

/** What a command needs while its question is answered. */
export interface QuestionRun extends OpenedHost {
  readonly signal: AbortSignal;
  /** Says on stderr what is being done. */
  readonly tell: (text: string) => void;
  /** Waits that long, or until the run is ended; a bundle is not waited for. */
  readonly sleep: (ms: number) => Promise<void>;
  /** What the host had to say while it was opened and asked; whole only when the answer is there. */
  readonly notices: readonly string[];
}

/** What a command makes of its question; `print` is called when the line of progress is gone. */
export type Answered =
  | { readonly kind: 'problem'; readonly problem: TargetProblem }
  | { readonly kind: 'answer'; readonly print: () => ExitCode | Promise<ExitCode> };

/**
 * One run of a command about a question: opens the host that the options name, ends on the deadline or a signal, prints
 * the plan where only that is asked for, and closes the host however it ends. A run that a signal ended has failed,
 * whatever it could still tell; unless a signal is how it ends (`endsBySignal`).
 */
export async function runQuestion(
  words: QuestionWords,
  options: QuestionOptions,
  answer: (run: QuestionRun) => Promise<Answered>,
  how: { readonly endsBySignal?: boolean } = {},
): Promise<ExitCode> {
  const interrupt = createInterrupt(options.timeout);
  const notices: string[] = [];
  try {
    const opened = await openHost(options, (line) => notices.push(line));
    const { host } = opened;
    const progress = createProgress({ quiet: options.quiet, startedAtMs: host.nowMs(), nowMs: () => host.nowMs() });
    try {
      if (options.dryRun) return await printPlan(opened, words);
      const { signal } = interrupt;
      const sleep = async (ms: number): Promise<void> => {
        if (opened.isLive) await setTimeout(ms, undefined, { signal }).catch(() => undefined);
      };
      const answered = await answer({ ...opened, signal, tell: progress.say, sleep, notices });
      progress.end();
      if (answered.kind === 'problem') throw errorOf(answered.problem, interrupt.signal);
      const code = await answered.print();
      return interrupt.interruptedBy() === undefined || how.endsBySignal ? code : EXIT.failed;
    } finally {
      progress.end();
      await host.close();
    }
  } finally {
    interrupt.release();
  }
}

/** A report with what the host had to say of itself among its notes. */
export function withNotices<Told extends { readonly target: { readonly notes: readonly string[] } }>(
  report: Told,
  notices: readonly string[],
): Told {
  return { ...report, target: { ...report.target, notes: [...report.target.notes, ...notices] } };
}

/** An aborted run finds nothing of what was asked: that is no mistake of the words. */
function errorOf(problem: TargetProblem, signal: AbortSignal): Error {
  if (!signal.aborted) return errorFor(problem);
  const { reason } = signal;
  return new RunError(`${reason instanceof Error ? reason.message : String(reason)} before anything could be told`);
}

/** A usage problem is exit 2, a refusal of the cluster exit 4. */
export function errorFor(problem: TargetProblem): Error {
  return problem.kind === 'no-access' ? new RunError(problemLine(problem)) : new UsageError(problemLine(problem));
}

/** `--dry-run`: the objects that would be made and the requests that would be sent, as far as the API alone tells. */
async function printPlan(opened: OpenedHost, words: QuestionWords): Promise<ExitCode> {
  const plan = await planOf(opened.host, words);
  if ('problem' in plan) throw errorFor(plan);
  const objects = await opened.plannedObjects(plan.nodes);
  process.stdout.write(
    `# created, and removed at the end of the run\n${objects.map((object) => `---\n${stringify(object)}`).join('')}`,
  );
  process.stdout.write(
    `# asked first (a walk may ask for more of the same kind)\n${plan.requests.map((request) => `# ${request}\n`).join('')}`,
  );
  return EXIT.healthy;
}
