import { Command, Option } from 'commander';
import type { QuestionWords } from '../target/resolve-question.ts';
import { triage } from '../triage.ts';
import { EXIT, type ExitCode, RunError, UsageError } from './exit-codes.ts';
import { createInterrupt } from './interrupt.ts';
import { openHost } from './open-host.ts';
import { addCommonOptions, type CommonOptions, portNumberOrName } from './options.ts';
import { exitCodeOf, printReport } from './print-report.ts';
import { problemLine } from './problem-line.ts';
import { createProgress } from './progress.ts';

interface DiagnoseOptions extends CommonOptions {
  readonly port?: string;
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'sctp';
  readonly class?: string;
  readonly container?: string;
  readonly ipFamily?: '4' | '6';
}

const EXAMPLES = `
Examples:
  podtriage diagnose pod/shop/web-7d9 svc/shop/api:80
  podtriage diagnose deploy/shop/web 10.0.3.7:5432
  podtriage diagnose -n shop web-7d9 storage.example.com:443
  podtriage diagnose node/worker-1 svc/shop/api:80
  podtriage diagnose ip/192.0.2.7 node/worker-1:30080
Exit code: 0 healthy, 1 fault found, 2 wrong usage or target not found, 3 could not tell, 4 no access or the run failed.`;

/** `diagnose SOURCE DESTINATION`: the main job. */
export function diagnoseCommand(done: (code: ExitCode) => void): Command {
  return addCommonOptions(
    new Command('diagnose')
      .description('why can’t SOURCE reach DESTINATION? Class, root cause, proof and fix')
      .argument('<source>', 'pod/NS/NAME, deploy/NS/NAME, node/NAME, ip/ADDRESS')
      .argument('<destination>', 'the same, svc/NS/NAME[:PORT], ADDRESS:PORT, HOST[:PORT], node/NAME:PORT'),
  )
    .option('--port <port>', 'destination port, number or name', portNumberOrName)
    .addOption(new Option('--protocol <name>', 'transport protocol').choices(['tcp', 'udp', 'icmp', 'sctp']))
    .option('--class <class>', 'the symptom, when you know it')
    .option('-c, --container <name>', 'container of the source pod')
    .addOption(new Option('--ip-family <family>', 'where both ends have both').choices(['4', '6']))
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, destination: string, options: DiagnoseOptions) => {
      done(await runDiagnose(wordsOf(source, destination, options), options));
    });
}

export function wordsOf(source: string, destination: string, options: DiagnoseOptions): QuestionWords {
  return {
    source,
    destination,
    ...(options.namespace !== undefined && { namespace: options.namespace }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.protocol !== undefined && { protocol: options.protocol }),
    ...(options.class !== undefined && { class: options.class }),
    ...(options.container !== undefined && { container: options.container }),
    ...(options.ipFamily !== undefined && { family: options.ipFamily === '6' ? (6 as const) : (4 as const) }),
  };
}

async function runDiagnose(words: QuestionWords, options: DiagnoseOptions): Promise<ExitCode> {
  const interrupt = createInterrupt(options.timeout);
  const opened = await openHost(options, interrupt.signal);
  const progress = createProgress({
    quiet: options.quiet,
    startedAtMs: opened.host.nowMs(),
    nowMs: () => opened.host.nowMs(),
  });
  try {
    const outcome = await triage(opened.host, words, {
      probe: options.probe,
      deadlineMs: options.timeout * 1000,
      signal: interrupt.signal,
      tell: progress.say,
      notes: opened.notes,
    });
    progress.end();
    if (outcome.kind === 'problem') {
      if (outcome.problem.kind === 'no-access') throw new RunError(problemLine(outcome.problem));
      throw new UsageError(problemLine(outcome.problem));
    }
    printReport(outcome.report, options);
    return interrupt.interruptedBy() === undefined ? exitCodeOf(outcome.report) : EXIT.failed;
  } finally {
    progress.end();
    await opened.host.close();
    interrupt.release();
  }
}
