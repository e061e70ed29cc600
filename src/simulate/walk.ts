import type { CondensedTrace } from './condense.ts';
import type { Cursor, Walk, World } from './cursor.ts';
import { withErrors } from './error-walk.ts';
import type { Trace } from './trace.ts';
import { type Connection, NO_CONNECTIONS, type Tracking } from './tracking.ts';
import { type WalkStart, walkFrom, walkOn } from './walk-from.ts';

export type { WalkStart, World };

/** The walk of one packet through the snapshot's state. `connections`: entries that former packets made. */
export function simulateTrace(world: World, start: WalkStart, connections: readonly Connection[] = []): Trace {
  return walkWithErrors({ world }, start, { connections }).trace;
}

/** The same with the cursor of each end, and on the way back, if the walk expects an answer somewhere. */
export function walkWithErrors(walk: Walk, start: WalkStart, tracking: Tracking = NO_CONNECTIONS): CondensedTrace {
  // What is sent beside a packet sends nothing aside in its turn.
  const aside = (cursor: Cursor): Trace => withErrors(walk, start, walkOn(walk, cursor)).trace;
  const whole = { ...walk, aside };
  return withErrors(whole, start, walkFrom(whole, start, tracking));
}
