import type { Address } from '../net/address.ts';
import type { SynSizeAnswer } from './syn-size-answer.ts';

/** What a real connect() did (connect(2), tcp(7)). */
export interface TcpAnswer {
  readonly outcome: 'connected' | 'refused' | 'reset' | 'timed-out' | 'unreachable' | 'failed';
  /** The errno's name: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL … */
  readonly errno?: string;
  readonly latencyMs?: number;
  readonly localAddress?: Address;
  readonly localPort?: number;
}

export interface UdpAnswer {
  readonly outcome: 'answered' | 'silent' | 'refused' | 'unreachable' | 'failed';
  readonly errno?: string;
  readonly latencyMs?: number;
  readonly bytes?: number;
}

export interface IcmpAnswer {
  readonly outcome: 'answered' | 'silent' | 'unreachable' | 'too-big' | 'not-permitted' | 'failed';
  readonly sent: number;
  readonly received: number;
  readonly latencyMs?: number;
  /** ICMP errors that came back: who sent them and what ping said. */
  readonly errors: readonly { readonly from?: Address; readonly text: string; readonly mtu?: number }[];
  /** Each request that was answered, by its number from 1 on; a time where the payload has room for one. */
  readonly replies?: readonly { readonly sequence: number; readonly latencyMs?: number }[];
  /** Answers beyond the first one to the same request. */
  readonly duplicates?: number;
  readonly detail?: string;
}

export interface DnsAnswer {
  readonly outcome:
    | 'answered'
    | 'no-data'
    | 'nxdomain'
    | 'servfail'
    | 'refused'
    | 'timed-out'
    | 'unreachable'
    | 'failed';
  readonly rcode?: string;
  readonly addresses: readonly Address[];
  readonly names: readonly string[]; // CNAMEs, in order
  readonly truncated: boolean;
  /** Of the message, without the headers of UDP or TCP. */
  readonly bytes?: number;
  readonly latencyMs?: number;
  readonly errno?: string;
}

/** One question that a resolver sent on its way to a name's addresses. */
export interface LookupQuery {
  readonly name: string;
  readonly type: 'A' | 'AAAA';
  readonly server: Address;
  readonly transport: 'udp' | 'tcp';
  /** Since the look-up began. */
  readonly sentAtMs: number;
  /** `timed-out`: nothing came while the resolver waited for it. */
  readonly outcome: DnsAnswer['outcome'];
  readonly latencyMs?: number;
  readonly truncated?: boolean;
}

/** What getaddrinfo(3) of that C library would have told its caller, with all the questions that it sent for it. */
export interface LookupAnswer {
  /** try-again: EAI_AGAIN, a server failed or was silent; failed: EAI_FAIL; cut-off: not done in time. */
  readonly outcome: 'found' | 'no-such-name' | 'no-address' | 'try-again' | 'failed' | 'cut-off';
  readonly addresses: readonly Address[];
  /** The fully qualified name that was found. */
  readonly found?: string;
  /** How long the caller waited. */
  readonly latencyMs: number;
  /** In the order of sending; the first 200. */
  readonly queries: readonly LookupQuery[];
}

/** Probes are facts too, so that a bundle replays them. Arguments stand behind each; all are asked at the source's place. */
export interface ProbeFacts {
  'probe.tcp': TcpAnswer; // address, port, timeoutMs, uid?, afterMs?, sourcePort?, attempt?
  'probe.udp': UdpAnswer; // address, port, timeoutMs, payload?
  'probe.icmp': IcmpAnswer; // address, sizeBytes (payload), df, count, timeoutMs, intervalMs?, attempt?
  'probe.syn': SynSizeAnswer; // address, source, port, sizeBytes (whole packet), count, intervalMs, timeoutMs, attempt?
  'probe.dns': DnsAnswer; // server, port? (53), name, type (A | AAAA), transport (udp | tcp), timeoutMs, ednsBytes?, afterMs?
  /** host, style (glibc | musl), servers and search (words), options (as in resolv.conf), timeoutMs, turn?, afterMs?, attempt? */
  'probe.lookup': LookupAnswer;
}
