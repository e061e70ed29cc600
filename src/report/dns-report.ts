import type { Times } from '../probe/describe-times.ts';
import type { ResolverStyle } from '../probe/resolver-question.ts';
import type { DnsAnswer, LookupAnswer, LookupQuery } from '../snapshot/probe-answers.ts';
import type { ProbeReportChange } from './probe-report.ts';

export const DNS_SCHEMA = 'podtriage.probe-dns/v1';

/** How the container's programs look names up, from its own files. */
export interface DnsReportResolver {
  /** Of the libraries that its files have; unknown: none, both, or not seen. */
  readonly library: ResolverStyle | 'unknown';
  /** nsswitch.conf's sources for hosts, where there is such a file. */
  readonly sources?: readonly string[];
  /** What the hosts file says of the name; absent where it was not read. */
  readonly hosts?: readonly string[];
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  /** As written: `ndots:5`. */
  readonly options: readonly string[];
}

/** A look-up that was made again and again by the rules of one library. */
export interface DnsReportLookup {
  readonly style: ResolverStyle;
  readonly sent: number;
  readonly found: number;
  readonly unknown: number;
  /** How often each end came. */
  readonly outcomes: readonly { readonly outcome: LookupAnswer['outcome']; readonly count: number }[];
  readonly addresses: readonly string[];
  /** Of all whose end is known, also of those that found nothing. */
  readonly times?: Times;
  /** Look-ups that took about 5, 10, 15 … s: a question, or its answer, was lost and waited for. */
  readonly waits: readonly { readonly aroundMs: number; readonly count: number }[];
  /** Of the one that took longest. */
  readonly slowest?: { readonly latencyMs: number; readonly questions: readonly LookupQuery[] };
}

/** One question to one server, asked up to three times until it is answered. */
export interface DnsReportQuestion {
  readonly name: string;
  readonly type: 'A' | 'AAAA';
  readonly transport: 'udp' | 'tcp';
  readonly ednsBytes?: number;
  readonly outcome: DnsAnswer['outcome'] | 'untold';
  readonly passed: 'yes' | 'no' | 'unknown';
  readonly tries: number;
  readonly latencyMs?: number;
  readonly truncated: boolean;
  /** Of the answer. */
  readonly bytes?: number;
  readonly statement: string;
}

/** A server that was asked by itself. */
export interface DnsReportServer {
  /** nameserver: of resolv.conf; endpoint: a DNS server behind such an address; upstream: whom that one asks, from its own network. */
  readonly role: 'nameserver' | 'endpoint' | 'upstream';
  readonly name: string;
  /** The network that it was asked from. */
  readonly from: string;
  readonly questions: readonly DnsReportQuestion[];
}

/** What `podtriage probe dns` saw. */
export interface DnsReport {
  readonly schema: typeof DNS_SCHEMA;
  /** answered: the name was found each time, and every server answered; failed: some of it certainly not; unknown: could not tell. */
  readonly verdict: 'answered' | 'failed' | 'unknown';
  readonly summary: string;
  /** The step at which it fails. */
  readonly failsAt?: string;
  readonly findings: readonly string[];
  readonly resolver: DnsReportResolver;
  readonly lookups: readonly DnsReportLookup[];
  /** The name that the servers were asked for by themselves. */
  readonly asked: string;
  readonly servers: readonly DnsReportServer[];
  /** What could not be asked, and why. */
  readonly unasked: readonly string[];
  readonly changes: readonly ProbeReportChange[];
  readonly changesLeftOut: number;
  readonly target: {
    readonly source: string;
    readonly destination: string;
    readonly flow: string;
    readonly notes: readonly string[];
  };
  readonly created: readonly string[];
  readonly durationMs: number;
}
