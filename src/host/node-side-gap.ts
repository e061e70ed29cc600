import type { Gap } from './host.ts';
import type { Ran } from './node-side-run.ts';

const SIGABRT_CODE = 134;
const SIGSEGV_CODE = 139;

export interface GapDetail {
  readonly gap: Gap;
  readonly detail: string;
}

/** The tool was disturbed by a change while it listed, and says so; asking again gives a whole answer. */
export function wasInterrupted(ran: Ran): boolean {
  return ran.ended === 'exited' && /Interrupted system call|Dump was interrupted/.test(ran.stderr);
}

/** The tool ended well but says that the kernel refused some part, so what it printed may lack that. */
export function isDoubtful(ran: Ran): boolean {
  return ran.ended === 'exited' && /RTNETLINK answers|Dump terminated/.test(ran.stderr);
}

/**
 * Why a command gave no answer, from how it ended and what it said; undefined where it did. A tool that failed but
 * printed something is an answer too: its exit code says that it may be a part.
 */
export function gapOf(
  ran: Ran,
  argv: readonly string[],
  timeoutMs: number,
  maxMemoryBytes?: number,
): GapDetail | undefined {
  const tool = argv[0] ?? '';
  switch (ran.ended) {
    case 'timed-out':
      return { gap: 'timed-out', detail: `${tool} was ended after ${timeoutMs} ms${said(ran.stderr)}` };
    case 'cancelled':
      return { gap: 'timed-out', detail: `${tool} was ended because the run was` };
    case 'not-started':
      return { gap: ran.error === 'ENOENT' ? 'not-installed' : 'failed', detail: `starting ${tool}: ${ran.error}` };
    case 'exited':
      if (ran.code === 0 || ran.stdout.length > 0) return undefined;
      return exitGap(ran, argv, maxMemoryBytes);
  }
}

function exitGap(
  { code, stderr }: Extract<Ran, { ended: 'exited' }>,
  argv: readonly string[],
  maxMemoryBytes: number | undefined,
): GapDetail {
  const gap = gapOfText(stderr, code);
  const detail = `${argv.join(' ')}: exit ${code}${said(stderr)}`;
  if (gap !== 'too-large' || maxMemoryBytes === undefined) return { gap, detail };
  const mebibytes = Math.floor(maxMemoryBytes / (1 << 20));
  return { gap, detail: `${detail}; it may use ${mebibytes} MiB, and more with a larger --helper-memory` };
}

function gapOfText(stderr: string, code: number): Gap {
  // setns(2), or /proc/PID/ns/net of a process that has ended.
  if (/nsenter: (cannot open|reassociate)/.test(stderr)) {
    return /Permission denied|Operation not permitted/.test(stderr) ? 'not-permitted' : 'unreachable';
  }
  if (code === 127 || /failed to execute .*No such file/.test(stderr)) return 'not-installed';
  if (/Operation not permitted|Permission denied|must be root/i.test(stderr)) return 'not-permitted';
  // nft asserts or crashes where it gets no memory.
  if (code === SIGABRT_CODE || code === SIGSEGV_CODE) return 'too-large';
  if (/Memory allocation|Cannot allocate memory|out of memory/i.test(stderr)) return 'too-large';
  if (/not supported|Protocol not available|Unknown argument|unrecognized option|invalid option/i.test(stderr)) {
    return 'not-supported';
  }
  return 'failed';
}

function said(stderr: string): string {
  const line = stderr.split('\n').find((text) => text.trim() !== '');
  return line === undefined ? '' : `: ${line.trim().slice(0, 300)}`;
}
