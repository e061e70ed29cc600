import type { Request } from '../host/host.ts';
import { type Address, type Family, familyOf } from '../net/address.ts';
import type { Meta, Packet } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot, Unseen } from '../snapshot/snapshot.ts';
import type { DatapathGate } from './datapath.ts';
import type { HookLayer, HookName } from './hook.ts';
import type { RouteFound } from './routes.ts';
import type { Chance, Disposition, Fork, SenderSees, Step, Trace } from './trace.ts';
import type { Tracking } from './tracking.ts';
import { both, CERTAIN, UNDECIDED } from './truth.ts';
import type { Tuple } from './tuple.ts';

export interface World {
  readonly snapshot: Snapshot;
  readonly gate: DatapathGate;
  /** 'all': rules that were passed over become steps as well (`matched: 'no'`); it changes nothing else of the walk. */
  readonly record?: 'all';
}

/** What stays the same through a walk. */
export interface Walk {
  readonly world: World;
  /** The client's own socket or, for a client outside the cluster, the tuple that it waits for. Set on the way back. */
  readonly expect?: { readonly place?: Place; readonly tuple: Tuple; readonly device?: string };
  /** What bridges and neighbours learnt from the packets before, such as the one that is answered (`Cursor.visited` at their ends). */
  readonly learnt?: readonly string[];
  /** Walks a packet beside this one, with the errors about it (aside.ts). */
  readonly aside?: (cursor: Cursor) => Trace;
}

/**
 * What a sender makes of a packet that its own device does not carry: an application may cut its answer short; the kernel's
 * own, and a datagram of a socket that was not told otherwise (IP_PMTUDISC_WANT, ip(7)), goes in pieces.
 */
export type Fit = 'cut' | 'pieces';

/** Where in the kernel a packet stands: what is done to it next. */
export type Stage =
  /** A local socket, or a tunnel of the kernel's, sends it. `fit`: what becomes of a packet that is longer than its MTU; absent: it is refused or cut as it says itself. */
  | {
      readonly name: 'output';
      readonly fit?: Fit;
      /** The socket is not bound to the packet's source address: its route is looked up without it. */
      readonly open?: boolean;
      /** The kernel itself sends it, and no process; `stack`: TCP or ICMP do, from an address of this host alone. */
      readonly kernel?: boolean | 'stack';
      /** It is a process's socket that may not send to all (without SO_BROADCAST, socket(7)). */
      readonly broadcast?: false;
      /** It is a process's socket that is bound to `device`. */
      readonly bound?: boolean;
      /** A tunnel's outer packet: the device that it must leave by, and the mark that it is routed by. */
      readonly device?: string;
      readonly routeMark?: number;
    }
  /** A frame comes in by a device. */
  | {
      readonly name: 'arrive';
      readonly device: string;
      /** From a device of this namespace that has handed it up: no new stay begins. */
      readonly within?: true;
      /** Its prerouting has been run in the bridge already (ip_sabotage_in). */
      readonly sabotaged?: true;
      /** For this host whatever its MAC (PACKET_HOST). */
      readonly mine?: true;
      /** It has passed the device's ingress hook. */
      readonly hooked?: true;
    }
  /** A frame is in a bridge; without `port` the host itself put it in. */
  | {
      readonly name: 'bridge';
      readonly bridge: string;
      readonly port?: string;
      readonly hooked?: boolean;
      readonly before?: string;
      /** How far it has come through the prerouting hook of the bridge's own chains: those before br_netfilter, all. */
      readonly passed?: 'first' | 'all';
      /** Chains of a lower priority run before br_netfilter: 1 also those of its own priority, whose order can't be read back. */
      readonly edge?: 0 | 1;
    }
  | {
      readonly name: 'hook';
      readonly hook: HookName;
      /** A device's or a bridge's hook, not IP's. */
      readonly layer?: HookLayer;
      readonly next: number;
      readonly after: Stage;
    }
  | { readonly name: 'route-input' }
  | { readonly name: 'reroute' }
  | { readonly name: 'deliver' }
  /** After the postrouting hook: size, neighbour. */
  | { readonly name: 'finish' }
  | {
      readonly name: 'transmit';
      readonly device: string;
      /** Handed down by a device of another namespace: a new stay begins. */
      readonly enters?: true;
      /** Put out by a bridge, after the IP hooks or without. */
      readonly bridged?: 'hooked' | 'plain';
      /** It has passed the device's egress hook. */
      readonly hooked?: true;
    }
  | { readonly name: 'underlay'; readonly device: string }
  | { readonly name: 'encapsulate'; readonly device: string };

export interface SocketOwner {
  readonly uid?: number;
  readonly gid?: number;
}

