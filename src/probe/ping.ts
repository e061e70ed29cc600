import { type Address, parseAddress } from '../net/address.ts';
import type { IcmpAnswer } from '../snapshot/probe-answers.ts';

export interface PingQuestion {
  readonly address: Address;
  /** Bytes of ICMP payload; the IP packet is 28 (IPv4) or 48 (IPv6) longer. */
  readonly sizeBytes: number;
  readonly df: boolean;
  readonly count: number;
  readonly intervalMs: number;
  /** How long to wait for each answer. */
  readonly timeoutMs: number;
}

export function pingArgv(question: PingQuestion): readonly string[] {
  const { address, sizeBytes, df, count, intervalMs, timeoutMs } = question;
  return [
    'ping',
    '-n',
    '-c',
    String(count),
    '-i',
    String(intervalMs / 1000),
    '-W',
    String(timeoutMs / 1000),
    '-s',
    String(sizeBytes),
    // `do` sets DF and refuses what is larger than the known path MTU; `dont` lets the kernel fragment.
    '-M',
    df ? 'do' : 'dont',
    address,
  ];
}

/** The longest that ping itself may take. */
export function pingLastsMs({ count, intervalMs, timeoutMs }: PingQuestion): number {
  return (count - 1) * intervalMs + timeoutMs;
}

/*
 * Format: output of iputils' ping (ping(8)), standard output and error one after the other, LC_ALL=C.
 * Source of truth: iputils ping/ping.c, ping_common.c (pr_icmph), ping6_common.c.
 * Versions seen: iputils 20221126; 20180629 and 20240117 by their source.
 * Not understood: record-route and timestamp options, which are not asked for.
 */
const REPLY = /^\d+ bytes from .*icmp_seq=(?<sequence>\d+).*?(?:time=(?<time>[\d.]+) ms)?(?<duplicate> \(DUP!\))?$/;
const ICMP_ERROR = /^From (?<from>\S+?)(?: icmp_seq=\d+)? (?<text>.+)$/i;
const SUMMARY = /^(?<sent>\d+) packets transmitted, (?<received>\d+) received/;
const LOCAL_MTU = /message too long, mtu[=:] ?(?<mtu>\d+)/i;
const PATH_MTU = /(?:Frag needed and DF set|Packet too big).*?mtu ?= ?(?<mtu>\d+)/i;

export function parsePing(stdout: string, stderr: string): IcmpAnswer {
  const lines = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim());
  const answers = lines.flatMap(replyIn);
  const replies = answers.filter(({ isDuplicate }) => !isDuplicate).map(({ isDuplicate: _, ...reply }) => reply);
  const duplicates = answers.length - replies.length;
  const times = answers.flatMap(({ latencyMs }) => latencyMs ?? []);
  const summary = lines.map((line) => SUMMARY.exec(line)?.groups).find((groups) => groups !== undefined);
  const errors = lines.flatMap(errorIn);
  const received = summary ? Number(summary.received) : replies.length;
  const complaint = lines.find((line) => /^ping: /.test(line) && !LOCAL_MTU.test(line))?.replace(/^ping: /, '');
  return {
    outcome: outcomeOf(received, errors, complaint, summary !== undefined),
    sent: Number(summary?.sent ?? 0),
    received,
    ...(times.length > 0 ? { latencyMs: Math.min(...times) } : {}),
    errors,
    ...(replies.length > 0 ? { replies } : {}),
    ...(duplicates > 0 ? { duplicates } : {}),
    ...(complaint === undefined ? {} : { detail: complaint }),
  };
}

interface PingReply {
  readonly sequence: number;
  readonly latencyMs?: number;
  readonly isDuplicate: boolean;
}

function replyIn(line: string): readonly PingReply[] {
  const groups = REPLY.exec(line)?.groups;
  if (!groups) return [];
  const { sequence, time, duplicate } = groups;
  const latency = time === undefined ? {} : { latencyMs: Number(time) };
  return [{ sequence: Number(sequence), ...latency, isDuplicate: duplicate !== undefined }];
}

type IcmpError = IcmpAnswer['errors'][number];

function errorIn(line: string): readonly IcmpError[] {
  const local = LOCAL_MTU.exec(line)?.groups;
  if (local) return [{ text: line.replace(/^ping: /, ''), mtu: Number(local.mtu) }];
  const remote = ICMP_ERROR.exec(line)?.groups;
  if (!remote) return [];
  const from = parseAddress(remote.from!);
  const mtu = PATH_MTU.exec(remote.text!)?.groups?.mtu;
  return [{ ...(from ? { from } : {}), text: remote.text!, ...(mtu === undefined ? {} : { mtu: Number(mtu) }) }];
}

function outcomeOf(
  received: number,
  errors: readonly IcmpError[],
  complaint: string | undefined,
  summarised: boolean,
): IcmpAnswer['outcome'] {
  if (received > 0) return 'answered';
  if (errors.some(({ mtu }) => mtu !== undefined)) return 'too-big';
  if (errors.length > 0) return 'unreachable';
  // `socket:` is about what this user may do; `sendmsg:` is a filter on the way out, which is the network's matter.
  if (/^(socket|permission denied|icmp open socket|.*cap_net_raw)/i.test(complaint ?? '')) return 'not-permitted';
  // What ping says of EACCES, which a prohibit route gives.
  if (/unreachable|^Do you want to ping broadcast/i.test(complaint ?? '')) return 'unreachable';
  if (complaint !== undefined || !summarised) return 'failed';
  return 'silent';
}
