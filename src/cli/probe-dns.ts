import { Command, Option } from 'commander';
import type { DnsReport } from '../report/dns-report.ts';
import { renderDnsText } from '../report/dns-text.ts';
import { renderDnsJson } from '../report/json.ts';
import { type DnsWords, probeName } from '../triage/dns-question.ts';
import type { SendPlan } from '../triage/send-repeatedly.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { addCommonOptions, type CommonOptions } from './options.ts';
import { wantsColor } from './print-report.ts';
import { refuseWhatSendsNothing, wholeNumber } from './probe-options.ts';
import { runQuestion, withNotices } from './run-question.ts';
import { stateChangeLine, throttled } from './watch-lines.ts';

interface DnsOptions extends CommonOptions {
  readonly container?: string;
  readonly ipFamily?: '4' | '6';
  readonly count: number;
  readonly interval: number;
  readonly wait?: number;
  readonly watch: boolean;
  readonly duration: number;
}

/** With two attempts of 5 s at one nameserver, a resolver gives a silent one up after 20 s, twice what one name costs. */
const WAIT_MS = 25_000;
/** A prober's jobs end within 30 s, and each has its turn within ten. */
const WAIT_MAX_MS = 28_000;
/** No more than so many look-ups wait at a time: with a long wait, a watch would see only late that a name is found again. */
const WATCH_WAIT_MS = 6_000;
const WATCH_SECONDS = { usual: 3_600, most: 21_600 } as const;
const MS_PER_S = 1_000;

/** `probe dns`: looks a name up as the pod's resolver would, then asks each server on the way by itself. */
export function probeDnsCommand(done: (code: ExitCode) => void): Command {
  return addCommonOptions(
    new Command('dns')
      .description(
        'look a name up as the pod’s resolver would, question by question; then each server on the way by itself',
      )
      .argument('<source>', 'pod/NS/NAME, deploy/NS/NAME, node/NAME')
      .argument('<name>', 'as the program gives it: api, api.shop, www.example.com, with or without a final dot'),
    { outputIsFile: false },
  )
    .option('-c, --container <name>', 'container of the source pod')
    .addOption(new Option('--ip-family <family>', 'the addresses that each server is asked for').choices(['4', '6']))
    .option('--count <number>', 'look-ups', wholeNumber(1, 10_000), 5)
    .option('--interval <milliseconds>', 'between two look-ups', wholeNumber(10, 10_000), 500)
    .option(
      '--wait <milliseconds>',
      'for the end of each look-up; default 25,000, of a watch 6,000',
      wholeNumber(1_000, WAIT_MAX_MS),
    )
    .option('--watch', 'until Ctrl-C; marks each moment at which the name ceases, or begins again, to be found', false)
    .option(
      '--duration <seconds>',
      'how long to watch at most',
      wholeNumber(1, WATCH_SECONDS.most),
      WATCH_SECONDS.usual,
    )
    .addHelpText(
      'after',
      `
Examples:
  podtriage probe dns pod/shop/web-7d9 api.shop
  podtriage probe dns deploy/shop/web www.example.com --count 50
  podtriage probe dns pod/shop/web-7d9 db.corp.test --watch

Exit code: 0 found each time and every server answers, 1 not so, 2 wrong usage or source not found, 3 could not tell,
4 no access or the run failed.`,
    )
    .action(async (source: string, name: string, options: DnsOptions) => {
      done(await run(source, name, options));
    });
}

function planOf({ count, interval, wait, watch, duration }: DnsOptions): SendPlan {
  return {
    count: watch ? Math.ceil((duration * MS_PER_S) / interval) : count,
    ...{ intervalMs: interval, waitMs: wait ?? (watch ? WATCH_WAIT_MS : WAIT_MS) },
  };
}

function run(source: string, name: string, options: DnsOptions): Promise<ExitCode> {
  refuseWhatSendsNothing(options);
  const plan = planOf(options);
  const lastsSeconds = options.watch ? options.duration : (plan.count * plan.intervalMs + plan.waitMs) / MS_PER_S;
  const words: DnsWords = {
    ...{ source, name },
    ...(options.namespace !== undefined && { namespace: options.namespace }),
    ...(options.container !== undefined && { container: options.container }),
    ...(options.ipFamily !== undefined && { family: options.ipFamily === '6' ? (6 as const) : (4 as const) }),
  };
  return runQuestion(
    { source, destination: name, ...(options.namespace !== undefined && { namespace: options.namespace }) },
    { ...options, timeout: options.timeout + Math.ceil(lastsSeconds) },
    async ({ host, signal, tell, sleep, notes, prepare, notices }) => {
      const outcome = await probeName(host, words, {
        ...{ signal, tell, sleep, notes, prepare, plan, isWatch: options.watch },
        live: throttled(tell, () => host.nowMs()),
        mark: (change) => {
          if (!options.quiet) process.stderr.write(stateChangeLine(change));
        },
      });
      if (outcome.kind === 'problem') return outcome;
      const report = withNotices(outcome.report, notices);
      return {
        kind: 'answer',
        print: () => {
          print(report, options);
          return { answered: EXIT.healthy, failed: EXIT.fault, unknown: EXIT.inconclusive }[report.verdict];
        },
      };
    },
    // Ctrl-C is how a watch ends.
    { endsBySignal: options.watch },
  );
}

function print(report: DnsReport, { output, verbose }: DnsOptions): void {
  const columns = process.stdout.columns ?? 100;
  process.stdout.write(
    output === 'json' ? renderDnsJson(report) : renderDnsText(report, { color: wantsColor(), columns, verbose }),
  );
}
