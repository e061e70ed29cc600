import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { encodeBundle } from '../snapshot/bundle.ts';
import { triage } from '../triage.ts';
import { type DiagnoseOptions, errorFor, questionOptions, wordsOf } from './diagnose.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { createInterrupt } from './interrupt.ts';
import { openHost } from './open-host.ts';
import { createProgress } from './progress.ts';
import { podtriageVersion } from './version.ts';

interface CollectOptions extends DiagnoseOptions {
  readonly file?: string;
}

/** `collect SOURCE DESTINATION -f FILE`: everything that a diagnosis of this question reads and sees, as a bundle. */
export function collectCommand(done: (code: ExitCode) => void): Command {
  return questionOptions(
    new Command('collect').description(
      'write a bundle: all that a diagnosis of this question reads, to be diagnosed elsewhere with --bundle',
    ),
    { outputIsFile: true },
  ).action(async (source: string, destination: string, options: CollectOptions) => {
    done(await runCollect(source, destination, options));
  });
}

async function runCollect(source: string, destination: string, options: CollectOptions): Promise<ExitCode> {
  const path = options.file;
  if (path === undefined) throw new UsageError('collect needs -o FILE: where to write the bundle');
  const words = wordsOf(source, destination, options);
  const interrupt = createInterrupt(options.timeout);
  const notices: string[] = [];
  const opened = await openHost(options, (line) => notices.push(line));
  const { host } = opened;
  const progress = createProgress({ quiet: options.quiet, startedAtMs: host.nowMs(), nowMs: () => host.nowMs() });
  try {
    const outcome = await triage(opened.host, words, {
      probe: options.probe && opened.isLive,
      signal: interrupt.signal,
      tell: progress.say,
      notes: opened.notes,
      prepare: opened.prepare,
    });
    progress.end();
    if (outcome.kind === 'problem') throw errorFor(outcome.problem);
    const bytes = await encodeBundle(outcome.replies, {
      createdAtMs: host.nowMs(),
      podtriage: podtriageVersion(),
      question: words,
      notes: notices,
    });
    await writeFile(path, bytes, { mode: 0o600 });
    process.stderr.write(
      `${outcome.replies.length} replies in ${path} (${Math.ceil(bytes.length / 1024)} KiB); secrets are redacted\n`,
    );
    for (const line of outcome.report.created) process.stderr.write(`${line}\n`);
    process.stdout.write(`${path}\n`);
    return interrupt.interruptedBy() === undefined ? EXIT.healthy : EXIT.failed;
  } finally {
    progress.end();
    await host.close();
    interrupt.release();
  }
}
