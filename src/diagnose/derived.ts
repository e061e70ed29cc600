import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { DatapathGate } from '../simulate/datapath.ts';
import type { RoundTrip } from '../simulate/trace.ts';
import type { Question } from '../target/question.ts';
import type { Leaf } from './leaves.ts';

/** One packet's journey that the question makes us look at. */
export interface Flow {
  /** `main`; `dns` (to the pod's nameserver); `dns-endpoint/ADDRESS`; `icmp` (ping to the same address); `endpoint/ADDRESS` (past the Service) … */
  readonly id: string;
  readonly purpose: 'main' | 'dns' | 'dns-endpoint' | 'icmp' | 'endpoint' | 'large';
  readonly from: Place;
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'sctp';
  readonly port?: number;
  readonly trip: RoundTrip;
  /** Its ends that are not a delivery, there and back. */
  readonly dead: readonly Leaf[];
  /** What the live probe of this flow saw, where there was one. */
  readonly probe?: { readonly outcome: string; readonly passed: boolean; readonly statement: string };
}

/** What the road derives from the snapshot; a cause can need it by name. */
export interface Derived {
  readonly question: Question;
  readonly flows: readonly Flow[];
  readonly gate: DatapathGate;
}
