import type { Command } from 'commander';
import { renderProbeJson } from '../report/json.ts';
import type { ProbeReport } from '../report/probe-report.ts';
import { renderProbeText } from '../report/probe-text.ts';
import { probeQuestion } from '../triage/probe-question.ts';
import type { SendPlan } from '../triage/send-repeatedly.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { wantsColor } from './print-report.ts';
import { refuseWhatSendsNothing, wholeNumber } from './probe-options.ts';
import { type QuestionOptions, questionOptions, wordsOf } from './question-options.ts';
import { runQuestion, withNotices } from './run-question.ts';
import { stateChangeLine, throttled } from './watch-lines.ts';

/** The options of the probes that do the same again and again. */
export interface RepeatOptions extends QuestionOptions {
  readonly count: number;
  readonly interval: number;
  readonly wait: number;
  readonly watch: boolean;
  readonly duration: number;
  readonly sourcePort?: number;
  readonly size?: number;
  readonly df?: boolean;
}

type Kind = 'tcp' | 'ping';

/** Past the first two times that the kernel sends a SYN again (1 s and 3 s); a ping has no second try. */
const WAIT_MS: Readonly<Record<Kind, number>> = { tcp: 3_500, ping: 1_000 };
const WATCH_SECONDS = 3_600;
const WATCH_MAX_SECONDS = 21_600;
/** Attempts of one run, so that a watch at the shortest interval stays small. */
const ATTEMPTS_MAX = 1_000_000;
const MS_PER_S = 1_000;

export function repeatOptions(command: Command, kind: Kind): Command {
  return questionOptions(command)
    .option('--count <number>', 'attempts', wholeNumber(1, 10_000), 20)
    .option('--interval <milliseconds>', 'between two attempts', wholeNumber(10, 10_000), 200)
    .option('--wait <milliseconds>', 'for each answer', wholeNumber(100, 20_000), WAIT_MS[kind])
    .option('--watch', 'until Ctrl-C; marks each moment at which answers end or begin again', false)
    .option('--duration <seconds>', 'how long to watch at most', wholeNumber(1, WATCH_MAX_SECONDS), WATCH_SECONDS);
}

function protocolOf(kind: Kind): 'tcp' | 'icmp' {
  return kind === 'tcp' ? 'tcp' : 'icmp';
}

function planOf({ count, interval, wait, watch, duration, sourcePort }: RepeatOptions): SendPlan {
  const attempts = watch ? Math.min(ATTEMPTS_MAX, Math.ceil((duration * MS_PER_S) / interval)) : count;
  return {
    count: attempts,
    intervalMs: interval,
    waitMs: wait,
    ...(sourcePort === undefined ? {} : { sourcePort }),
  };
}

/** How long it may take at most. From one source port an attempt begins only when the one before has ended. */
function lastsSeconds({ count, intervalMs, waitMs, sourcePort }: SendPlan, options: RepeatOptions): number {
  if (options.watch) return options.duration;
  const each = sourcePort === undefined ? intervalMs : Math.max(intervalMs, waitMs + MS_PER_S);
  return (count * each + waitMs) / MS_PER_S;
}

/** `probe tcp` and `probe ping`: sends, counts, prints, and answers the exit code. */
export function runRepeatedProbe(
  kind: Kind,
  source: string,
  destination: string,
  options: RepeatOptions,
): Promise<ExitCode> {
  refuseWhatSendsNothing(options);
  if (options.protocol !== undefined && options.protocol !== protocolOf(kind))
    throw new UsageError(`probe ${kind} sends ${protocolOf(kind)}, not ${options.protocol}`);
  const plan = planOf(options);
  const words = wordsOf(source, destination, { ...options, protocol: protocolOf(kind) });
  const timeout = options.timeout + Math.ceil(lastsSeconds(plan, options));
  return runQuestion(
    words,
    { ...options, timeout },
    async ({ host, signal, tell, sleep, notes, prepare, notices }) => {
      const outcome = await probeQuestion(host, words, {
        ...{ signal, tell, sleep, notes, prepare, plan },
        live: throttled(tell, () => host.nowMs()),
        mark: (change) => {
          if (!options.quiet) process.stderr.write(stateChangeLine(change));
        },
        isWatch: options.watch,
        ...(kind === 'ping' && { ping: { sizeBytes: options.size ?? 0, df: options.df ?? false } }),
      });
      if (outcome.kind === 'problem') return outcome;
      const report = withNotices(outcome.report, notices);
      return {
        kind: 'answer',
        print: () => {
          print(report, options);
          return exitCodeOf(report);
        },
      };
    },
    // Ctrl-C is how a watch ends.
    { endsBySignal: options.watch },
  );
}

function print(report: ProbeReport, { output, verbose }: RepeatOptions): void {
  const columns = process.stdout.columns ?? 100;
  process.stdout.write(
    output === 'json' ? renderProbeJson(report) : renderProbeText(report, { color: wantsColor(), columns, verbose }),
  );
}

function exitCodeOf({ verdict }: ProbeReport): ExitCode {
  return { answered: EXIT.healthy, failed: EXIT.fault, unknown: EXIT.inconclusive }[verdict];
}
