import type { Scalar } from '../host/host.ts';
import type { DnsAnswer, IcmpAnswer, ProbeFacts, TcpAnswer, UdpAnswer } from '../snapshot/probe-answers.ts';
import type { SynSizeAnswer } from '../snapshot/syn-size-answer.ts';

/** What an answer says about the way there and back. */
export interface ProbeReading {
  /** The answer's own word, or a bare cause of failure. */
  readonly outcome: string;
  /** 'unknown' where the answer proves nothing. */
  readonly passed: 'yes' | 'no' | 'unknown';
  readonly statement: string;
  readonly latencyMs?: number;
  /** Of a look-up: the answer was cut to fit UDP (the TC bit, RFC 1035), and is to be asked for again over TCP. */
  readonly truncated?: true;
}

export interface Circumstances {
  /** What accepts connections in the pod's stead (a mesh's proxy): a connect then proves nothing. */
  readonly interceptedBy?: string;
}

type Args = Readonly<Record<string, Scalar>>;

/** Any probe's answer. */
export function interpretProbe<K extends keyof ProbeFacts>(
  action: K,
  args: Args,
  answer: ProbeFacts[K],
  circumstances: Circumstances = {},
): ProbeReading {
  switch (action) {
    case 'probe.tcp':
      return interpretTcp(args, answer as TcpAnswer, circumstances);
    case 'probe.udp':
      return interpretUdp(args, answer as UdpAnswer);
    case 'probe.icmp':
      return interpretIcmp(args, answer as IcmpAnswer);
    case 'probe.syn':
      return interpretSyn(args, answer as SynSizeAnswer);
    default:
      return interpretDns(args, answer as DnsAnswer);
  }
}

export function interpretTcp(args: Args, answer: TcpAnswer, { interceptedBy }: Circumstances = {}): ProbeReading {
  const to = `TCP to ${target(args)}`;
  const { outcome, errno, latencyMs } = answer;
  const read = (passed: ProbeReading['passed'], statement: string): ProbeReading =>
    reading(outcome, passed, statement, latencyMs);
  switch (outcome) {
    case 'connected':
      if (interceptedBy === undefined) return read('yes', `${to} connected in ${latencyMs} ms`);
      return read('unknown', `${to} connected, but ${interceptedBy} accepts in its stead, so that proves nothing`);
    case 'refused':
      return read('no', `${to} was refused after ${latencyMs} ms: a reset or an ICMP rejection came back`);
    case 'reset':
      return read('no', `${to} was reset after ${latencyMs} ms`);
    case 'timed-out':
      return read('no', `${to} had no answer within ${args.timeoutMs} ms`);
    case 'unreachable':
      return read('no', `${to} failed with ${errno}: ${explain(errno)}`);
    case 'failed':
      return read(passedByErrno(errno), `${to} failed with ${errno}: ${explain(errno)}`);
  }
}

export function interpretUdp(args: Args, answer: UdpAnswer): ProbeReading {
  const to = `UDP to ${target(args)}`;
  const { outcome, errno, latencyMs } = answer;
  const read = (passed: ProbeReading['passed'], statement: string): ProbeReading =>
    reading(outcome, passed, statement, latencyMs);
  switch (outcome) {
    case 'answered':
      return read('yes', `${to} was answered in ${latencyMs} ms`);
    case 'silent':
      return read('unknown', `${to} had no answer within ${args.timeoutMs} ms, which for UDP proves nothing by itself`);
    case 'refused':
      return read('no', `${to} was refused: an ICMP port unreachable or rejection came back`);
    case 'unreachable':
      return read('no', `${to} failed with ${errno}: ${explain(errno)}`);
    case 'failed':
      return read(passedByErrno(errno), `${to} failed with ${errno}: ${explain(errno)}`);
  }
}

export function interpretIcmp(args: Args, answer: IcmpAnswer): ProbeReading {
  const { outcome, sent, received, latencyMs, errors, detail } = answer;
  const to = `ping of ${args.address} with ${args.sizeBytes} bytes${args.df === true ? ' and DF' : ''}`;
  const said = errors[0] ? `${errors[0].from ?? 'this host'}: ${errors[0].text}` : (detail ?? '');
  const read = (passed: ProbeReading['passed'], statement: string): ProbeReading =>
    reading(outcome, passed, statement, latencyMs);
  switch (outcome) {
    case 'answered':
      return read('yes', `${to}: ${received} of ${sent} answered, the fastest in ${latencyMs} ms`);
    case 'silent':
      return read('no', `${to}: none of ${sent} answered`);
    case 'unreachable':
    case 'too-big':
      return read('no', `${to}: ${said}`);
    case 'not-permitted':
      return read('unknown', `${to} could not be sent: ${said}`);
    case 'failed':
      // `sendmsg: Operation not permitted` is a packet filter on the way out; what else fails says nothing of the way.
      return read(/^sendmsg: /.test(detail ?? '') ? 'no' : 'unknown', `${to} failed: ${said}`);
  }
}

