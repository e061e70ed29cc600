import type { AttemptOutcome } from '../capture/attempt.ts';
import type { Fate } from '../capture/follow-packets.ts';
import type { ReportPlace } from './report.ts';

export const CAPTURE_SCHEMA = 'podtriage.capture/v1';

/** A device that was watched, in the order of the way. */
export interface CaptureReportPoint {
  readonly place: ReportPlace;
  readonly device: string;
  readonly filter: string;
  readonly frames: number;
  /** Whether nothing that passed can have been missed. */
  readonly isWhole: boolean;
  /** Why nothing, or not all, was seen. */
  readonly gap?: string;
}

/** One packet on one device. */
export interface CaptureReportSighting {
  /** Index in `points`. */
  readonly point: number;
  /** Milliseconds since the capture's first frame, by the clock of the point's node. */
  readonly atMs: number;
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  /** The packet's own and, inside a tunnel, its carrier's. */
  readonly checksum: string;
  /** Addresses of the tunnel's outer packet. */
  readonly tunnel?: string;
}

/** Where a packet that did not arrive was seen last, and where it was looked for next. */
export interface CaptureReportLoss {
  readonly after: CaptureReportStep;
  readonly before: readonly CaptureReportStep[];
}

export interface CaptureReportStep {
  readonly point: number;
  readonly way: 'in' | 'out';
}

export interface CaptureReportPacket {
  /** `SYN`, `SYN ACK`, `udp 21 bytes`, `icmp 3/3 from 10.0.0.1`. */
  readonly label: string;
  readonly leg: 'there' | 'back';
  /** 1 for the first sending, 2 for the first retransmission … */
  readonly sending: number;
  readonly fate: Fate['is'];
  readonly loss?: CaptureReportLoss;
  readonly because?: string;
  readonly seen: readonly CaptureReportSighting[];
}

export interface CaptureReportAttempt {
  readonly outcome: AttemptOutcome;
  readonly packets: readonly CaptureReportPacket[];
}

/** Attempts that fared alike. */
export interface CaptureFinding {
  readonly outcome: AttemptOutcome;
  readonly attempts: number;
  /** One sentence: what happened, and between which devices. */
  readonly statement: string;
  readonly loss?: CaptureReportLoss;
  /** What is done to a packet between these devices. */
  readonly between?: string;
}

/** What one node's kernel said of packets of the flow that it dropped. */
export interface CaptureKernelDrop {
  readonly place: ReportPlace;
  readonly device?: string;
  readonly leg: 'there' | 'back';
  /** How the packet was found: itself, inside of a tunnel's packet, or quoted by an ICMP error that was dropped. */
  readonly as: 'itself' | 'tunnelled' | 'quoted';
  /** The kernel's own name for why (include/net/dropreason-core.h, without SKB_DROP_REASON_), or a number. */
  readonly reason: string;
  /** The kernel function that dropped it. */
  readonly function: string;
  readonly packets: number;
  /** False for the ordinary end of what had served its purpose. */
  readonly isLoss: boolean;
  readonly statement: string;
}

/** `--drop-reasons`. */
export interface CaptureKernel {
  readonly nodes: readonly { readonly node: string; readonly isWhole: boolean; readonly gap?: string }[];
  readonly drops: readonly CaptureKernelDrop[];
}

/** What a base chain decided of packets of the flow. */
export interface CaptureRuleVerdict {
  readonly place: ReportPlace;
  /** `ip filter FORWARD`. */
  readonly base: string;
  /** The chain in which it was decided, and the rule, or `policy`. */
  readonly chain: string;
  readonly by: string;
  readonly verdict: string;
  readonly leg: 'there' | 'back';
  readonly packets: number;
  readonly statement: string;
}

/** `--trace-rules`. */
export interface CaptureRules {
  readonly places: readonly { readonly place: ReportPlace; readonly isWhole: boolean; readonly gap?: string }[];
  readonly verdicts: readonly CaptureRuleVerdict[];
}

/** What `podtriage capture` saw. */
export interface CaptureReport {
  readonly schema: typeof CAPTURE_SCHEMA;
  /** answered: every attempt was; lost: some certainly were not; refused: some were turned away; unknown: it could not be told. */
  readonly verdict: 'answered' | 'lost' | 'refused' | 'unknown';
  readonly summary: string;
  readonly findings: readonly CaptureFinding[];
  /** What the walk through the rules says of the same packet, and whether that is what was seen. */
  readonly walk: { readonly statement: string; readonly agrees: 'yes' | 'no' | 'unknown' };
  readonly points: readonly CaptureReportPoint[];
  readonly attempts: readonly CaptureReportAttempt[];
  /** What else was seen: bad checksums, retransmissions, frames that could not be told apart. */
  readonly observations: readonly string[];
  /** What the kernels themselves said of their drops; lacks where they were not asked (`--drop-reasons`). */
  readonly kernel?: CaptureKernel;
  /** What the rules did with it, as the kernels traced it; lacks where they were not asked (`--trace-rules`). */
  readonly rules?: CaptureRules;
  readonly target: {
    readonly source: string;
    readonly destination: string;
    readonly flow: string;
    readonly notes: readonly string[];
  };
  readonly created: readonly string[];
  readonly durationMs: number;
}

/** The same as a part of a diagnosis: what a capture of one of its flows saw. */
export interface CaptureSection
  extends Pick<
    CaptureReport,
    'verdict' | 'summary' | 'findings' | 'walk' | 'points' | 'attempts' | 'observations' | 'kernel' | 'rules'
  > {
  readonly flow: string;
}
