import type { Address } from '../net/address.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { type Cursor, go, type Move, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { linkNamed } from './hook-input.ts';
import { isUp, linkDown, noCarrier } from './link-state.ts';
import { fitOutput } from './mtu.ts';
import { entryFor, type SegmentOwner, segmentOwner, wantsOf } from './neighbour.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';
import { withError } from './with-error.ts';

/** After postrouting (ip_finish_output2): fragments, then the next hop's MAC, then the device. */
export function finish(walk: Walk, cursor: Cursor): Move {
  return fitOutput(walk, cursor, (fitting) => resolved(walk, fitting));
}

function resolved(walk: Walk, cursor: Cursor): Move {
  const device = cursor.path.output ?? '';
  if (device === 'lo') return go(byLoopback(cursor));
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, device);
  if (!link) return stop(unknownEnd(cursor, `${device} is not among the devices of this namespace`));
  // A device that is down has lost its neighbours: its state is what to tell.
  if (!link.flags.includes('UP')) return linkDown(snapshot, cursor, link);
  if (!isUp(link) && needsNeighbour(link)) return noCarrier(snapshot, cursor, link);
  if (!needsNeighbour(link)) return go({ ...cursor, stage: { name: 'transmit', device } });
  const address = cursor.path.route?.hop?.via ?? cursor.packet.ip.destination;
  return withNeighbour(walk, cursor, link, address);
}

/** Loopback keeps mark, connection and route (loopback_xmit). */
function byLoopback(cursor: Cursor): Cursor {
  return {
    ...cursor,
    path: { input: 'lo', local: false },
    stage: { name: 'hook', hook: 'prerouting', next: 0, after: { name: 'route-input' } },
  };
}

function needsNeighbour(link: Link): boolean {
  return link.type === 'ether' && !link.flags.includes('NOARP');
}

const USABLE = new Set(['REACHABLE', 'STALE', 'DELAY', 'PROBE', 'PERMANENT', 'NOARP']);

/**
 * A permanent entry decides. Otherwise whoever holds the address on the segment answers; an entry of the table stands
 * in where that can't be told, and a failed one where nobody is known to.
 */
function withNeighbour(walk: Walk, cursor: Cursor, link: Link, address: Address): Move {
  const { snapshot } = walk.world;
  const entry = entryFor(snapshot, cursor.place, link.name, address);
  const state = entry?.states[0] ?? '';
  const owner = segmentOwner(snapshot, cursor.place, link, address);
  const ownerMac = owner.state === 'owner' ? owner.mac : undefined;
  const tell = (by: string, mac: string | undefined, text: string, reason?: string): Step =>
    makeStep({
      kind: 'neighbour',
      at: `neighbour ${link.name}`,
      matched: reason === undefined ? 'yes' : 'no',
      source: sourceOf(snapshot.fact('neighbours', cursor.place), entry?.text),
      values: { device: link.name, address, mac, state, by, ownerMac, reason },
      text,
    });
  const send = (mac: string | undefined, step: Step): Move => go(framed(cursor, link, mac), [step]);
  const isFixed = entry?.states.some((one) => one === 'PERMANENT' || one === 'NOARP') ?? false;
  if (isFixed && entry?.mac !== undefined) {
    return send(entry.mac, tell('entry', entry.mac, `${address} is at ${entry.mac} (permanent)`));
  }
  if (owner.state === 'owner') {
    const by = owner.proxy ? 'proxy' : entry?.mac === ownerMac && USABLE.has(state) ? 'entry' : 'owner';
    const step = tell(by, ownerMac, `${address} is at ${ownerMac ?? 'a MAC that was not seen'}`);
    if (state !== 'FAILED' || owner.place.node === cursor.place.node) return send(ownerMac, step);
    // What lies between the nodes is not seen: the holder is there, and yet the last request had no answer.
    const text = `${address} did not answer on ${link.name} before (FAILED), though ${owner.place.node} holds it`;
    return send(ownerMac, { ...step, matched: 'unknown', text });
  }
  if (entry?.mac !== undefined && USABLE.has(state)) {
    return send(entry.mac, tell('entry', entry.mac, `${address} is at ${entry.mac}`));
  }
  const table = snapshot.fact('neighbours', cursor.place);
  if (owner.state === 'nobody' && !isComplete(table)) {
    // An entry that was not read may name the MAC: tunnels live of such.
    if (table.state === 'unseen') return stop(unseenEnd(cursor, table));
    return stop(unknownEnd(cursor, `the neighbours of ${cursor.place.node} were not read wholly`));
  }
  if (owner.state === 'nobody') {
    const step = tell('owner', undefined, `nobody on ${link.name} holds ${address}: it can't be resolved`, 'no-owner');
    return stop(unresolved(cursor), [step]);
  }
  return unsure(walk, cursor, link, address, owner, state, tell, send);
}

function unsure(
  walk: Walk,
  cursor: Cursor,
  link: Link,
  address: Address,
  owner: SegmentOwner,
  state: string,
  tell: (by: string, mac: string | undefined, text: string, reason?: string) => Step,
  send: (mac: string | undefined, step: Step) => Move,
): Move {
  const wants = wantsOf(owner, (place) => wantsAt(walk.world.snapshot, place, cursor));
  if (wants.length > 0)
    return stop(unknownEnd(cursor, `who holds ${address} on ${link.name} was not collected`, wants));
  if (state === 'FAILED') {
    const step = tell('entry', undefined, `${address} did not answer on ${link.name} (FAILED)`, 'failed');
    return stop(unresolved(cursor), [step]);
  }
  const assumed = tell(
    'assumed',
    undefined,
    `${address} is no host of the cluster; it is assumed to answer on ${link.name}`,
  );
  return send(undefined, { ...assumed, matched: 'unknown' });
}

/** Local senders and forwarded ones are told by ICMP host unreachable (arp_error_report). */
function unresolved(cursor: Cursor): ReturnType<typeof withError> {
  return withError(cursor, 'neighbour-unresolved', 'host');
}

function framed(cursor: Cursor, link: Link, mac: string | undefined): Cursor {
  const { macs: _former, ...packet } = cursor.packet;
  const macs = mac === undefined || link.mac === undefined ? {} : { macs: { source: link.mac, destination: mac } };
  return { ...cursor, packet: { ...packet, ...macs }, stage: { name: 'transmit', device: link.name } };
}
