import { Command } from 'commander';
import { stringify } from 'yaml';
import { requestsForCluster } from '../collect/plan.ts';
import type { ExecChannel, ExecEnd } from '../host/kubernetes-exec.ts';
import { isTargetProblem } from '../target/question.ts';
import { type Whereabouts, whereToRun } from '../target/where-to-run.ts';
import { BATCH_DEADLINE_MS, REQUEST_MAX_BYTES } from '../triage/collect-question.ts';
import { createRun } from '../triage/run.ts';
import { type AttachedStreams, attachStreams } from './attach-streams.ts';
import { EXIT, RunError, UsageError } from './exit-codes.ts';
import { createInterrupt } from './interrupt.ts';
import { type OpenedHost, openHost } from './open-host.ts';
import { type CommonOptions, clusterOptions, positiveNumber } from './options.ts';
import { createProgress } from './progress.ts';
import { errorFor } from './run-question.ts';

interface ExecOptions extends Omit<CommonOptions, 'output' | 'bundle' | 'probe' | 'capture' | 'verbose'> {
  readonly tty: boolean;
}

const LIFETIME_S = 3_600;
const MS_PER_S = 1_000;

/** `exec POD -- COMMAND`: a tool of podtriage's image in the pod's network namespace. */
export function execCommand(done: (code: number) => void): Command {
  return clusterOptions(
    new Command('exec')
      .description('run a network tool of podtriage’s image (ip, ss, nft, tcpdump, …) in a pod’s network namespace')
      .argument('<pod>', 'pod/NS/NAME, deploy/NS/NAME, node/NAME')
      .argument('<command...>', 'after --'),
  )
    .option('-t, --tty', 'on a terminal of its own', false)
    .option('--timeout <seconds>', 'the longest it may run', positiveNumber, LIFETIME_S)
    .addHelpText(
      'after',
      `
The command is the image's, not the container's: a pod needs no shell for it. It runs as root in the pod's network, sees the
helper's files, and ends with this program.

Examples:
  podtriage exec pod/shop/web-7d9 -- ss -tnp
  podtriage exec deploy/shop/web -- ip route get 10.96.0.10
  podtriage exec pod/shop/web-7d9 -- tcpdump -pni eth0 -w - port 53 > dns.pcap
  podtriage exec node/worker-1 -- conntrack -L -p udp

Exit code: the command's own; 125 where the node could not start it; 2 wrong usage or target not found, 4 no access, the run
failed or was interrupted.`,
    )
    .action(async (pod: string, command: string[], options: ExecOptions) => {
      done(await runExec(pod, command, options));
    });
}

async function runExec(word: string, command: readonly string[], options: ExecOptions): Promise<number> {
  if (options.tty && !process.stdin.isTTY) throw new UsageError('--tty needs a terminal at its input');
  const interrupt = createInterrupt(options.timeout);
  const say = (line: string): void => void process.stderr.write(`podtriage: ${line}\n`);
  try {
    const opened = await openHost({ ...options, output: 'text', probe: true, capture: false, verbose: false }, say);
    const progress = createProgress({ quiet: options.quiet, startedAtMs: Date.now(), nowMs: Date.now });
    try {
      const where = await find(opened, word, options, { signal: interrupt.signal, tell: progress.say });
      if (options.dryRun) return await printPlan(opened, where, command);
      progress.say(`starting a helper on ${where.node}`);
      const streams = attachStreams({ isTerminal: options.tty });
      const channel = await open(opened, commandLine(where, command, options), where.node, streams, interrupt.signal);
      progress.end();
      for (const note of options.quiet ? [] : where.notes) say(note);
      // From here on a signal is the command's.
      interrupt.release();
      return codeOf(await streams.run(channel, options.timeout * MS_PER_S));
    } finally {
      progress.end();
      // Its command's signals are over: one more must not leave the helper behind.
      const closing = createInterrupt(options.timeout);
      await opened.host.close().finally(closing.release);
    }
  } finally {
    interrupt.release();
  }
}

async function find(
  { host }: OpenedHost,
  word: string,
  options: ExecOptions,
  how: { readonly signal: AbortSignal; readonly tell: (text: string) => void },
): Promise<Whereabouts> {
  const run = createRun(host, { ...how, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  await run.collect('reading the cluster', requestsForCluster());
  const where = whereToRun(run.snapshot(), word, options.namespace ?? 'default');
  if (isTargetProblem(where)) {
    if (how.signal.aborted) throw new RunError('interrupted before it was known where to run it');
    throw errorFor(where);
  }
  return where;
}

/** The helper's own program, and what it is to run there (src/agent/exec-main.ts). */
function commandLine({ node, pod }: Whereabouts, command: readonly string[], { tty }: ExecOptions): readonly string[] {
  const { rows, columns } = process.stdout;
  return [
    'podtriage-exec',
    `--node=${node}`,
    ...(pod ? [`--pod=${pod.namespace}/${pod.name}`, `--uid=${pod.uid}`] : []),
    ...(tty ? [`--terminal=${rows ?? ''}x${columns ?? ''}`] : []),
    '--',
    ...command,
  ];
}

async function open(
  { exec }: OpenedHost,
  command: readonly string[],
  node: string,
  { output }: AttachedStreams,
  signal: AbortSignal,
): Promise<ExecChannel> {
  const opening = exec!(node, command, output);
  // One that is opened too late is hung up, so that its command ends.
  void opening.then(
    (channel) => signal.aborted && channel.close(),
    () => undefined,
  );
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([opening, stopped.promise]);
  } catch (error) {
    throw new RunError(error instanceof Error ? error.message : String(error));
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function codeOf({ exitCode, detail }: ExecEnd): number {
  if (exitCode === undefined) throw new RunError(`the command's end is not known: ${detail}`);
  return exitCode;
}

async function printPlan(opened: OpenedHost, { node, pod }: Whereabouts, command: readonly string[]): Promise<number> {
  const objects = await opened.plannedObjects([node]);
  process.stdout.write(
    `# created, and removed at the end\n${objects.map((object) => `---\n${stringify(object)}`).join('')}`,
  );
  const where = pod ? `the network namespace of pod/${pod.namespace}/${pod.name}` : 'its own network namespace';
  process.stdout.write(`# run on ${node}, in ${where}: ${command.join(' ')}\n`);
  return EXIT.healthy;
}
