import type { Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import { type CondensedTrace, condense } from './condense.ts';
import type { Cursor, Fit, SocketOwner, Stage, Walk } from './cursor.ts';
import { explore } from './explore.ts';
import { NO_CONNECTIONS, type Tracking, untouched } from './tracking.ts';

/** Where a packet begins: a socket of a namespace, or a wire that ends at a device. */
export interface WalkStart {
  readonly from: Place;
  readonly packet: Packet;
  /** The device by which it comes in, from a host outside the cluster; else a local socket sends it. */
  readonly arrivesBy?: string;
  /** The device that a finished frame is put out by, past every hook. */
  readonly leavesBy?: string;
  readonly fit?: Fit;
  /** The socket is not bound to the packet's source address: the route is looked up without it (and gave it). */
  readonly unbound?: boolean;
  /** The kernel itself sends it, and no process: an error, a reset, an echo reply. */
  readonly byKernel?: boolean | 'stack';
  /** The device that the sender's socket is bound to (SO_BINDTODEVICE, socket(7)); `byKernel`: that its route is looked up with. */
  readonly device?: string;
  /** Whether the socket may send to all (SO_BROADCAST, socket(7)); absent: not known, and taken to. */
  readonly broadcast?: boolean;
  /** The socket's mark (SO_MARK, socket(7)). */
  readonly mark?: number;
  /** The user and group of the process that sends it (a socket's, socket(7)); absent: not known. */
  readonly owner?: SocketOwner;
}

/** Walks one packet, without what becomes of the errors that its ends send. */
export function walkFrom(walk: Walk, start: WalkStart, tracking: Tracking = NO_CONNECTIONS): CondensedTrace {
  return walkOn(walk, startCursor(start, tracking));
}

/** Walks a packet on from where it stands. */
export function walkOn(walk: Walk, cursor: Cursor): CondensedTrace {
  return condense(explore(walk, cursor), cursor);
}

function startCursor(start: WalkStart, tracking: Tracking): Cursor {
  const { arrivesBy, packet, mark, owner } = start;
  return {
    place: bare(start.from),
    stage: startStage(start),
    packet,
    // An error comes with the connection of the packet that it is about.
    meta: tracking.current ? { ...untouched(mark), conntrack: 'related' } : untouched(mark),
    tracking,
    path: { local: arrivesBy === undefined, ...(owner ? { owner } : {}) },
    visited: [],
  };
}

/** The very object where it says no more than the namespace: what is known of a place is found by its identity. */
function bare(place: Place): Place {
  if (place.device === undefined && place.object === undefined) return place;
  return { node: place.node, namespace: place.namespace };
}

function startStage({ arrivesBy, leavesBy, fit, unbound, byKernel, broadcast, device }: WalkStart): Stage {
  if (leavesBy !== undefined) return { name: 'transmit', device: leavesBy };
  if (arrivesBy !== undefined) return { name: 'arrive', device: arrivesBy };
  return {
    name: 'output',
    ...(fit ? { fit } : {}),
    ...(unbound ? { open: true } : {}),
    ...(byKernel ? { kernel: byKernel } : {}),
    ...(broadcast === false ? { broadcast } : {}),
    ...(device === undefined ? {} : { device, ...(byKernel ? {} : { bound: true }) }),
  };
}
