import type { Address } from '../net/address.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Neighbour } from '../parse/ip-neigh.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { Question } from './bridge-proxy.ts';
import { type Cursor, go, type Move, type Stage, stop, unknownEnd, unseenEnd, type Walk, type Way } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { BROADCAST } from './frame.ts';
import { atFrameHook } from './frame-hook.ts';
import { linkNamed } from './hook-input.ts';
import { keptRoute } from './kept-route.ts';
import { isUp, linkDown, noCarrier } from './link-state.ts';
import { fitOutput } from './mtu.ts';
import { segmentOwner, wantsOf } from './neighbour.ts';
import { entryFor, isFixed, isValid } from './neighbour-entry.ts';
import { heardMac, withHeard } from './neighbour-learning.ts';
import { questionFor } from './neighbour-question.ts';
import type { SegmentOwner } from './segment-owner.ts';
import type { Interruption } from './segment-search.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';
import { both, UNDECIDED } from './truth.ts';
import { withError } from './with-error.ts';

/** After postrouting (ip_finish_output2): fragments, then the next hop's MAC, then the device. */
export function finish(walk: Walk, cursor: Cursor): Move {
  return fitOutput(walk, cursor, (fitting) => resolved(walk, fitting));
}

function resolved(walk: Walk, cursor: Cursor): Move {
  const device = cursor.path.output ?? '';
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, device);
  if (device === 'lo' && (!link || link.flags.includes('UP'))) return go(byLoopback(walk, cursor));
  if (!link) return stop(unknownEnd(cursor, `${device} is not among the devices of this namespace`));
  // A device that is down has lost its neighbours: its state is what to tell.
  if (!link.flags.includes('UP')) return linkDown(snapshot, cursor, link);
  if (link.type !== 'ether') return go({ ...cursor, stage: { name: 'transmit', device } });
  const group = groupMac(cursor);
  if (group !== undefined) return go(framed(cursor, link, group));
  const address = cursor.path.route?.hop?.via ?? cursor.packet.ip.destination;
  return withNeighbour(walk, cursor, link, address);
}

/** Loopback keeps mark, connection and route (loopback_xmit). */
function byLoopback(walk: Walk, cursor: Cursor): Cursor {
  const { snapshot } = walk.world;
  const layer = { kind: 'device', device: 'lo' } as const;
  const hook: Stage = { name: 'hook', hook: 'prerouting', next: 0, after: { name: 'route-input' } };
  const ingress = atFrameHook(snapshot, cursor, 'ingress', layer, hook).stage;
  const path = { input: 'lo', local: false, ...keptRoute(cursor) };
  return atFrameHook(snapshot, { ...cursor, path }, 'egress', layer, ingress);
}

/** Broadcast and multicast need nobody's answer (arp_mc_map, ndisc_mc_map; RFC 1112 §6.4, RFC 2464 §7). */
function groupMac(cursor: Cursor): string | undefined {
  const { type } = cursor.path.route ?? {};
  const { destination } = cursor.packet.ip;
  if (type === 'broadcast' || destination === '255.255.255.255') return BROADCAST;
  if (type !== 'multicast') return undefined;
  return destination.includes(':') ? '33:33:00:00:00:00' : '01:00:5e:00:00:00';
}

interface Asking {
  readonly walk: Walk;
  readonly cursor: Cursor;
  readonly link: Link;
  readonly address: Address;
  readonly question: Question;
  readonly owner: SegmentOwner;
  /** Of the table's entry; '' where there is none. */
  readonly state: string;
}

/**
 * A valid entry decides (neigh_resolve_output), else whoever answers for the address on the segment. By a stale entry that is
 * wrong packets are sent for some seconds more (delay_first_probe_time, then ucast_solicit questions), until asking again has
 * mended or removed it: which of the two holds for a packet, time decides.
 */
