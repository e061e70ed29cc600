/** What a TCP segment is to connection tracking (get_conntrack_index in nf_conntrack_proto_tcp.c). */
export type TcpSegment = 'syn' | 'synack' | 'fin' | 'ack' | 'rst' | 'none';

/** States of a tracked TCP connection (enum tcp_conntrack), by the kernel's two letters. */
export type TcpState = 'NO' | 'SS' | 'SR' | 'ES' | 'FW' | 'CW' | 'LA' | 'TW' | 'CL' | 'S2';

export interface TcpTracking {
  readonly state: TcpState;
  /** The last segment, and whether it went in the answers' direction. */
  readonly last?: { readonly segment: TcpSegment; readonly reply: boolean };
  /** A FIN has begun to close it (IP_CT_TCP_FLAG_CLOSE_INIT). */
  readonly closing: boolean;
}

export type TcpVerdict =
  | { readonly kind: 'accept'; readonly tcp: TcpTracking }
  | { readonly kind: 'invalid' }
  /** A SYN on a closed connection: the entry goes, and the segment is looked up again (NF_REPEAT). */
  | { readonly kind: 'reopen' };

const STATES: readonly TcpState[] = ['NO', 'SS', 'SR', 'ES', 'FW', 'CW', 'LA', 'TW', 'CL', 'S2'];

/** What a segment makes of each state (tcp_conntracks): IV is invalid, IG is let through without a change. */
const ORIGINAL: Readonly<Record<TcpSegment, string>> = {
  syn: 'SS SS IG IG IG IG IG SS SS S2',
  synack: 'IV IV SR IV IV IV IV IV IV SR',
  fin: 'IV IV FW FW LA LA LA TW CL IV',
  ack: 'ES IV ES ES CW CW TW TW CL IV',
  rst: 'IV CL CL CL CL CL CL CL CL CL',
  none: 'IV IV IV IV IV IV IV IV IV IV',
};
const REPLY: Readonly<Record<TcpSegment, string>> = {
  syn: 'IV S2 IV IV IV IV IV SS IV S2',
  synack: 'IV SR IG IG IG IG IG IG IG SR',
  fin: 'IV IV FW FW LA LA LA TW CL IV',
  ack: 'IV IG SR ES CW CW TW TW CL IG',
  rst: 'IV CL CL CL CL CL CL CL CL CL',
  none: 'IV IV IV IV IV IV IV IV IV IV',
};

/** Combinations that occur in TCP, without PSH, ECE and CWR (tcp_valid_flags). */
const VALID_FLAGS = new Set([
  'syn',
  'syn,urg',
  'ack,syn',
  'rst',
  'ack,rst',
  'ack,fin',
  'ack,fin,urg',
  'ack',
  'ack,urg',
]);
const ANY_TIME = new Set(['psh', 'ece', 'cwr']);

/** The segment by its flags, lower case; undefined where conntrack calls them malformed. */
export function tcpSegment(flags: readonly string[]): TcpSegment | undefined {
  const telling = flags.filter((flag) => !ANY_TIME.has(flag)).toSorted();
  if (!VALID_FLAGS.has(telling.join(','))) return undefined;
  if (telling.includes('rst')) return 'rst';
  if (telling.includes('syn')) return telling.includes('ack') ? 'synack' : 'syn';
  return telling.includes('fin') ? 'fin' : 'ack';
}

/** The first segment of a connection (tcp_new): a SYN; an ACK in mid-stream where nf_conntrack_tcp_loose is on. */
export function tcpBegin(segment: TcpSegment, loose: boolean): TcpTracking | undefined {
  const state = next('NO', segment, false);
  if (state === 'IV' || (state !== 'SS' && !loose)) return undefined;
  return { state: state as TcpState, last: { segment, reply: false }, closing: false };
}

/**
 * A segment of a connection that is in the table (nf_conntrack_tcp_packet). Sequence numbers are not part of the walk:
 * segments count as within the window, as those of hosts that speak TCP are.
 */
export function tcpContinue(tcp: TcpTracking, segment: TcpSegment, reply: boolean): TcpVerdict {
  const last = { segment, reply };
  const state = next(tcp.state, segment, reply);
  if (state === 'IV') return { kind: 'invalid' };
  if (state === 'SS' && isOver(tcp.state) && isReopened(tcp, reply)) return { kind: 'reopen' };
  if (state === 'IG' || (state === 'SS' && isOver(tcp.state))) return ignored(tcp, segment, reply);
  const closing = tcp.closing || (state === 'FW' && tcp.state !== 'FW');
  return { kind: 'accept', tcp: { state: state as TcpState, last, closing } };
}

function isOver(state: TcpState): boolean {
  return STATES.indexOf(state) >= STATES.indexOf('TW');
}

function isReopened({ closing, last }: TcpTracking, reply: boolean): boolean {
  return closing || (last?.reply === reply && last.segment === 'rst');
}

/** A SYN/ACK that answers a SYN which was let through brings the entry back in step. */
function ignored(tcp: TcpTracking, segment: TcpSegment, reply: boolean): TcpVerdict {
  const last = { segment, reply };
  const inStep = segment === 'synack' && tcp.last?.segment === 'syn' && tcp.last.reply !== reply;
  return { kind: 'accept', tcp: { ...tcp, last, ...(inStep ? { state: 'SR' as const } : {}) } };
}

function next(state: TcpState, segment: TcpSegment, reply: boolean): string {
  return (reply ? REPLY : ORIGINAL)[segment].split(' ')[STATES.indexOf(state)]!;
}
