import { Command, InvalidArgumentError } from 'commander';
import type { StateChange } from '../probe/state-watch.ts';
import { renderProbeJson } from '../report/json.ts';
import { plainText } from '../report/plain-text.ts';
import type { ProbeReport } from '../report/probe-report.ts';
import { renderProbeText } from '../report/probe-text.ts';
import { probeQuestion } from '../triage/probe-question.ts';
import type { SendPlan } from '../triage/send-repeatedly.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { wantsColor } from './print-report.ts';
import { type QuestionOptions, questionOptions, wordsOf } from './question-options.ts';
import { runQuestion, withNotices } from './run-question.ts';

interface RepeatOptions extends QuestionOptions {
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

const EXIT_CODES = `
Exit code: 0 all were answered, 1 some failed, 2 wrong usage or target not found, 3 could not tell, 4 no access or the run
failed.`;

/** Past the first two times that the kernel sends a SYN again (1 s and 3 s); a ping has no second try. */
const WAIT_MS: Readonly<Record<Kind, number>> = { tcp: 3_500, ping: 1_000 };
const WATCH_SECONDS = 3_600;
const WATCH_MAX_SECONDS = 21_600;
/** Attempts of one run, so that a watch at the shortest interval stays small. */
const ATTEMPTS_MAX = 1_000_000;
const MS_PER_S = 1_000;

/** `probe tcp` and `probe ping`: the same attempt again and again, with statistics. */
export function probeCommand(done: (code: ExitCode) => void): Command {
  return new Command('probe')
    .description('try it again and again from the source’s own network: loss, times, what it met')
    .addCommand(tcpCommand(done).exitOverride())
    .addCommand(pingCommand(done).exitOverride());
}

function tcpCommand(done: (code: ExitCode) => void): Command {
  return repeatOptions(
    new Command('tcp').description(
      'connect again and again: loss, connect times, refusals, time-outs; each backend of a Service by itself as well',
    ),
    'tcp',
  )
    .option('--source-port <port>', 'every connection from this port, one after the other', whole(1, 65_535))
    .addHelpText(
      'after',
      `
Examples:
  podtriage probe tcp pod/shop/web-7d9 svc/shop/api:80
  podtriage probe tcp pod/shop/web-7d9 10.244.2.7:5432 --count 200 --interval 50
  podtriage probe tcp pod/shop/web-7d9 svc/shop/api:80 --watch${EXIT_CODES}`,
    )
    .action(async (source: string, destination: string, options: RepeatOptions) => {
      done(await run('tcp', source, destination, options));
    });
}

function pingCommand(done: (code: ExitCode) => void): Command {
  return repeatOptions(
    new Command('ping').description('ping again and again: loss, times, duplicates, ICMP errors by who sent them'),
    'ping',
  )
    .option('--size <bytes>', 'payload; the packet is 28 (IPv6: 48) bytes longer', whole(0, 65_507), 56)
    .option('--df', 'may not be fragmented on the way', false)
    .addHelpText(
      'after',
      `
Examples:
  podtriage probe ping pod/shop/web-7d9 pod/shop/api-0 --count 100
  podtriage probe ping node/worker-1 node/worker-2 --size 1472 --df
  podtriage probe ping pod/shop/web-7d9 10.244.2.7 --watch${EXIT_CODES}`,
    )
    .action(async (source: string, destination: string, options: RepeatOptions) => {
      done(await run('ping', source, destination, options));
    });
}

function repeatOptions(command: Command, kind: Kind): Command {
  return questionOptions(command)
    .option('--count <number>', 'attempts', whole(1, 10_000), 20)
    .option('--interval <milliseconds>', 'between two attempts', whole(10, 10_000), 200)
    .option('--wait <milliseconds>', 'for each answer', whole(100, 20_000), WAIT_MS[kind])
    .option('--watch', 'until Ctrl-C; marks each moment at which answers end or begin again', false)
    .option('--duration <seconds>', 'how long to watch at most', whole(1, WATCH_MAX_SECONDS), WATCH_SECONDS);
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is expected`);
    return value;
  };
}

/** What is no probe is told before anything is asked. */
function refuseWrong(kind: Kind, { bundle, probe, protocol }: RepeatOptions): void {
  if (bundle !== undefined) throw new UsageError('nothing can be sent from a bundle: probe needs a live cluster');
  if (!probe) throw new UsageError('probe with --no-probe does nothing; use simulate');
  if (protocol !== undefined && protocol !== protocolOf(kind))
    throw new UsageError(`probe ${kind} sends ${protocolOf(kind)}, not ${protocol}`);
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

function run(kind: Kind, source: string, destination: string, options: RepeatOptions): Promise<ExitCode> {
  refuseWrong(kind, options);
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
          if (!options.quiet) process.stderr.write(markText(change));
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

/** A line that is rewritten may be so often; a log may not be filled. */
function throttled(tell: (text: string) => void, nowMs: () => number): (text: string) => void {
  const everyMs = process.stderr.isTTY ? 200 : 10_000;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (nowMs() - toldAtMs < everyMs) return;
    toldAtMs = nowMs();
    tell(text);
  };
}

function markText(change: StateChange & { readonly target: string }): string {
  const { target, atMs, to, statement } = plainText(change);
  const clear = process.stderr.isTTY ? '\r\u001b[2K' : '';
  const said = to === 'answering' ? 'answers again' : `no longer answers: ${statement}`;
  return `${clear}${new Date(atMs).toISOString()} ${target} ${said}\n`;
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
