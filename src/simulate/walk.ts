import type { Connection } from './conntrack.ts';
import type { Walk, World } from './cursor.ts';
import { withErrors } from './error-walk.ts';
import type { Trace } from './trace.ts';
import { type WalkStart, walkFrom } from './walk-from.ts';

export type { WalkStart, World };

/** The walk of one packet through the snapshot's state. `connections`: entries that former packets made. */
export function simulateTrace(world: World, start: WalkStart, connections: readonly Connection[] = []): Trace {
  const walk: Walk = { world };
  return withErrors(walk, start, walkFrom(walk, start, { connections })).trace;
}