function withNeighbour(walk: Walk, cursor: Cursor, link: Link, address: Address): Move {
  const { snapshot } = walk.world;
  const entry = entryFor(snapshot, cursor.place, link.name, address);
  const station = { place: cursor.place, link };
  const question = questionFor(snapshot, cursor.place, link, address, cursor.packet.ip.source);
  const owner = segmentOwner(walk, station, question);
  const asking: Asking = { walk, cursor, link, address, question, owner, state: entry?.states[0] ?? '' };
  const heard = entry && isFixed(entry) ? undefined : heardMac(walk, cursor, link, address);
  if (heard !== undefined && isUp(link)) {
    return sent(asking, heard, tell(asking, 'entry', heard, `${address} is at ${heard}, as its own question has told`));
  }
  if (entry?.mac === undefined || !isValid(entry)) return withoutEntry(asking);
  const kind = isFixed(entry) ? ' (permanent)' : '';
  if (isTrusted(entry, owner)) {
    return sent(asking, entry.mac, tell(asking, 'entry', entry.mac, `${address} is at ${entry.mac}${kind}`));
  }
  const text = `${address} is at ${entry.mac} (${asking.state}), until it is asked about again`;
  const ways = [sent(asking, entry.mac, tell(asking, 'entry', entry.mac, text)), withoutEntry(asking)];
  const perhaps = (way: Way): Way => ({ ...way, chance: both(way.chance, UNDECIDED) });
  return { fork: 'undecided', ways: ways.flatMap((move) => move.ways.map(perhaps)) };
}

/** What asking comes to. */
function withoutEntry(asking: Asking): Move {
  const { walk, cursor, link, owner } = asking;
  const { snapshot } = walk.world;
  if (link.flags.includes('NOARP')) {
    // Nobody is asked: the device's own MAC stands for all (arp_constructor, ndisc_constructor).
    return sent(asking, link.mac, tell(asking, 'owner', link.mac, `${link.name} asks nobody: sent to its own MAC`));
  }
  if (!isUp(link)) return noCarrier(snapshot, cursor, link);
  const table = snapshot.fact('neighbours', cursor.place);
  // An entry that was not read may name the MAC: tunnels live of such.
  if (owner.state === 'nobody' && !isComplete(table)) {
    if (table.state === 'unseen') return stop(unseenEnd(cursor, table));
    return stop(unknownEnd(cursor, `the neighbours of ${cursor.place.node} were not read wholly`));
  }
  return asked(asking);
}

/** A stale entry is asked about as soon as it is used; if that shows another holder, or none, it is none to rely on. */
function isTrusted(entry: Neighbour, owner: SegmentOwner): boolean {
  if (isFixed(entry) || entry.states.includes('REACHABLE') || owner.state === 'unknown') return true;
  return owner.state === 'owner' && (owner.mac === undefined || owner.mac === entry.mac);
}

function asked(asking: Asking): Move {
  const { cursor, link, address, owner, state } = asking;
  if (owner.state === 'owner') {
    const step = tell(
      asking,
      owner.proxy ? 'proxy' : 'owner',
      owner.mac,
      `${address} is at ${owner.mac ?? 'a MAC that was not seen'}`,
    );
    if (state !== 'FAILED' || owner.place.node === cursor.place.node) return sent(asking, owner.mac, step, true);
    // What lies between the nodes is not seen: the holder is there, and yet the last request had no answer.
    const text = `${address} did not answer on ${link.name} before (FAILED), though ${owner.place.node} holds it`;
    return sent(asking, owner.mac, { ...step, matched: 'unknown', text }, true);
  }
  if (owner.state === 'unknown') return unsure(asking, owner);
  const asker = owner.heardBy ? withHeard(cursor, link, asking.question, owner.heardBy) : cursor;
  const why = owner.because === undefined ? '' : `: ${owner.because}`;
  const text = `nobody on ${link.name} answers for ${address}, so it can't be resolved${why}`;
  const isFiltered = owner.interruption?.what === 'rule';
  const step = tell(asking, 'owner', undefined, text, isFiltered ? 'filtered' : 'no-owner');
  if (owner.interruption === undefined) return stop(unresolved(asker), [step]);
  const { interruption } = owner;
  const end = ENDS[interruption.what];
  const because = interruption.text;
  return stop({ ...withError(asker, end, 'host'), place: interruption.place, because }, [
    step,
    ...(interruption.steps ?? [interruptionStep(asking.walk, interruption)]),
  ]);
}

