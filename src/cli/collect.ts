import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { encodeBundle } from '../snapshot/bundle.ts';
import { triage } from '../triage.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import {
  DROP_REASONS_HELP,
  type QuestionOptions,
  questionOptions,
  TRACE_RULES_HELP,
  wordsOf,
} from './question-options.ts';
import { runQuestion } from './run-question.ts';
import { podtriageVersion } from './version.ts';

interface CollectOptions extends QuestionOptions {
  readonly file?: string;
  readonly dropReasons: boolean;
  readonly traceRules: boolean;
}

/** `collect SOURCE DESTINATION -f FILE`: everything that a diagnosis of this question reads and sees, as a bundle. */
export function collectCommand(done: (code: ExitCode) => void): Command {
  return questionOptions(
    new Command('collect').description(
      'write a bundle: all that a diagnosis of this question reads, to be diagnosed elsewhere with --bundle',
    ),
    { outputIsFile: true },
  )
    .option('--drop-reasons', DROP_REASONS_HELP, false)
    .option('--trace-rules', TRACE_RULES_HELP, false)
    .action(async (source: string, destination: string, options: CollectOptions) => {
      done(await runCollect(source, destination, options));
    });
}

async function runCollect(source: string, destination: string, options: CollectOptions): Promise<ExitCode> {
  const path = options.file;
  if (path === undefined) throw new UsageError('collect needs -o FILE: where to write the bundle');
  const words = wordsOf(source, destination, options);
  return runQuestion(words, options, async ({ host, signal, tell, sleep, notes, prepare, isLive, notices }) => {
    const outcome = await triage(host, words, {
      probe: options.probe && isLive,
      ...(options.capture && {
        capture: { sleep, dropReasons: options.dropReasons || !isLive, traceRules: options.traceRules || !isLive },
      }),
      signal,
      tell,
      notes,
      prepare,
    });
    if (outcome.kind === 'problem') return outcome;
    const bytes = await encodeBundle(outcome.replies, {
      createdAtMs: host.nowMs(),
      podtriage: podtriageVersion(),
      question: words,
      notes: notices,
    });
    return {
      kind: 'answer',
      print: async () => {
        await writeFile(path, bytes, { mode: 0o600 });
        process.stderr.write(
          `${outcome.replies.length} replies in ${path} (${Math.ceil(bytes.length / 1024)} KiB); secrets are redacted\n`,
        );
        for (const line of outcome.report.created) process.stderr.write(`${line}\n`);
        process.stdout.write(`${path}\n`);
        return EXIT.healthy;
      },
    };
  });
}
