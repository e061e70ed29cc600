import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CAPTURE_BYTES_MAX,
  CAPTURE_NAMES,
  captureArgv,
  captureIdOf,
  captureJobOf,
  nothingDropped,
} from '../capture/capture-request.ts';
import { placeKey } from '../net/place.ts';
import type { Request } from './host.ts';
import type { Answer, NodeSideContext } from './node-side.ts';
import { late, nothing, raw } from './node-side-answer.ts';
import { gapOf } from './node-side-gap.ts';
import type { Ran } from './node-side-run.ts';

/** Captures under way on this node. */
export interface Captures {
  answer(request: Request, budget: { readonly remainingMs: number; readonly signal: AbortSignal }): Promise<Answer>;
}

/** From the call to the words "listening on". */
const START_MS = 5_000;
/** From SIGINT to the last byte. */
const FINISH_MS = 3_000;
/** For reading what has come until now. */
const DRAIN_MS = 2_000;
const LOOK_EVERY_MS = 15;
/** Looks in a row that must find it asleep: it may also sleep until we have read its output. */
const LOOKS = 4;
/** At once on one node. */
const CAPTURES_MAX = 32;

interface Running {
  readonly ended: Promise<Ran>;
  readonly finish: () => void;
  pid: number | undefined;
  /** It came to a bound of its own before anybody asked for its end. */
  hasEnded: boolean;
  readonly argv: readonly string[];
}

export function isCapture(action: string): boolean {
  return (CAPTURE_NAMES as readonly string[]).includes(action);
}

export function createCaptures({ places, runner, tools }: NodeSideContext): Captures {
  const running = new Map<string, Running>();

  return {
    answer: (request, { remainingMs, signal }) =>
      request.action === 'capture.start' ? start(request, signal) : stop(request, remainingMs),
  };

  async function start(request: Request, signal: AbortSignal): Promise<Answer> {
    const job = captureJobOf(request.args);
    const where = places.networkOf(request);
    if ('gap' in where) return { got: 'nothing', ...where };
    const key = keyOf(request, job.id);
    if (running.has(key)) return nothing('failed', `a capture ${job.id} runs there already`);
    if (running.size >= CAPTURES_MAX) return nothing('too-large', `${CAPTURES_MAX} captures run on this node already`);
    const finishing = new AbortController();
    const listening = Promise.withResolvers<'listening'>();
    const argv = captureArgv(job);
    const finish = (): void => finishing.abort();
    const timer = setTimeout(() => {
      capture.hasEnded = true;
      finish();
    }, job.seconds * 1_000);
    let said = '';
    let startedAs: number | undefined;
    const ended = runner.run({
      argv,
      where,
      timeoutMs: job.seconds * 1_000 + FINISH_MS,
      maxBytes: CAPTURE_BYTES_MAX,
      // It outlives the request that started it; the node side's own end is its end.
      signal: new AbortController().signal,
      finish: finishing.signal,
      nice: false,
      onStart: (pid) => {
        startedAs = pid;
      },
      onErrorOutput: (bytes) => {
        said += Buffer.from(bytes).toString('utf8');
        if (said.includes('listening on')) listening.resolve('listening');
      },
    });
    const capture: Running = { ended, finish, argv, pid: startedAs, hasEnded: false };
    void ended.finally(() => {
      clearTimeout(timer);
      capture.hasEnded ||= !finishing.signal.aborted;
    });
    running.set(key, capture);
    const first = await Promise.race([listening.promise, ended, late(START_MS, signal)]);
    if (first === 'listening') return raw(new Uint8Array(0), await tools.versionOf('tcpdump'), false);
    running.delete(key);
    finish();
    if (first === 'late') return nothing('timed-out', `tcpdump did not start within ${START_MS} ms`);
    const gap = gapOf(first, argv, START_MS);
    return { got: 'nothing', ...(gap ?? { gap: 'failed', detail: `tcpdump ended at once: ${said.trim()}` }) };
  }

  async function stop(request: Request, remainingMs: number): Promise<Answer> {
    const id = captureIdOf(request.args);
    const key = keyOf(request, id);
    const capture = running.get(key);
    if (!capture) return nothing('not-asked', `no capture ${id} runs there`);
    running.delete(key);
    // What is in the kernel's ring by now is read first: SIGINT does not wait for that.
    const isDrained = await drained(capture.pid);
    const { hasEnded } = capture;
    capture.finish();
    const ran = await capture.ended;
    const gap = gapOf(ran, capture.argv, remainingMs);
    if (gap || ran.ended !== 'exited') return { got: 'nothing', ...(gap ?? { gap: 'failed', detail: 'no answer' }) };
    // Frames that found no room, that came behind a bound, or that were more than is kept: what is missing was perhaps there.
    const isPartial = hasEnded || !isDrained || ran.truncated || !nothingDropped(ran.stderr);
    return raw(ran.stdout, await tools.versionOf('tcpdump'), isPartial);
  }
}

/** A capture's name counts within its network namespace. */
function keyOf({ place }: Request, id: string): string {
  return `${placeKey(place)} ${id}`;
}

/** A tcpdump that sleeps waits for the next frame: those that came before woke it (packet_poll, net/packet/af_packet.c). */
async function drained(pid: number | undefined): Promise<boolean> {
  if (pid === undefined) return false;
  let asleep = 0;
  for (let waitedMs = 0; waitedMs < DRAIN_MS && asleep < LOOKS; waitedMs += LOOK_EVERY_MS) {
    await sleep(LOOK_EVERY_MS);
    const state = await stateOf(pid);
    if (state === 'gone') return false;
    asleep = state === 'asleep' ? asleep + 1 : 0;
  }
  return asleep === LOOKS;
}

/** proc_pid_stat(5): the state stands behind the name, which is in brackets. Where nsenter(1) waits for it, of its child. */
async function stateOf(pid: number): Promise<'asleep' | 'awake' | 'gone'> {
  // Without CONFIG_PROC_CHILDREN there is no such file.
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const all = [String(pid), ...children.split(' ').filter((one) => one !== '')];
  try {
    const stats = await Promise.all(all.map((one) => readFile(`/proc/${one}/stat`, 'utf8')));
    return stats.every((stat) => /\) S /.test(stat)) ? 'asleep' : 'awake';
  } catch {
    return 'gone';
  }
}
