import type { TcpAnswer, UdpAnswer } from '../snapshot/probe-answers.ts';

const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ENONET']);
const RESET = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** What a failed connect(2) of TCP means (tcp(7), ip(7)). */
export function tcpOutcomeOf(errno: string): TcpAnswer['outcome'] {
  if (errno === 'ECONNREFUSED') return 'refused';
  if (errno === 'ETIMEDOUT') return 'timed-out';
  if (RESET.has(errno)) return 'reset';
  return UNREACHABLE.has(errno) ? 'unreachable' : 'failed';
}

/** What an error on a connected UDP socket means: an ICMP error that came back (udp(7)), or a refusal of our own kernel. */
export function udpOutcomeOf(errno: string): UdpAnswer['outcome'] {
  if (errno === 'ECONNREFUSED') return 'refused';
  return UNREACHABLE.has(errno) ? 'unreachable' : 'failed';
}
