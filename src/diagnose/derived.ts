import type { KernelDrop } from '../capture/drop-sightings.ts';
import type { RuleVerdict } from '../capture/rule-verdicts.ts';
import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { DatapathGate } from '../simulate/datapath.ts';
import type { RoundTrip } from '../simulate/trace.ts';
import type { FlowPurpose } from '../target/flows.ts';
import type { Question } from '../target/question.ts';
import type { Evidence } from './evidence.ts';
import type { Leaf } from './leaves.ts';

/** One packet's journey that the question makes us look at. */
export interface Flow {
  /** `main`; `dns/ADDRESS` (to the pod's nameserver); `dns-endpoint/ADDRESS`; `icmp` (ping to the same address); `endpoint/ADDRESS` (past the Service); `large` … */
  readonly id: string;
  readonly purpose: FlowPurpose;
  /** Undefined: from outside the cluster. */
  readonly from?: Place;
  readonly source?: Address;
  readonly destination: Address;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'sctp';
  readonly port?: number;
  readonly trip: RoundTrip;
  /** Every end of it, there and back. */
  readonly leaves: readonly Leaf[];
  /** The ends at which the packet is lost or refused. */
  readonly dead: readonly Leaf[];
  /** The ends of which the walk could not tell. */
  readonly unknown: readonly Leaf[];
  /** What the live probe of this flow saw; undefined where none was made. */
  readonly probe?: FlowProbe;
  /** What a capture at every device of its way saw; undefined where none was made. */
  readonly capture?: FlowCapture;
  /** What the nodes' kernels said that they dropped of it; undefined where they were not asked. */
  readonly drops?: readonly KernelDrop[];
  /** What the rules on its way did with it, as the kernel traced it; undefined where it was not asked. */
  readonly rules?: readonly RuleVerdict[];
}

export interface FlowCapture {
  /** Whether it saw what the walk says. */
  readonly agrees: 'yes' | 'no' | 'unknown';
  readonly statement: string;
  readonly evidence: Evidence;
  /** The devices between which packets were lost. */
  readonly losses: readonly CaptureLoss[];
  /** Devices that packets came in by with an outer checksum that is wrong. */
  readonly wrongOuterSums: readonly { readonly place: Place; readonly device: string; readonly packets: number }[];
}

export interface CaptureLoss {
  readonly leg: 'there' | 'back';
  readonly after: CaptureDevice;
  /** One for each way on. */
  readonly before: readonly CaptureDevice[];
}

export interface CaptureDevice {
  readonly place: Place;
  readonly device: string;
  readonly way: 'in' | 'out';
  /** The packet is inside a tunnel there, of this UDP port where it has one. */
  readonly tunnel?: { readonly kind: string; readonly port?: number };
}

export interface FlowProbe {
  readonly outcome: string;
  /** 'unknown' where an answer proves nothing (a mesh proxy accepted the connect). */
  readonly passed: 'yes' | 'no' | 'unknown';
  /** Of a look-up: whether the name resolved. A server that denies a name was reached all the same (`passed` is 'yes'). */
  readonly resolved?: boolean;
  /** Of a look-up: the answer was cut to fit UDP; `resolved` is then what TCP told, where it was asked. */
  readonly truncated?: true;
  readonly statement: string;
  readonly evidence: Evidence;
  readonly latencyMs?: number;
}

/** What the road derives from the snapshot; a cause can need it by name. */
export interface Derived {
  readonly question: Question;
  readonly flows: readonly Flow[];
  readonly gate: DatapathGate;
}
