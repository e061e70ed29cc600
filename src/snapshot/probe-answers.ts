import type { Address } from '../net/address.ts';

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
  readonly latencyMs?: number;
  readonly errno?: string;
}

/** Probes are facts too, so that a bundle replays them. Arguments stand behind each; all are asked at the source's place. */
export interface ProbeFacts {
  'probe.tcp': TcpAnswer; // address, port, timeoutMs, uid?, afterMs?, sourcePort?, attempt?
  'probe.udp': UdpAnswer; // address, port, timeoutMs, payload?
  'probe.icmp': IcmpAnswer; // address, sizeBytes (payload), df, count, timeoutMs, intervalMs?, attempt?
  'probe.dns': DnsAnswer; // server, port? (53), name, type (A | AAAA), transport (udp | tcp), timeoutMs
}
