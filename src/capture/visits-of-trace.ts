import { placeKey } from '../net/place.ts';
import type { Hop, LeafEnd, Trace } from '../simulate/trace.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Tuple, tupleOf, type Visit } from './visit.ts';

/** One way through a trace, from its root to one of its ends. */
export interface TraceWay {
  readonly leaf: number;
  readonly visits: readonly Visit[];
  /** How many of the visits the walk says are made; the device that a packet was on its way to when it died is not. */
  readonly made: number;
  readonly end: LeafEnd;
}

/** Ways of one trace that are told apart; the rest of a Service's backends fares like one of these. */
const WAYS_MAX = 16;

/** The ways through a trace with the devices that the packet passes on each, in order. */
export function waysOfTrace(trace: Trace, snapshot: Snapshot): TraceWay[] {
  const ways: TraceWay[] = [];
  const follow = (segment: number, before: readonly Hop[], seen: ReadonlySet<number>): void => {
    const here = trace.segments[segment];
    if (!here || seen.has(segment) || ways.length >= WAYS_MAX) return;
    const hops = [...before, ...here.hops];
    const { then } = here;
    if ('end' in then) {
      ways.push({ leaf: segment, end: then, ...visitsOf(joined(hops), then, snapshot) });
      return;
    }
    for (const { segment: next } of then.to) follow(next, hops, new Set([...seen, segment]));
  };
  follow(0, [], new Set());
  return ways;
}

/** Stays that a fork cut into pieces, whole again. */
function joined(hops: readonly Hop[]): Hop[] {
  const whole: Hop[] = [];
  for (const hop of hops) {
    const last = whole.at(-1);
    if (!hop.continues || !last) {
      whole.push(hop);
      continue;
    }
    const { input, ...rest } = last;
    const entered = input ?? hop.input;
    whole[whole.length - 1] = {
      ...rest,
      ...(entered !== undefined && { input: entered }),
      ...(hop.output !== undefined && { output: hop.output }),
      steps: [...last.steps, ...hop.steps],
    };
  }
  return whole;
}

function visitsOf(hops: readonly Hop[], end: LeafEnd, snapshot: Snapshot): Pick<TraceWay, 'visits' | 'made'> {
  const visits: Visit[] = [];
  let made = 0;
  for (const [at, hop] of hops.entries()) {
    const next = hops[at + 1];
    const goesThroughStack = hop.steps.some(({ kind }) => kind === 'route') || next === undefined;
    const entering = goesThroughStack ? entriesOf(hop, leavingTuple(hop, next, end), snapshot) : entriesOf(hop);
    visits.push(...entering);
    made = visits.length;
    const leaving = goesThroughStack ? exitsOf(hop, next, end, snapshot) : exitsOf(hop, next, end);
    visits.push(...leaving);
    // A stay that nothing follows is left only by what goes to where nobody looks.
    if (next || end.end === 'left-the-cluster') made = visits.length;
  }
  return { visits, made: isTurnedAway(visits[made - 1], hops.at(-1), end) ? made - 1 : made };
}

/**
 * Not in by the last device: a frame for another MAC; and a bridge's own, where the frame ends in the bridge, or at the
 * PREROUTING of br_netfilter, which comes before it (br_nf_pre_routing).
 */
function isTurnedAway(last: Visit | undefined, hop: Hop | undefined, { end }: LeafEnd): boolean {
  if (last?.way !== 'in') return false;
  if (end === 'not-for-this-mac') return true;
  const isBridge = hop?.input !== undefined && hop.input !== last.device;
  return isBridge && (end === 'bridge-blocked' || !hop.steps.some(({ kind }) => kind === 'route'));
}

function entriesOf(hop: Hop, leaving?: Tuple, snapshot?: Snapshot): Visit[] {
  if (hop.input === undefined) return [];
  const { place, input } = hop;
  const tuple = tupleOf(hop.packet);
  const port: Visit = { place, device: input, way: 'in', tuple };
  const bridge = snapshot && masterOf(input, hop, snapshot);
  if (bridge === undefined) return [port];
  // With br_netfilter PREROUTING's translation comes before the bridge's own device (br_nf_pre_routing, br_pass_frame_up).
  const also = leaving && withDestination(tuple, leaving);
  return [port, { place, device: bridge, way: 'in', tuple, ...(also && { also }) }];
}

function withDestination(tuple: Tuple, { destination, destinationPort }: Tuple): Tuple {
  return { ...tuple, destination, ...(destinationPort !== undefined && { destinationPort }) };
}

/** What left this stay is what the next one begins with; a tunnel's device shows the packet before it is wrapped. */
function leavingTuple(hop: Hop, next: Hop | undefined, end: LeafEnd): Tuple {
  return tupleOf(next && isWrapping(hop, next) ? next.packet.inner! : (next?.packet ?? end.packet));
}

function exitsOf(hop: Hop, next: Hop | undefined, end: LeafEnd, snapshot?: Snapshot): Visit[] {
  if (hop.output === undefined) return [];
  const { place, output } = hop;
  const tuple = leavingTuple(hop, next, end);
  const bridge = snapshot && masterOf(output, hop, snapshot);
  return [...(bridge === undefined ? [] : [bridge]), output].map((device) => ({ place, device, way: 'out', tuple }));
}

/** The next stay is the outer packet's, in the same namespace. */
function isWrapping(hop: Hop, next: Hop): boolean {
  return next.input === undefined && next.packet.inner !== undefined && placeKey(next.place) === placeKey(hop.place);
}

/** The bridge that the device is a port of. */
function masterOf(device: string, { place }: Hop, snapshot: Snapshot): string | undefined {
  const links = snapshot.fact('links', place);
  if (links.state === 'unseen') return undefined;
  const master = links.value.find(({ name }) => name === device)?.master;
  return links.value.find(({ name }) => name === master)?.kind === 'bridge' ? master : undefined;
}
