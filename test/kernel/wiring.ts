import type { KernelCase } from './case.ts';
import type { Observation } from './judge.ts';
import type { WireEvent } from './wire-event.ts';

export interface Wiring {
  /** `NS/DEVICE` of the devices that a frame passes on its way between namespaces. */
  readonly wires: ReadonlySet<string>;
  /** The other end of a cable. */
  readonly peers: ReadonlyMap<string, string>;
  /** The MAC of a cable's end. */
  readonly macs: ReadonlyMap<string, string>;
  /** Ports of bridges and what macvlans stand on: they take frames for whatever MAC. */
  readonly ports: ReadonlySet<string>;
  /** Of a NIC the macvlans that stand on it. */
  readonly stations: ReadonlyMap<string, ReadonlySet<string>>;
}

const VETH =
  /^link add (?:name )?(?<name>\S+)(?: .*)? type veth peer name (?<peer>\S+)(?: .*?netns @netns:(?<ns>\S+)@)?/;
const MACS = / address (?<here>\S+) type veth peer name \S+ address (?<there>\S+)/;
const MACVLAN =
  /^link add (?:link (?<lower>\S+) )?(?:name )?(?<name>\S+) (?:link \S+ )?.*netns @netns:(?<ns>\S+)@ type macvlan/;
const PORT = /^link set (?:dev )?(\S+) (?:.* )?master \S+/;

export function wiringOf(one: KernelCase): Wiring {
  const wires = new Set<string>();
  const peers = new Map<string, string>();
  const macs = new Map<string, string>();
  const ports = new Set<string>();
  const stations = new Map<string, Set<string>>();
  for (const item of one.items) {
    const port = item.kind === 'ip' || item.kind === 'link' ? PORT.exec(item.line) : null;
    if (port) ports.add(`${item.ns}/${port[1]}`);
    if (item.kind !== 'link') continue;
    const veth = VETH.exec(item.line)?.groups;
    if (veth) {
      const a = `${item.ns}/${veth.name}`;
      const b = `${veth.ns ?? item.ns}/${veth.peer}`;
      wires.add(a).add(b);
      peers.set(a, b).set(b, a);
      const { here, there } = MACS.exec(item.line)?.groups ?? {};
      if (here !== undefined && there !== undefined) macs.set(a, here).set(b, there);
    }
    const macvlan = MACVLAN.exec(item.line)?.groups;
    if (macvlan) {
      const station = `${macvlan.ns}/${macvlan.name}`;
      const lower = `${item.ns}/${macvlan.lower}`;
      wires.add(station);
      ports.add(lower);
      stations.set(lower, new Set([...(stations.get(lower) ?? []), station]));
    }
  }
  return { wires, peers, macs, ports, stations };
}

/**
 * Leaves out what no walk tells of: devices that are not cables, frames for another MAC, and those frames' way out of the
 * bridge that flooded them.
 */
export function worthComparing(seen: Observation, wiring: Wiring): Observation {
  const { wires, peers, ports, stations } = wiring;
  const isForOther = (event: WireEvent): boolean => event.other && !ports.has(`${event.ns}/${event.device}`);
  const flooded = seen.events.filter((event) => isForOther(event) && event.way === 'in');
  const used = new Set<WireEvent>();
  const events = seen.events.filter((event) => {
    if (isForOther(event) || !wires.has(`${event.ns}/${event.device}`)) return false;
    if (event.way !== 'out') return !isBetweenSiblings(event, seen.events, stations);
    const peer = peers.get(`${event.ns}/${event.device}`);
    const twin = flooded.find((one) => !used.has(one) && `${one.ns}/${one.device}` === peer && isSame(one, event));
    if (twin) used.add(twin);
    return !twin && !isLostCopy(event, seen.events, peer, ports) && !isAstray(event, peer, wiring);
  });
  return { ...seen, events };
}

/** From one macvlan to another of the same NIC: its taps see the frame, which does not come in by it (macvlan_queue_xmit). */
function isBetweenSiblings(event: WireEvent, events: readonly WireEvent[], stations: Wiring['stations']): boolean {
  const here = stations.get(`${event.ns}/${event.device}`);
  if (!here || !event.other) return false;
  return events.some((one) => one.way === 'out' && here.has(`${one.ns}/${one.device}`) && isSame(one, event));
}

/** A flooded copy that did not even come in at the other end (too long for it), while another did. */
function isLostCopy(
  event: WireEvent,
  events: readonly WireEvent[],
  peer: string | undefined,
  ports: ReadonlySet<string>,
): boolean {
  const at = (one: WireEvent): string => `${one.ns}/${one.device}`;
  if (!ports.has(at(event)) || events.some((one) => one.way === 'in' && at(one) === peer && isSame(one, event)))
    return false;
  return events.some((one) => {
    return (
      one.way === 'out' &&
      one.ns === event.ns &&
      one.device !== event.device &&
      ports.has(at(one)) &&
      isSame(one, event)
    );
  });
}

/** Flooded by a bridge to a port behind which somebody else is; a frame too long for that end does not even come in there. */
function isAstray({ ns, device, mac }: WireEvent, peer: string | undefined, { macs, ports }: Wiring): boolean {
  if (peer === undefined || !ports.has(`${ns}/${device}`) || ports.has(peer)) return false;
  const there = macs.get(peer)?.replaceAll(':', '');
  const isGroup = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
  return there !== undefined && !isGroup && there !== mac;
}

function isSame(a: WireEvent, b: WireEvent): boolean {
  return (
    a.source === b.source &&
    a.destination === b.destination &&
    a.what === b.what &&
    a.ttl === b.ttl &&
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort
  );
}
