import { endianness } from 'node:os';
import { dropProgram } from '../capture/drop-program.ts';
import { DROP_BYTES_MAX, DROP_NAMES, type DropJob, dropJobOf } from '../capture/drop-request.ts';
import { dropFilterText } from '../capture/drop-term.ts';
import type { Request } from './host.ts';
import type { Answer, NodeSideContext } from './node-side.ts';
import { late, nothing, raw } from './node-side-answer.ts';
import { gapOf } from './node-side-gap.ts';
import type { Ran, RunPlace } from './node-side-run.ts';

/** The watch over what the node's kernel drops of one flow: one at a time. */
export interface DropWatch {
  answer(request: Request, signal: AbortSignal): Promise<Answer>;
}

/** bpftrace compiles its program first: half a second of a core, of which the helper has one half. */
const START_MS = 8_000;
const FORMAT_MS = 2_000;
/** From SIGINT to the last line. */
const FINISH_MS = 3_000;
/** Events wait in the kernel's buffer until bpftrace has looked. */
const SETTLE_MS = 150;

/**
 * tracefs, which a container lacks, in a mount namespace that lives as long as the tool: nothing of it is seen outside, and nothing
 * is written to it. `$1` is the program; without one, the tracepoint's format is printed.
 */
const SCRIPT = [
  'mount -t tracefs nodev /sys/kernel/tracing || exit 125',
  '[ $# = 0 ] && exec cat /sys/kernel/tracing/events/skb/kfree_skb/format',
  'exec bpftrace -B line -e "$1"',
].join('\n');

export function isDropWatch(action: string): boolean {
  return (DROP_NAMES as readonly string[]).includes(action);
}

interface Running {
  readonly ended: Promise<Ran>;
  readonly finish: () => void;
  /** Where it does not finish by itself. */
  readonly kill: () => void;
  readonly output: () => string;
  readonly preface: string;
}

export function createDropWatch({ places, runner, tools }: NodeSideContext): DropWatch {
  let running: Running | undefined;
  return { answer: (request, signal) => (request.action === 'drops.start' ? start(request, signal) : stop()) };

  async function start(request: Request, signal: AbortSignal): Promise<Answer> {
    const job = dropJobOf(request.args);
    const where = places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    if (running) return nothing('failed', 'dropped packets are watched on this node already');
    const format = await readFormat(where, signal);
    if (typeof format !== 'string') return format;
    const program = dropProgram(job.filter, job, {
      isLittleEndian: endianness() === 'LE',
      hasReceiver: /\brx_sk;/.test(format),
    });
    const watching = Promise.withResolvers<'watching'>();
    const own = launch(program, job, where, prefaceOf(format, job), () => watching.resolve('watching'));
    running = own;
    const first = await Promise.race([watching.promise, own.ended, late(START_MS, signal)]);
    if (first === 'watching') return raw('', await tools.versionOf('bpftrace'), false);
    running = undefined;
    own.kill();
    if (first === 'late') return nothing('timed-out', `bpftrace did not start within ${START_MS} ms`);
    return startProblem(first);
  }

  function launch(program: string, job: DropJob, where: RunPlace, preface: string, onReady: () => void): Running {
    const [finishing, killing] = [new AbortController(), new AbortController()];
    let text = '';
    const ended = runner.run({
      argv: shell(program),
      where,
      timeoutMs: START_MS + job.seconds * 1_000 + FINISH_MS,
      maxBytes: DROP_BYTES_MAX,
      // It outlives the request that started it; the node side's own end is its end.
      signal: killing.signal,
      finish: finishing.signal,
      env: { BPFTRACE_STRLEN: '64' },
      onOutput: (bytes) => {
        text += Buffer.from(bytes).toString('utf8');
        if (/^W$/m.test(text)) onReady();
      },
    });
    return { ended, finish: () => finishing.abort(), kill: () => killing.abort(), output: () => text, preface };
  }

  async function readFormat(where: RunPlace, signal: AbortSignal): Promise<string | Answer> {
    const ran = await runner.run({ argv: shell(), where, timeoutMs: FORMAT_MS, maxBytes: 64 << 10, signal });
    if (ran.ended !== 'exited') return { got: 'nothing', ...(gapOf(ran, ['mount'], FORMAT_MS) ?? FAILED) };
    if (ran.code === MOUNT_FAILED) return nothing('not-permitted', `mounting tracefs: ${ran.stderr}`);
    if (ran.code !== 0) return nothing('not-supported', `the kernel has no tracepoint skb:kfree_skb: ${ran.stderr}`);
    const format = Buffer.from(ran.stdout).toString('utf8');
    if (/\breason;/.test(format)) return format;
    return nothing('not-supported', 'the kernel names no reasons for what it drops (Linux 5.17 and newer do)');
  }

  async function stop(): Promise<Answer> {
    const own = running;
    if (!own) return nothing('not-asked', 'dropped packets are not watched there');
    running = undefined;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    own.finish();
    const ran = await Promise.race([own.ended, late(FINISH_MS, NEVER)]);
    own.kill();
    // Its lines come one by one: what it had said by then is whole.
    const isCut = ran === 'late' || ran.ended !== 'exited' || ran.truncated;
    return raw(`${own.preface}${own.output()}`, await tools.versionOf('bpftrace'), isCut);
  }
}

const NEVER = new AbortController().signal;
const MOUNT_FAILED = 125;
const NOT_FOUND = 127;
const FAILED = { gap: 'failed', detail: 'no answer' } as const;

function shell(...program: readonly string[]): readonly string[] {
  return ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', SCRIPT, 'sh', ...program];
}

/** Numbers of reasons differ from kernel to kernel: the kernel's own list goes with what it says. */
function prefaceOf(format: string, { filter }: DropJob): string {
  const names = format.split('\n').find((line) => line.startsWith('print fmt:')) ?? 'print fmt:';
  return `${names}\nfilter: ${dropFilterText(filter)}\n`;
}

function startProblem(ran: Ran): Answer {
  if (ran.ended !== 'exited') return { got: 'nothing', ...(gapOf(ran, ['bpftrace'], START_MS) ?? FAILED) };
  if (ran.code === NOT_FOUND)
    return nothing('not-installed', 'the node side’s image has no bpftrace (npm run image -- --with-bpftrace)');
  // Said where the limit can't be raised; since Linux 5.11 it does not count (bpf: memcg-based accounting).
  const said = ran.stderr.split('\n').filter((line) => line !== '' && !line.includes('RLIMIT_MEMLOCK'));
  const detail = `bpftrace: ${said.slice(0, 3).join('; ').slice(0, 300) || `exit code ${ran.code}`}`;
  return nothing(/EPERM|not permitted|permission/i.test(detail) ? 'not-permitted' : 'failed', detail);
}
