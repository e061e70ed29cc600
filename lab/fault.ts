import type { Bed } from './cluster/bed.ts';
import type { Layout } from './cluster/layout.ts';

/** What a diagnosis must say. */
export interface Expectation {
  /** Id of the first cause. */
  readonly id: string;
  /** Node of that cause's place. */
  readonly node?: string;
  /** Text that the cause must hold somewhere in its place, title, evidence or fix: the thing at fault by its name. */
  readonly object?: string;
  /** Exit code; 1 unless the cause is no fault but by design. */
  readonly exit?: number;
  /** A consequence that must be nested under the cause. */
  readonly explains?: string;
}

/**
 * Where a capture must see the packet last, and where not any more, each as `NODE in|out DEVICE` with `veth*` for a pod's cable;
 * `NODE out DEVICE` alone where it leaves the cluster there. Of beds with a VXLAN overlay, whose devices these are.
 */
export interface Gone {
  readonly leg: 'there' | 'back';
  readonly after: string;
  readonly before?: string;
}

/** One call of `podtriage diagnose`: its arguments, and what it must say where that differs from the fault's own expectation. */
export interface Asked {
  readonly args: readonly string[];
  readonly expect?: Partial<Expectation>;
}

/** A real fault that the lab can make and mend on a bed, with ordinary commands. Neither remembers: both can be run from different processes. */
export interface Fault {
  /** The name of its file. A cause with several ways to happen has several faults. */
  readonly id: string;
  /** The cause that podtriage must name. */
  readonly causeId: string;
  /** How it comes about in real clusters and what is done here. */
  readonly story: string;
  /** Why it cannot be made on this bed; undefined where it can. */
  readonly unfit?: (layout: Layout) => string | undefined;
  /** Makes the fault and waits until it has its effect. */
  readonly inject: (bed: Bed) => Promise<void>;
  /** Mends it, whole or half made, and waits until the network is healthy again. */
  readonly heal: (bed: Bed) => Promise<void>;
  /** What a user would ask: each really fails while the fault is there. */
  readonly questions: (bed: Bed) => Promise<readonly Asked[]>;
  readonly expect: Omit<Expectation, 'id'>;
  /** Of the first question; undefined where no packet is lost on its way. */
  readonly gone?: Gone;
}