const ENDS = { link: 'link-down', bridge: 'bridge-blocked', rule: 'dropped-by-rule' } as const;

function interruptionStep({ world }: Walk, interruption: Interruption): Step {
  const { place, link, what, reason, text, bridge } = interruption;
  const isBridge = what === 'bridge';
  return makeStep({
    kind: isBridge ? 'bridge' : 'link',
    at: isBridge ? `bridge ${bridge}` : `device ${link.name}`,
    matched: 'no',
    source: sourceOf(
      world.snapshot.fact('links', place),
      `${link.name}: <${link.flags.join(',')}> state ${link.operstate}`,
    ),
    values: {
      ...(isBridge
        ? { bridge, port: link.name, state: link.bridgePort?.state, isolated: link.bridgePort?.isolated }
        : { device: link.name, up: link.flags.includes('UP'), carrier: !link.flags.includes('NO-CARRIER') }),
      operstate: isBridge ? undefined : link.operstate,
      reason,
    },
    text,
  });
}

function unsure(asking: Asking, owner: Extract<SegmentOwner, { state: 'unknown' }>): Move {
  const { walk, cursor, link, address, state } = asking;
  const wants = wantsOf(owner, (place) => wantsAt(walk.world.snapshot, place, cursor));
  if (wants.length > 0) {
    return stop(unknownEnd(cursor, `who holds ${address} on ${link.name} was not collected`, wants));
  }
  if (state === 'FAILED') {
    const text = `${address} did not answer on ${link.name} (FAILED)`;
    return stop(unresolved(cursor), [tell(asking, 'entry', undefined, text, 'failed')]);
  }
  if (owner.because !== undefined) {
    return stop(unknownEnd(cursor, `who answers for ${address} on ${link.name} is not known: ${owner.because}`));
  }
  const text = `${address} is no host of the cluster; it is assumed to answer on ${link.name}`;
  return sent(asking, undefined, { ...tell(asking, 'assumed', undefined, text), matched: 'unknown' });
}

function tell(asking: Asking, by: string, mac: string | undefined, text: string, reason?: string): Step {
  const { walk, cursor, link, address, owner, state } = asking;
  const { snapshot } = walk.world;
  const ownerMac = owner.state === 'owner' ? owner.mac : undefined;
  const entry = entryFor(snapshot, cursor.place, link.name, address);
  return makeStep({
    kind: 'neighbour',
    at: `neighbour ${link.name}`,
    matched: reason === undefined ? 'yes' : 'no',
    source: sourceOf(snapshot.fact('neighbours', cursor.place), entry?.text),
    values: { device: link.name, address, mac, state, by, ownerMac, reason },
    text,
  });
}

function sent(asking: Asking, mac: string | undefined, step: Step, justAsked = false): Move {
  const { cursor, link, question, owner } = asking;
  const isHeard = justAsked && owner.state === 'owner';
  const known = isHeard ? withHeard(cursor, link, question, owner) : cursor;
  return go(framed(known, link, mac, justAsked), [step]);
}

/** Local senders and forwarded ones are told by ICMP host unreachable (arp_error_report, ndisc_error_report). */
function unresolved(cursor: Cursor): ReturnType<typeof withError> {
  return withError(cursor, 'neighbour-unresolved', 'host');
}

function framed(cursor: Cursor, link: Link, mac: string | undefined, justAsked = false): Cursor {
  const stage = { name: 'transmit', device: link.name } as const;
  if (mac !== undefined && link.mac !== undefined) {
    const macs = { source: link.mac, destination: mac };
    const packet = { ...cursor.packet, macs: justAsked ? { ...macs, asked: true as const } : macs };
    return { ...cursor, packet, stage };
  }
  const { macs: _former, ...packet } = cursor.packet;
  return { ...cursor, packet, stage };
}