/** Devices and the route of the packet within its present namespace. */
export interface Path {
  readonly input?: string;
  readonly output?: string;
  readonly physicalInput?: string;
  readonly physicalOutput?: string;
  readonly route?: RouteFound;
  /** The route that a packet keeps through `lo` or a tunnel to this host itself, where it leads on (kept-route.ts). */
  readonly kept?: RouteFound;
  /** Sent by a socket of this namespace. */
  readonly local: boolean;
  /** The tunnel device that made it, which its packets still bear after routing (iptunnel_xmit, udp_tunnel_xmit_skb). */
  readonly sentBy?: string;
  /** No socket of this namespace stands behind it (skb->sk): the tunnel has wrapped what came from elsewhere. */
  readonly isOrphan?: true;
  /** The device that this socket is bound to. */
  readonly bound?: string;
  /** Whose socket that is, where the question told it (`-m owner`, `meta skuid`). */
  readonly owner?: SocketOwner;
  /** The packet and mark by which the output hook has it routed anew (ip_route_me_harder). */
  readonly reroute?: { readonly packet: Packet; readonly mark: number };
  /** The socket of this namespace that TPROXY has given the packet to (skb->sk). */
  readonly tproxy?: { readonly address?: Address; readonly port?: number };
  /** A rule has given it a template of a connection, which tracking then takes (nf_ct_tmpl_alloc). */
  readonly hasTemplate?: boolean;
  /** ipvs has dealt with it in this namespace and does so once (skb->ipvs_property). */
  readonly ipvs?: boolean;
}

export interface Cursor {
  readonly place: Place;
  readonly stage: Stage;
  readonly packet: Packet;
  readonly meta: Meta;
  readonly tracking: Tracking;
  readonly path: Path;
  /** Arrivals so far, to see a loop; no part of what makes two cursors equal. */
  readonly visited: readonly string[];
  /** What would tell more, though the walk goes on without it; no part of what makes two cursors equal. */
  readonly wants?: readonly Request[];
}

export type AtHook = Cursor & { readonly stage: Extract<Stage, { name: 'hook' }> };

export interface End {
  readonly end: Disposition;
  readonly cursor: Cursor;
  readonly senderSees: SenderSees;
  readonly because?: string;
  readonly wants?: readonly Request[];
  readonly errorPacket?: Packet;
  /** The device that the socket which took it is bound to, or the VRF whose answers it gives: so are its answers. */
  readonly boundTo?: string;
  /** Where the fault lies that ends it, where that is elsewhere: the packet is not sent since nobody can answer there. */
  readonly place?: Place;
}

export interface Way {
  readonly chance: Chance;
  readonly steps: readonly Step[];
  readonly to: Cursor | End;
}

/** What one stage makes of a packet. Several ways are a fork. */
export interface Move {
  readonly fork?: Fork['fork'];
  readonly ways: readonly Way[];
}

export type StageFunction = (walk: Walk, cursor: Cursor) => Move;

export function isEnd(to: Cursor | End): to is End {
  return 'end' in to;
}

export function go(to: Cursor, steps: readonly Step[] = []): Move {
  return { ways: [{ chance: CERTAIN, steps, to }] };
}

export function stop(end: End, steps: readonly Step[] = []): Move {
  return { ways: [{ chance: CERTAIN, steps, to: end }] };
}

export function familyAt(cursor: Cursor): Family {
  return familyOf(cursor.packet.ip.destination);
}

/** The walk can't go on since something is not known; it is no statement about the packet. */
export function unknownEnd(cursor: Cursor, because: string, wants: readonly Request[] = []): End {
  return { end: 'insufficient-information', cursor, senderSees: 'nothing', because, wants };
}

export function unseenEnd(cursor: Cursor, unseen: Unseen): End {
  const wants = unseen.gap === 'not-asked' ? [unseen.want] : [];
  return unknownEnd(cursor, `${unseen.want.action}: ${unseen.detail} (${unseen.gap})`, wants);
}

/** The routes were not read wholly: what was found may not be what the kernel finds. */
export function perhapsOtherwise(move: Move, cursor: Cursor, cut: string | undefined): Move {
  if (cut === undefined) return move;
  const ways = move.ways.map((way): Way => ({ ...way, chance: both(way.chance, UNDECIDED) }));
  const because = `the routes of ${cursor.place.namespace === 'host' ? cursor.place.node : cursor.place.namespace} were not read wholly: ${cut}`;
  return { fork: 'undecided', ways: [...ways, { chance: UNDECIDED, steps: [], to: unknownEnd(cursor, because) }] };
}

/** Puts `steps` before those of every way. */
export function prefixed(steps: readonly Step[], move: Move): Move {
  if (steps.length === 0) return move;
  return { ...move, ways: move.ways.map((way) => ({ ...way, steps: [...steps, ...way.steps] })) };
}
