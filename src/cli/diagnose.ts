import { Command } from 'commander';
import type { QuestionWords } from '../target/resolve-question.ts';
import { triage } from '../triage.ts';
import type { ExitCode } from './exit-codes.ts';
import { exitCodeOf, printReport } from './print-report.ts';
import {
  DROP_REASONS_HELP,
  type QuestionOptions,
  questionOptions,
  TRACE_RULES_HELP,
  wordsOf,
} from './question-options.ts';
import { runQuestion, withNotices } from './run-question.ts';

const EXAMPLES = `
Examples:
  podtriage diagnose pod/shop/web-7d9 svc/shop/api:80
  podtriage diagnose deploy/shop/web 10.0.3.7:5432
  podtriage diagnose -n shop web-7d9 storage.example.com:443
  podtriage diagnose node/worker-1 svc/shop/api:80
  podtriage diagnose ip/192.0.2.7 node/worker-1:30080
Exit code: 0 healthy, 1 fault found, 2 wrong usage or target not found, 3 could not tell, 4 no access or the run failed.`;

interface DiagnoseOptions extends QuestionOptions {
  readonly dropReasons: boolean;
  readonly traceRules: boolean;
}

/** `diagnose SOURCE DESTINATION`: the main job. */
export function diagnoseCommand(done: (code: ExitCode) => void): Command {
  return questionOptions(
    new Command('diagnose').description('why can’t SOURCE reach DESTINATION? Class, root cause, proof and fix'),
  )
    .option('--drop-reasons', DROP_REASONS_HELP, false)
    .option('--trace-rules', TRACE_RULES_HELP, false)
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, destination: string, options: DiagnoseOptions) => {
      done(await runDiagnose(wordsOf(source, destination, options), options));
    });
}

function runDiagnose(words: QuestionWords, options: DiagnoseOptions): Promise<ExitCode> {
  return runQuestion(words, options, async ({ host, signal, tell, sleep, notes, prepare, isLive, notices }) => {
    const outcome = await triage(host, words, {
      probe: options.probe,
      ...(options.capture && {
        capture: { sleep, dropReasons: options.dropReasons || !isLive, traceRules: options.traceRules || !isLive },
      }),
      signal,
      tell,
      notes,
      prepare,
    });
    if (outcome.kind === 'problem') return outcome;
    const report = withNotices(outcome.report, notices);
    return {
      kind: 'answer',
      print: () => {
        printReport(report, options);
        return exitCodeOf(report);
      },
    };
  });
}
