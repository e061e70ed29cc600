import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { familyOf } from '../net/address.ts';
import { encodePaddedSyn, findSynAnswer, type PaddedSyn, type SynAnswer } from '../probe/padded-syn.ts';
import type { SynQuestion } from '../probe/syn-question.ts';
import type { SynSizeAnswer } from '../snapshot/syn-size-answer.ts';
import type { Runner, RunPlace } from './node-side-run.ts';

export interface SynLimits {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
}

/** Start of socat, and its end. */
const GRACE_MS = 1_000;
/** What else comes from the same address is read along with the answer. */
const RECEIVED_MAX_BYTES = 1 << 20;
/** Neither a NodePort (from 30,000 on) nor what the kernel chooses by itself (from 32,768 on). */
const SOURCE_PORTS = { least: 20_000, beyond: 30_000 } as const;

/**
 * ip(7), ipv6(7): IP_MTU_DISCOVER (10) and IPV6_MTU_DISCOVER (23) with PMTUDISC_PROBE (3): the packet may not be fragmented, and
 * what the kernel has learnt of the path is not heeded.
 */
const SOCKET_OPTION = { 4: 'setsockopt-int=0:10:3', 6: 'setsockopt-int=41:23:3' } as const;
const TCP = 6;

/**
 * SYNs of one size by a raw socket of the namespace, each from a port of its own. Our kernel knows nothing of them and answers
 * a SYN-ACK with a reset, so that nothing stays half open. The size is at most the device's own MTU.
 */
export async function askBySyn(
  question: SynQuestion,
  where: RunPlace,
  runner: Runner,
  limits: SynLimits,
): Promise<SynSizeAnswer> {
  const { count, intervalMs } = question;
  const tries = await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      await sleep(at * intervalMs);
      return tryOnce(question, where, runner, limits);
    }),
  );
  const answers = tries.flatMap((one) => (typeof one === 'object' ? one : []));
  const mss = answers.find((one) => one.mss !== undefined)?.mss;
  const failed = tries.find((one) => typeof one === 'string' && one !== 'silent' && one !== 'too-big') as
    | string
    | undefined;
  return {
    sent: tries.filter((one) => typeof one === 'object' || one === 'silent').length,
    answered: answers.length,
    resets: answers.filter(({ kind }) => kind === 'reset').length,
    disturbed: tries.filter((one) => one === 'too-big').length,
    ...(mss === undefined ? {} : { mss }),
    ...(failed === undefined ? {} : { detail: failed }),
  };
}

/** The answer, 'silent', 'too-big' where the kernel said EMSGSIZE meanwhile, or why it could not be sent. */
async function tryOnce(
  question: SynQuestion,
  where: RunPlace,
  runner: Runner,
  { signal, remainingMs }: SynLimits,
): Promise<SynAnswer | string> {
  const { address, source, port, sizeBytes, timeoutMs } = question;
  const syn: PaddedSyn = {
    ...{ source, destination: address, port, sizeBytes },
    sourcePort: randomInt(SOURCE_PORTS.least, SOURCE_PORTS.beyond),
    sequence: randomInt(2 ** 32),
  };
  const family = familyOf(address);
  const to = family === 4 ? `IP4-SENDTO:${address}:${TCP}` : `IP6-SENDTO:[${address}]:${TCP}`;
  const from = family === 4 ? source : `[${source}]`;
  // -T: its end when nothing has moved for so long.
  const argv = [
    'socat',
    '-b',
    '65535',
    '-T',
    String(timeoutMs / 1000),
    '-',
    `${to},bind=${from},${SOCKET_OPTION[family]}`,
  ];
  let received = new Uint8Array();
  let answer: SynAnswer | undefined;
  const done = new AbortController();
  const ran = await runner.run({
    ...{ argv, where, input: encodePaddedSyn(syn), nice: false },
    timeoutMs: Math.max(1, Math.min(timeoutMs + GRACE_MS, remainingMs())),
    maxBytes: RECEIVED_MAX_BYTES,
    signal: AbortSignal.any([signal, done.signal]),
    onOutput: (bytes) => {
      received = Uint8Array.from(Buffer.concat([received, bytes]).subarray(-RECEIVED_MAX_BYTES));
      answer ??= findSynAnswer(received, syn);
      if (answer) done.abort();
    },
  });
  if (answer) return answer;
  if (ran.ended === 'not-started') return ran.error;
  if (/Message too long/.test(ran.stderr)) return 'too-big';
  if (ran.ended === 'exited' && ran.code !== 0) return ran.stderr.trim().split('\n').at(-1) ?? `exit code ${ran.code}`;
  return ran.ended === 'cancelled' ? 'cancelled' : 'silent';
}
