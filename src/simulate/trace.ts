import type { Request, Scalar } from '../host/host.ts';
import type { Meta, Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { Source } from '../snapshot/snapshot.ts';

export type Truth = 'yes' | 'no' | 'unknown';

/** How a packet's walk can end. Each is defined in docs/dispositions.md. */
export type Disposition =
  | 'delivered'
  | 'left-the-cluster'
  | 'handed-to-userspace'
  | 'dropped-by-rule'
  | 'rejected-by-rule'
  | 'no-route'
  | 'route-unreachable'
  | 'reverse-path-filtered'
  | 'martian'
  | 'forwarding-disabled'
  | 'neighbour-unresolved'
  | 'not-for-this-mac'
  | 'bridge-blocked'
  | 'link-down'
  | 'packet-too-big'
  | 'ttl-exceeded'
  | 'no-listener'
  | 'accept-queue-full'
  | 'reply-not-matched'
  | 'conntrack-refused'
  | 'tunnel-dropped'
  | 'loop'
  | 'insufficient-information';

/** 'error EINVAL': connect(2) or send(2) fails at once by a black hole of the sender's own. */
export type SenderSees = 'reply' | 'nothing' | 'reset' | 'error EINVAL' | `icmp ${number}/${number}`;

/** Probability as an interval: a random choice is a point, an undecided rule is 0 to 1. */
export interface Chance {
  readonly min: number;
  readonly max: number;
}

export interface Step {
  readonly kind:
    | 'rule'
    | 'policy'
    | 'route'
    | 'neighbour'
    | 'bridge'
    | 'tunnel'
    | 'conntrack'
    | 'nat'
    | 'mtu'
    | 'socket'
    | 'filter'
    | 'sysctl'
    | 'link';
  /** The place within the kernel: `forward filter-nft FORWARD#3`, `route main`. For reports and for finding it again. */
  readonly at: string;
  readonly matched: Truth;
  readonly source: Source;
  /** Typed particulars of the step, so that no cause parses text: table, chain, rule number, device, next hop, sysctl key … */
  readonly values: Readonly<Record<string, Scalar>>;
  /** What happened, in a few words for a person. */
  readonly text: string;
  readonly owner?: { readonly by: string; readonly purpose: string };
  readonly changes: readonly { readonly field: string; readonly from: Scalar; readonly to: Scalar }[];
  readonly features: readonly string[];
}

/** One stay of the packet in one network namespace: from a device (or a socket) to a device (or a socket). */
export interface Hop {
  readonly place: Place;
  readonly input?: string;
  readonly output?: string;
  /** The packet as it entered. */
  readonly packet: Packet;
  readonly meta: Meta;
  readonly steps: readonly Step[];
  /** The stay began in a segment before: ways forked or met in the middle of it. */
  readonly continues?: true;
}

export interface StepRef {
  readonly segment: number;
  readonly hop: number;
  readonly step: number;
}

export interface LeafEnd {
  readonly end: Disposition;
  readonly at: StepRef;
  /** The packet as it was when the walk ended. */
  readonly packet: Packet;
  readonly meta: Meta;
  readonly place: Place;
  readonly senderSees: SenderSees;
  /** Why, where `end` is insufficient-information; otherwise a word more for a person. */
  readonly because?: string;
  readonly wants: readonly Request[];
  readonly errorPacket?: Packet;
  /** The walk of `errorPacket` back to the sender; `senderSees` is 'nothing' where it can't arrive. */
  readonly errorTrace?: Trace;
}

export interface Fork {
  readonly fork: 'random' | 'multipath' | 'undecided';
  readonly at: StepRef;
  readonly to: readonly { readonly segment: number; readonly chance: Chance }[];
}

export interface Segment {
  readonly hops: readonly Hop[];
  readonly then: LeafEnd | Fork;
}

/** A DAG of segments; segments[0] is the root. */
export interface Trace {
  readonly packet: Packet;
  readonly from: Place;
  readonly segments: readonly Segment[];
  /** Branches that the budget left out. */
  readonly unwalked: number;
}

export interface RoundTrip {
  readonly forward: Trace;
  /** For each forward leaf that was delivered: the way back, walked with the conntrack entries that its way there made. */
  readonly replies: readonly { readonly leaf: number; readonly trace: Trace }[];
}
