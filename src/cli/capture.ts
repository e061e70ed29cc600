import { readFile, writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { CaptureReport } from '../report/capture-report.ts';
import { renderCaptureText } from '../report/capture-text.ts';
import { renderCaptureJson } from '../report/json.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import { captureQuestion } from '../triage/capture-question.ts';
import { rereadCapture } from '../triage/reread-capture.ts';
import type { CaptureFile } from '../wire/capture-file.ts';
import { writePcapng } from '../wire/write-pcapng.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { positiveNumber } from './options.ts';
import { wantsColor } from './print-report.ts';
import {
  DROP_REASONS_HELP,
  type QuestionOptions,
  questionOptions,
  TRACE_RULES_HELP,
  wordsOf,
} from './question-options.ts';
import { runQuestion, withNotices } from './run-question.ts';

interface CaptureCommandOptions extends QuestionOptions {
  readonly count: number;
  readonly duration: number;
  readonly write?: string;
  readonly read?: string;
  readonly captureUserTraffic: boolean;
  readonly dropReasons: boolean;
  readonly traceRules: boolean;
}

const EXAMPLES = `
Examples:
  podtriage capture pod/shop/web-7d9 svc/shop/api:80
  podtriage capture pod/shop/web-7d9 10.244.2.7:5432 --count 10 -w case.pcapng
  podtriage capture pod/shop/web-7d9 svc/shop/api:80 --no-probe --capture-user-traffic --duration 30
  podtriage capture --read case.pcapng
Exit code: 0 every attempt was answered, 1 some were lost or refused, 2 wrong usage or target not found, 3 could not tell,
4 no access or the run failed.`;

/** Attempts at most: all of them are made at once. */
const COUNT_MAX = 100;
const DURATION_MAX_S = 300;

/** `capture SOURCE DESTINATION`: watches every device on the way at once, sends, and tells after which one a packet is gone. */
export function captureCommand(done: (code: ExitCode) => void): Command {
  return questionOptions(
    new Command('capture').description(
      'watch every device on the packet’s way there and back at once, send it, and name the place after which it is gone',
    ),
    { endsMayLack: true },
  )
    .option('--count <number>', 'attempts to make, all at once', attemptCount, 5)
    .option('--duration <seconds>', 'how long to watch where nothing is sent (--no-probe)', duration, 10)
    .option('-w, --write <file>', 'also write what was seen as a pcapng file, which Wireshark and tshark open')
    .option('--read <file>', 'tell of a capture that was written before; asks no cluster')
    .option('--capture-user-traffic', 'also what others send between the same ends, not only podtriage itself', false)
    .option('--drop-reasons', DROP_REASONS_HELP, false)
    .option('--trace-rules', TRACE_RULES_HELP, false)
    .addHelpText('after', EXAMPLES)
    .action(async (source: string | undefined, destination: string | undefined, options: CaptureCommandOptions) => {
      done(await run(source, destination, options));
    });
}

function attemptCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > COUNT_MAX)
    throw new InvalidArgumentError(`a number from 1 to ${COUNT_MAX} is expected`);
  return value;
}

function duration(text: string): number {
  const value = positiveNumber(text);
  if (value > DURATION_MAX_S) throw new InvalidArgumentError(`at most ${DURATION_MAX_S} seconds`);
  return value;
}

async function run(
  source: string | undefined,
  destination: string | undefined,
  options: CaptureCommandOptions,
): Promise<ExitCode> {
  if (options.read !== undefined) return readBack(options.read, source, options);
  if (source === undefined || destination === undefined)
    throw new UsageError('capture needs SOURCE and DESTINATION, or --read FILE');
  if (options.bundle !== undefined) throw new UsageError('a bundle cannot be watched: capture needs a live cluster');
  if (!options.capture) throw new UsageError('capture with --no-capture does nothing; use simulate');
  if (!options.probe && !options.captureUserTraffic)
    throw new UsageError('--no-probe sends nothing: add --capture-user-traffic to watch what others send');
  return runLive(wordsOf(source, destination, options), options);
}

async function readBack(path: string, source: string | undefined, options: CaptureCommandOptions): Promise<ExitCode> {
  if (source !== undefined) throw new UsageError('--read tells of a file; it takes no SOURCE and DESTINATION');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const report = rereadCapture(bytes, path);
  if ('problem' in report) throw new UsageError(`${path}: ${report.problem}`);
  print(report, options);
  return exitCodeOf(report);
}

function runLive(words: QuestionWords, options: CaptureCommandOptions): Promise<ExitCode> {
  // The helpers must live as long as is watched.
  const watching = { ...options, timeout: options.timeout + (options.probe ? 0 : options.duration) };
  return runQuestion(words, watching, async ({ host, signal, tell, sleep, notes, prepare, notices }) => {
    const outcome = await captureQuestion(host, words, {
      signal,
      tell,
      notes,
      prepare,
      sleep,
      count: options.probe ? options.count : 0,
      seconds: options.duration,
      isEverybodys: options.captureUserTraffic,
      dropReasons: options.dropReasons,
      traceRules: options.traceRules,
    });
    if (outcome.kind === 'problem') return outcome;
    const { report, file } = outcome;
    return {
      kind: 'answer',
      print: async () => {
        if (options.write !== undefined) await writeCapture(options.write, file);
        print(withNotices(report, notices), options);
        return exitCodeOf(report);
      },
    };
  });
}

async function writeCapture(path: string, file: CaptureFile): Promise<void> {
  await writeFile(path, writePcapng(file), { mode: 0o600 });
  process.stderr.write(`${file.frames.length} frames in ${path}\n`);
}

function print(report: CaptureReport, { output, verbose }: CaptureCommandOptions): void {
  const columns = process.stdout.columns ?? 100;
  process.stdout.write(
    output === 'json'
      ? renderCaptureJson(report)
      : renderCaptureText(report, { color: wantsColor(), columns, verbose }),
  );
}

function exitCodeOf({ verdict }: CaptureReport): ExitCode {
  return { answered: EXIT.healthy, lost: EXIT.fault, refused: EXIT.fault, unknown: EXIT.inconclusive }[verdict];
}
