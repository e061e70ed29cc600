import type { Scalar } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { Source } from '../snapshot/snapshot.ts';

/** One thing that was seen, with where it was seen. Text is made from fields and never parsed back. */
export interface Evidence {
  /** What sort of thing: `route`, `iptables-policy`, `sysctl`, `tcp-probe`, `pod-state` … */
  readonly kind: string;
  readonly plane: 'state' | 'walk' | 'probe' | 'capture' | 'kernel';
  readonly place: Place;
  readonly source: Source;
  readonly values: Readonly<Record<string, Scalar>>;
  readonly statement: string;
}

/** How well a cause is shown. Computed by the engine, never by a cause. */
export type Confidence = 'proven' | 'observed' | 'predicted' | 'suspected';
