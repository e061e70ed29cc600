import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { TargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import { planOf, triage } from '../triage.ts';
import { EXIT, type ExitCode, RunError, UsageError } from './exit-codes.ts';
import { createInterrupt } from './interrupt.ts';
import { type OpenedHost, openHost } from './open-host.ts';
import { addCommonOptions, type CommonOptions, portNumberOrName } from './options.ts';
import { exitCodeOf, printReport } from './print-report.ts';
import { problemLine } from './problem-line.ts';
import { createProgress } from './progress.ts';

export interface DiagnoseOptions extends CommonOptions {
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
  return questionOptions(
    new Command('diagnose').description('why can’t SOURCE reach DESTINATION? Class, root cause, proof and fix'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, destination: string, options: DiagnoseOptions) => {
      done(await runDiagnose(wordsOf(source, destination, options), options));
    });
}

/** The arguments and options of a question. */
export function questionOptions(command: Command, how?: { readonly outputIsFile: boolean }): Command {
  return addCommonOptions(
    command
      .argument('<source>', 'pod/NS/NAME, deploy/NS/NAME, node/NAME, ip/ADDRESS')
      .argument('<destination>', 'the same, svc/NS/NAME[:PORT], ADDRESS:PORT, HOST[:PORT], node/NAME:PORT'),
    how,
  )
    .option('--port <port>', 'destination port, number or name', portNumberOrName)
    .addOption(new Option('--protocol <name>', 'transport protocol').choices(['tcp', 'udp', 'icmp', 'sctp']))
    .option('--class <class>', 'the symptom, when you know it')
    .option('-c, --container <name>', 'container of the source pod')
    .addOption(new Option('--ip-family <family>', 'where both ends have both').choices(['4', '6']));
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
  const notices: string[] = [];
  const opened = await openHost(options, (line) => notices.push(line));
  const { host } = opened;
  const progress = createProgress({ quiet: options.quiet, startedAtMs: host.nowMs(), nowMs: () => host.nowMs() });
  try {
    if (options.dryRun) return await printPlan(opened, words);
    const outcome = await triage(host, words, {
      probe: options.probe,
      signal: interrupt.signal,
      tell: progress.say,
      notes: opened.notes,
      prepare: opened.prepare,
    });
    progress.end();
    if (outcome.kind === 'problem') {
      if (interrupt.signal.aborted)
        throw new RunError(`${messageOf(interrupt.signal.reason)} before anything could be told`);
      throw errorFor(outcome.problem);
    }
    printReport(
      { ...outcome.report, target: { ...outcome.report.target, notes: [...outcome.report.target.notes, ...notices] } },
      options,
    );
    return interrupt.interruptedBy() === undefined ? exitCodeOf(outcome.report) : EXIT.failed;
  } finally {
    progress.end();
    await host.close();
    interrupt.release();
  }
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

export function errorFor(problem: TargetProblem): Error {
  return problem.kind === 'no-access' ? new RunError(problemLine(problem)) : new UsageError(problemLine(problem));
}

/** `--dry-run`: the objects that would be made and the requests that would be sent, as far as the API alone tells. */
export async function printPlan(opened: OpenedHost, words: QuestionWords): Promise<ExitCode> {
  const plan = await planOf(opened.host, words);
  if ('problem' in plan) throw errorFor(plan);
  const objects = await opened.plannedObjects(plan.nodes);
  process.stdout.write(
    `# created, and removed at the end of the run\n${objects.map((object) => `---\n${stringify(object)}`).join('')}`,
  );
  process.stdout.write(
    `# asked first (a walk may ask for more of the same kind)\n${plan.requests.map((request) => `# ${request}\n`).join('')}`,
  );
  return EXIT.healthy;
}