/** A SYN of a size: any answer tells that it arrived. Lost, it is `no` for this size alone. */
export function interpretSyn(args: Args, { sent, answered, resets, disturbed, detail }: SynSizeAnswer): ProbeReading {
  const to = `SYN of ${args.sizeBytes} bytes and DF to ${target(args)}`;
  if (answered > 0) {
    const how = resets > 0 ? ', by a reset' : '';
    return reading('answered', 'yes', `${to}: ${answered} of ${sent} answered${how}`, undefined);
  }
  if (sent > 0) return reading('silent', 'no', `${to}: none of ${sent} answered`, undefined);
  if (disturbed > 0) return reading('too-big', 'unknown', `${to}: too big, or another one to it was`, undefined);
  return reading('failed', 'unknown', `${to} could not be sent: ${detail ?? 'no reason given'}`, undefined);
}

/** The way to the server is passed when it says anything; what it says about the name is in the outcome. */
export function interpretDns(args: Args, answer: DnsAnswer): ProbeReading {
  const asked = `${args.type} of ${args.name}, asked of ${args.server} by ${args.transport}`;
  const { outcome, rcode, addresses, errno, latencyMs } = answer;
  if (answer.truncated)
    return {
      ...reading(outcome, 'yes', `${asked}: an answer in ${latencyMs} ms that was cut to fit UDP (TC)`, latencyMs),
      truncated: true,
    };
  const read = (passed: ProbeReading['passed'], statement: string): ProbeReading =>
    reading(outcome, passed, statement, latencyMs);
  switch (outcome) {
    case 'answered':
      return read('yes', `${asked}: ${addresses.join(', ')} in ${latencyMs} ms`);
    case 'no-data':
      return read('yes', `${asked}: the name exists and has no such address`);
    case 'nxdomain':
    case 'servfail':
    case 'refused':
      return read('yes', `${asked}: ${rcode} in ${latencyMs} ms`);
    case 'timed-out':
      return read('no', `${asked}: no answer within ${args.timeoutMs} ms`);
    case 'unreachable':
      return read('no', `${asked}: ${errno}: ${explain(errno)}`);
    case 'failed':
      if (rcode !== undefined) return read('yes', `${asked}: ${rcode} in ${latencyMs} ms`);
      return read(passedByErrno(errno), `${asked}: ${errno ?? 'a reply that is no DNS message'}`);
  }
}

/**
 * A large packet is lost only where small ones pass: an address that answers no ping at all (a ClusterIP of kube-proxy's
 * iptables mode) tells nothing about size.
 */
export function interpretLarge(args: Args, large: IcmpAnswer, small: IcmpAnswer | undefined): ProbeReading {
  const alone = interpretIcmp(args, large);
  // Who sends too much is told so, and a TCP sends less: that is path-MTU discovery at work (RFC 1191), and no loss.
  if (large.outcome === 'too-big') return { ...alone, passed: 'unknown' };
  if (alone.passed !== 'no') return alone;
  if (small?.outcome === 'answered') {
    return { ...alone, statement: `${alone.statement}, while small ones are answered` };
  }
  return {
    ...alone,
    passed: 'unknown',
    statement: `${alone.statement}; small ones are not known to be answered either`,
  };
}

function reading(
  outcome: string,
  passed: ProbeReading['passed'],
  statement: string,
  latencyMs: number | undefined,
): ProbeReading {
  return { outcome, passed, statement, ...(latencyMs === undefined ? {} : { latencyMs }) };
}

function target(args: Args): string {
  const address = String(args.address);
  return address.includes(':') ? `[${address}]:${args.port}` : `${address}:${args.port}`;
}

const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: 'a prohibit route, or a filter of our own kernel',
  EADDRNOTAVAIL: 'no source address or port is left for it',
  ECONNREFUSED: 'a reset or an ICMP rejection came back',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'no answer to neighbour discovery, an unreachable route, or an ICMP host unreachable',
  EINVAL: 'a blackhole route',
  ENETUNREACH: 'no route, or an ICMP network unreachable',
  EPERM: 'a packet filter on the way out refused it',
  ETIMEDOUT: 'no answer came',
};

function explain(errno: string | undefined): string {
  return MEANINGS[errno ?? ''] ?? 'the probe itself failed';
}

/** Refused by our own kernel's routes, filters or lack of ports is a network's no; anything else is our own failure. */
function passedByErrno(errno: string | undefined): 'no' | 'unknown' {
  return ['EACCES', 'EPERM', 'EADDRNOTAVAIL', 'EINVAL', 'ECONNRESET', 'ETIMEDOUT'].includes(errno ?? '')
    ? 'no'
    : 'unknown';
}
