import type { PROBE_SCHEMA } from './probe-report.ts';

/** Packets of one size, of the whole IP packet, none of which may be fragmented. */
export interface MtuReportSize {
  readonly sizeBytes: number;
  readonly sent: number;
  readonly answered: number;
}

export type MtuReportReading = 'whole' | 'smaller' | 'unanswered' | 'unknown';

/** One search: pings, or SYNs that carry data. */
export interface MtuReportSearch {
  readonly by: 'icmp' | 'tcp';
  readonly reading: MtuReportReading;
  /** Where it is known. */
  readonly mtuBytes?: number;
  readonly statement: string;
  readonly sizes: readonly MtuReportSize[];
}

/** ICMP “fragmentation needed”, or of IPv6 “packet too big”, that came back. */
export interface MtuReportTooBig {
  readonly from: string;
  /** Whose address that is, where it is known. */
  readonly name?: string;
  readonly mtuBytes?: number;
}

/** A device on the way, in the walk's order. */
export interface MtuReportDevice {
  readonly place: string;
  readonly device: string;
  readonly mtuBytes: number;
  /** The largest packet of the question's that goes through whole: less than the MTU inside a tunnel. */
  readonly carriesBytes: number;
}

/** A path MTU that the sender's kernel keeps for the destination. */
export interface MtuReportLearnt {
  readonly mtuBytes: number;
  readonly expiresS?: number;
  readonly since: 'before' | 'probe';
}

export interface MtuReportWay {
  readonly direction: 'there' | 'back';
  readonly from: string;
  readonly to: string;
  /** unprobed: from where nothing can be sent. */
  readonly reading: MtuReportReading | 'unprobed';
  /** Of the device and route by which the sender sends. */
  readonly sendingMtuBytes?: number;
  readonly mtuBytes?: number;
  /** Whether the sender is told what is too big; absent where nothing is. */
  readonly isTold?: boolean;
  readonly statement: string;
  /** What limits it, and what becomes of the ICMP error, one sentence each. */
  readonly findings: readonly string[];
  readonly searches: readonly MtuReportSearch[];
  readonly tooBig: readonly MtuReportTooBig[];
  readonly devices: readonly MtuReportDevice[];
  /** Largest TCP segment that the other end asks for. */
  readonly mssBytes?: number;
  readonly learnt: readonly MtuReportLearnt[];
}

/** What `podtriage probe mtu` saw. */
export interface MtuReport {
  readonly schema: typeof PROBE_SCHEMA;
  readonly kind: 'mtu';
  /**
   * answered: what the sender's device takes passes both ways, or the sender is told what is smaller; failed: larger packets are lost
   * without a word; unknown: it could not be told of both ways.
   */
  readonly verdict: 'answered' | 'failed' | 'unknown';
  readonly summary: string;
  readonly ways: readonly MtuReportWay[];
  readonly target: {
    readonly source: string;
    readonly destination: string;
    readonly flow: string;
    readonly notes: readonly string[];
  };
  readonly created: readonly string[];
  readonly durationMs: number;
}
