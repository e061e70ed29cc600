import { type Place, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { activeSlave, usableSlaves } from './bond.ts';
import type { Peer, Station } from './cables.ts';
import { type Cursor, go, type Move, stop, unknownEnd, type Walk, type Way } from './cursor.ts';
import { frameOf, withTag } from './frame.ts';
import { ipvlanReceiver } from './ipvlan.ts';
import { isUp, linkDown, linkStep } from './link-state.ts';
import { macvlanSiblings } from './macvlan.ts';
import { droppedBySize } from './mtu.ts';
import { topologyOf } from './topology.ts';
import { release, untouched } from './tracking.ts';
import { chanceOf } from './truth.ts';

/* Devices that stand on others: what is sent by them goes out by those. */

function lowerOf(walk: Walk, cursor: Cursor, link: Link): Peer {
  return topologyOf(walk.world.snapshot).cablesOf(cursor.place.node).lowerOf(cursor.place, link);
}

function withoutLower(walk: Walk, cursor: Cursor, link: Link, lower: Peer): Move {
  if (lower.state === 'missing') {
    const text = `the device that ${link.name} stands on is gone`;
    const step = linkStep(walk.world.snapshot, cursor, link, 'peer-missing', text);
    return stop({ end: 'link-down', cursor, senderSees: 'nothing' }, [step]);
  }
  return stop(unknownEnd(cursor, `what ${link.name} stands on is not known`));
}

/** vlan_dev_hard_start_xmit: the tag is put on; mark and connection stay with the packet. */
export function throughVlan(walk: Walk, cursor: Cursor, link: Link): Move {
  const lower = lowerOf(walk, cursor, link);
  if (lower.state !== 'found') return withoutLower(walk, cursor, link, lower);
  if (!link.vlan) return stop(unknownEnd(cursor, `the VLAN of ${link.name} was not seen`));
  if (frameOf(cursor.packet)?.tag) {
    return stop(unknownEnd(cursor, `a second VLAN tag (${link.name} upon another) is not modelled`));
  }
  const packet = withTag(cursor.packet, { id: link.vlan.id, protocol: link.vlan.protocol });
  return go(bySame({ ...cursor, packet }, lower));
}

function bySame(cursor: Cursor, { place, link }: Station): Cursor {
  const stage = { name: 'transmit', device: link.name } as const;
  if (placeKey(place) === placeKey(cursor.place)) return { ...cursor, stage };
  const { input: _input, physicalInput: _port, ...path } = cursor.path;
  return { ...cursor, place, path, stage: { ...stage, enters: true } };
}

/** macvlan_queue_xmit: to another one in bridge mode directly, else out by the lower device. */
export function throughMacvlan(walk: Walk, cursor: Cursor, link: Link): Move {
  const lower = lowerOf(walk, cursor, link);
  if (lower.state !== 'found') return withoutLower(walk, cursor, link, lower);
  const { snapshot } = walk.world;
  const destination = frameOf(cursor.packet)?.destination;
  // A MAC that was not seen is none of the siblings', whose devices were.
  if (destination === undefined) return go(bySame(cursor, lower));
  const [sibling] = macvlanSiblings(snapshot, { place: cursor.place, link }, lower, destination);
  if (!sibling) return go(bySame(cursor, lower));
  const there = { ...cursor, place: lower.place };
  if (!isUp(lower.link)) return linkDown(snapshot, there, lower.link);
  return droppedBySize(walk, there, lower.link) ?? go(handedOver(cursor, lower.place, sibling));
}

/** dev_forward_skb to the lower device: its namespace decides what stays with the packet. */
function handedOver(cursor: Cursor, lower: Place, { place, link }: Station): Cursor {
  const isSame = placeKey(cursor.place) === placeKey(lower);
  return {
    ...cursor,
    place,
    meta: untouched(isSame ? cursor.meta.mark : 0),
    tracking: release(cursor.tracking),
    path: { local: false },
    stage: { name: 'arrive', device: link.name, mine: true },
  };
}

/**
 * ipvlan_queue_xmit: to a sibling that has the address; otherwise in mode l2 out by the lower device, in l3 and l3s by the
 * routing of the lower device's namespace.
 */
export function throughIpvlan(walk: Walk, cursor: Cursor, link: Link): Move {
  const lower = lowerOf(walk, cursor, link);
  if (lower.state !== 'found') return withoutLower(walk, cursor, link, lower);
  const { mode, flag } = link.ipvlan ?? { mode: 'unknown', flag: 'unknown' };
  const uppers = topologyOf(walk.world.snapshot).cablesOf(lower.place.node).uppersOf(lower.place, lower.link);
  const others = uppers.filter((one) => one.link.name !== link.name || placeKey(one.place) !== placeKey(cursor.place));
  const macs = cursor.packet.macs;
  const isOwnMac = macs !== undefined && macs.source === macs.destination;
  const sibling =
    flag !== 'vepa' && (mode !== 'l2' || isOwnMac) ? ipvlanReceiver(others, cursor.packet.ip.destination) : undefined;
  if (sibling?.state === 'found') {
    if (flag !== 'private') return go(handedOver(cursor, lower.place, sibling.station));
    const step = linkStep(
      walk.world.snapshot,
      cursor,
      link,
      'private',
      `${link.name} is private: its siblings do not get it`,
    );
    return stop({ end: 'bridge-blocked', cursor, senderSees: 'nothing' }, [step]);
  }
  if (mode === 'l2') {
    const isForLower = isOwnMac && flag !== 'vepa';
    return go(isForLower ? handedOver(cursor, lower.place, lower) : bySame(cursor, lower));
  }
  if (mode !== 'l3' && mode !== 'l3s')
    return stop(unknownEnd(cursor, `the mode ${mode} of ${link.name} is not modelled`));
  return go(routedBelow(cursor, lower));
}

/** ipvlan_process_outbound: sent by the lower device's namespace, with its rules for what is its own. */
function routedBelow(cursor: Cursor, { place, link }: Station): Cursor {
  const { macs: _macs, ...packet } = cursor.packet;
  const mark = placeKey(place) === placeKey(cursor.place) ? cursor.meta.mark : 0;
  return {
    ...cursor,
    place,
    packet,
    meta: untouched(mark),
    tracking: release(cursor.tracking),
    path: { local: true },
    stage: { name: 'output', device: link.name },
  };
}

/** The active port of a bond; of several that share the load, any. NICs all lead to the same network. */
export function throughBond(walk: Walk, cursor: Cursor, bond: Link, underlay: Cursor): Move {
  const { snapshot } = walk.world;
  const { place } = cursor;
  const active = activeSlave(snapshot, place, bond);
  const slaves = active ? [active] : bond.bond?.mode === 'active-backup' ? [] : usableSlaves(snapshot, place, bond);
  if (slaves.length === 0) {
    const step = linkStep(snapshot, cursor, bond, 'no-carrier', `${bond.name} has no port that can send`);
    return stop({ end: 'link-down', cursor, senderSees: 'nothing' }, [step]);
  }
  const topology = topologyOf(snapshot);
  const paired = slaves.filter((slave) => topology.peerOf(place, slave).state !== 'unknown');
  if (paired.length === 0) return go(underlay);
  const ways = slaves.map((slave): Way => {
    return { chance: chanceOf(1 / slaves.length), steps: [], to: bySame(cursor, { place, link: slave }) };
  });
  return ways.length === 1 ? { ways } : { fork: 'multipath', ways };
}
