import { Command } from 'commander';
import { renderTraceJson } from '../report/json.ts';
import type { TraceReport } from '../report/trace-report.ts';
import { renderTraceText } from '../report/trace-text.ts';
import { isTargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import { simulateQuestion } from '../triage/simulate-question.ts';
import { parseWhatIf, type WhatIf } from '../triage/what-if/what-if.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { byteCount, userId } from './options.ts';
import { wantsColor } from './print-report.ts';
import { type QuestionOptions, questionOptions, wordsOf } from './question-options.ts';
import { errorFor, runQuestion, withNotices } from './run-question.ts';

interface SimulateOptions extends QuestionOptions {
  readonly size?: number;
  readonly asUser?: number;
  readonly allRules: boolean;
  readonly allBranches: boolean;
  readonly with: readonly string[];
  readonly without: readonly string[];
}

const EXAMPLES = `
Examples:
  podtriage simulate pod/shop/web-7d9 svc/shop/api:80
  podtriage simulate pod/shop/web-7d9 svc/shop/api:80 --bundle case.tar.gz --all-rules
  podtriage simulate pod/shop/web-7d9 svc/shop/api:80 --without 'rule filter FORWARD#3 @worker-1'
  podtriage simulate pod/shop/web-7d9 svc/shop/api:80 --with 'sysctl net.ipv4.ip_forward=1'
  podtriage simulate pod/shop/web-7d9 10.244.2.7:80 --with 'route add 10.244.2.0/24 via 10.0.0.12 dev eth0 @worker-1'
What-if: rule, policy, sysctl, route, link, address, neigh, fdb and socket, in the words of iptables, sysctl, ip, bridge and
ss; @NODE or @pod/NS/NAME says where. docs/commands.md has them all.
Exit code: 0 delivered on every way there and back, 1 some of the connections certainly die, 2 wrong usage or target not
found, 3 could not tell, 4 no access or the run failed.`;

/** `simulate SOURCE DESTINATION`: the packet's walk by itself, and what changes of the state would make of it. */
export function simulateCommand(done: (code: ExitCode) => void): Command {
  return questionOptions(
    new Command('simulate').description(
      'walk the packet through the real rules, routes and tables, there and back, and print every stage; sends nothing',
    ),
  )
    .option('--size <bytes>', 'length of the packet with its IP header', byteCount)
    .option('--as-user <uid>', 'the user whose socket sends it, for rules that look at that', userId)
    .option('--all-rules', 'also the rules that were passed over, each with the test that failed', false)
    .option('--with <change>', 'walk as if this were so, e.g. "sysctl net.ipv4.ip_forward=1 @worker-1"', listed, [])
    .option('--without <thing>', 'walk as if this were not there, e.g. "rule filter FORWARD#3"', listed, [])
    .option('--all-branches', 'also branches that fare like one that is shown', false)
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, destination: string, options: SimulateOptions) => {
      done(await runSimulate(wordsOf(source, destination, options), options));
    });
}

function listed(value: string, former: readonly string[]): readonly string[] {
  return [...former, value];
}

/** Mistakes in the words alone are told before anything is asked. */
function whatIfsOf(options: SimulateOptions): readonly WhatIf[] {
  const parsed = [
    ...options.without.map((text) => parseWhatIf('without', text)),
    ...options.with.map((text) => parseWhatIf('with', text)),
  ];
  const problem = parsed.find(isTargetProblem);
  if (problem) throw errorFor(problem);
  return parsed.filter((one) => !isTargetProblem(one));
}

async function runSimulate(words: QuestionWords, options: SimulateOptions): Promise<ExitCode> {
  const whatIf = whatIfsOf(options);
  return runQuestion(words, options, async ({ host, signal, tell, notes, prepare, isLive, notices }) => {
    const outcome = await simulateQuestion(host, words, {
      signal,
      tell,
      notes,
      prepare,
      isLive,
      allRules: options.allRules,
      whatIf,
      ...(options.asUser !== undefined && { asUser: options.asUser }),
      ...(options.size !== undefined && { lengthBytes: options.size }),
    });
    if (outcome.kind === 'problem') return outcome;
    return {
      kind: 'answer',
      print: () => {
        printTrace(withNotices(outcome.report, notices), options);
        return exitCodeOf(outcome.report);
      },
    };
  });
}

function printTrace(report: TraceReport, options: SimulateOptions): void {
  if (options.output === 'json') {
    process.stdout.write(renderTraceJson(report));
    return;
  }
  const { verbose, allBranches } = options;
  const columns = process.stdout.columns ?? 100;
  process.stdout.write(renderTraceText(report, { color: wantsColor(), columns, verbose, allBranches }));
}

function exitCodeOf({ verdict }: TraceReport): ExitCode {
  return { delivered: EXIT.healthy, lost: EXIT.fault, unknown: EXIT.inconclusive }[verdict];
}
