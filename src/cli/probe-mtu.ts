import { Command } from 'commander';
import { renderMtuJson } from '../report/json.ts';
import type { MtuReport } from '../report/mtu-report.ts';
import { renderMtuText } from '../report/mtu-text.ts';
import { mtuQuestion } from '../triage/mtu-question.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { wantsColor } from './print-report.ts';
import { refuseWhatSendsNothing } from './probe-options.ts';
import { type QuestionOptions, questionOptions, wordsOf } from './question-options.ts';
import { runQuestion, withNotices } from './run-question.ts';

/** `probe mtu`: the largest packets that pass, there and back, and what limits them. */
export function probeMtuCommand(done: (code: ExitCode) => void): Command {
  return questionOptions(
    new Command('mtu').description(
      'search the path MTU there and back; what limits it, and whether the sender is told of it',
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  podtriage probe mtu pod/shop/web-7d9 svc/shop/api:80
  podtriage probe mtu node/worker-1 node/worker-2
  podtriage probe mtu pod/shop/web-7d9 10.0.0.7:443 -o json

Exit code: 0 what the sender’s device takes passes, or the sender is told what is smaller; 1 larger packets are lost without a
word; 2 wrong usage or target not found, 3 could not tell, 4 no access or the run failed.`,
    )
    .action(async (source: string, destination: string, options: QuestionOptions) => {
      done(await run(source, destination, options));
    });
}

function run(source: string, destination: string, options: QuestionOptions): Promise<ExitCode> {
  refuseWhatSendsNothing(options);
  const { protocol } = options;
  if (protocol !== undefined && protocol !== 'tcp' && protocol !== 'icmp')
    throw new UsageError(`probe mtu sends icmp and tcp, not ${protocol}`);
  const words = wordsOf(source, destination, options);
  return runQuestion(words, options, async ({ host, signal, tell, notes, prepare, notices }) => {
    const outcome = await mtuQuestion(host, words, { signal, tell, notes, prepare });
    if (outcome.kind === 'problem') return outcome;
    const report = withNotices(outcome.report, notices);
    return {
      kind: 'answer',
      print: () => {
        print(report, options);
        return { answered: EXIT.healthy, failed: EXIT.fault, unknown: EXIT.inconclusive }[report.verdict];
      },
    };
  });
}

function print(report: MtuReport, { output, verbose }: QuestionOptions): void {
  const columns = process.stdout.columns ?? 100;
  process.stdout.write(
    output === 'json' ? renderMtuJson(report) : renderMtuText(report, { color: wantsColor(), columns, verbose }),
  );
}
