import type { Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import { type CondensedTrace, condense } from './condense.ts';
import { type Connection, untouched } from './conntrack.ts';
import type { Cursor, Stage, Walk, World } from './cursor.ts';
import { explore } from './explore.ts';
import type { Trace } from './trace.ts';

export type { World };

/** Where a packet begins: a socket of a namespace, or a wire that ends at a device. */
export interface WalkStart {
  readonly from: Place;
  readonly packet: Packet;
  /** The device by which it comes in, from a host outside the cluster; else a local socket sends it. */
  readonly arrivesBy?: string;
}

/** The walk of one packet through the snapshot's state. `connections`: entries that former packets made. */
export function simulateTrace(world: World, start: WalkStart, connections: readonly Connection[] = []): Trace {
  return walkFrom({ world }, start, connections).trace;
}

export function walkFrom(
  walk: Walk,
  start: WalkStart & { readonly fit?: boolean },
  connections: readonly Connection[] = [],
): CondensedTrace {
  const cursor = startCursor(start, connections);
  return condense(explore(walk, cursor), cursor);
}

function startCursor(start: WalkStart & { readonly fit?: boolean }, connections: readonly Connection[]): Cursor {
  const { arrivesBy, packet } = start;
  const stage: Stage =
    arrivesBy === undefined
      ? { name: 'output', ...(start.fit ? { fit: true } : {}) }
      : { name: 'arrive', device: arrivesBy };
  return {
    place: { node: start.from.node, namespace: start.from.namespace },
    stage,
    packet,
    meta: untouched(),
    tracking: { connections },
    path: { local: arrivesBy === undefined },
    visited: [],
  };
}
