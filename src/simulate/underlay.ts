import type { Address } from '../net/address.ts';
import { hostOf, type Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { type Cursor, go, type Move, prefixed, stop, unknownEnd, type Walk } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { linkNamed } from './hook-input.ts';
import { linkStep } from './link-state.ts';
import { droppedBySize, exceedingStep } from './mtu.ts';
import { entryFor } from './neighbour-entry.ts';
import { isUnderlay, receivingDevice } from './receiving-device.ts';
import { type StackedHolder, stackedHolder } from './stacked-holder.ts';
import { makeStep, sourceAt, sourceOf } from './steps.ts';
import { topologyOf } from './topology.ts';
import type { Step } from './trace.ts';
import { release, untouched } from './tracking.ts';
import { formatEnd, reversed, sameTuple, tupleOf } from './tuple.ts';

/** A frame leaves by a NIC: to the host that holds the next hop, through routers that we do not see, or out of the cluster. */
export function underlay(walk: Walk, cursor: Cursor): Move {
  if (cursor.stage.name !== 'underlay') throw new Error('not on the underlay');
  const { snapshot } = walk.world;
  const topology = topologyOf(snapshot);
  const { device } = cursor.stage;
  const { packet } = cursor;
  const hop = cursor.path.route?.hop?.via ?? packet.ip.destination;
  const neighbours = topology.hostsAt(hop).filter((place) => place.node !== cursor.place.node);
  const reflected = toItself(walk, cursor, device);
  if (reflected) return reflected;
  const holder = neighbours[0] ?? holderOfMac(walk, cursor);
  if (holder) return onSegment(walk, cursor, holder, hop, device);
  const stacked = stackedHolder(snapshot, hop);
  if (stacked && stacked.nic.place.node !== cursor.place.node) return toStacked(walk, cursor, stacked);
  if (topology.missing.length > 0) {
    return stop(unknownEnd(cursor, 'who the addresses belong to was not collected', topology.missing));
  }
  const behind = topology.hostsAt(packet.ip.destination).find((place) => place.node !== cursor.place.node);
  if (behind) return throughRouters(walk, cursor, behind, packet.ip.destination, hop);
  const pod = topology.podAt(packet.ip.destination);
  if (pod) return barePodAddress(walk, cursor, pod, hop);
  return leftTheCluster(walk, cursor, hop);
}

/** What a macvlan sends to its own host's MAC goes out, and no switch sends it back. */
function toItself(walk: Walk, cursor: Cursor, device: string): Move | undefined {
  const { snapshot } = walk.world;
  const nic = linkNamed(snapshot, cursor.place, device);
  const { macs } = cursor.packet;
  if (macs === undefined || nic?.mac === undefined || macs.destination !== nic.mac || macs.source === nic.mac) {
    return undefined;
  }
  const text = `the frame is for ${device} itself, by which it leaves: nothing sends it back`;
  const step = linkStep(snapshot, cursor, nic, 'other-host', text);
  return stop({ end: 'not-for-this-mac', cursor, senderSees: 'nothing' }, [step]);
}

/** To the NIC under a macvlan, ipvlan or VLAN device of another node's pod. */
function toStacked(walk: Walk, cursor: Cursor, { station, nic }: StackedHolder): Move {
  const unseen = notLookedAt(walk, cursor, nic.place);
  if (unseen) return unseen;
  const { macs } = cursor.packet;
  const mac = station.link.mac;
  const known = macs ?? (mac === undefined ? undefined : { source: '', destination: mac });
  const packet = known === undefined ? cursor.packet : { ...cursor.packet, macs: known };
  return received(walk, { ...cursor, packet }, nic.place, nic.link);
}

function onSegment(walk: Walk, cursor: Cursor, holder: Place, hop: Address, device: string): Move {
  const { snapshot } = walk.world;
  const unseen = notLookedAt(walk, cursor, holder);
  if (unseen) return unseen;
  const sender = linkNamed(snapshot, cursor.place, device);
  const target = byMac(walk, cursor, holder) ?? receivingDevice(snapshot, holder, sender, hop);
  if (!target) return stop(unknownEnd(cursor, `by which device ${holder.node} receives ${hop} is not known`));
  const wrong = wrongMac(walk, cursor, target.mac, hop, device);
  return wrong ?? received(walk, cursor, holder, target);
}

/** The node whose NIC the frame is for, where its next hop is nobody's address: a route `onlink` with a neighbour that was set. */
function holderOfMac(walk: Walk, cursor: Cursor): Place | undefined {
  const { snapshot } = walk.world;
  if (cursor.packet.macs === undefined) return undefined;
  const others = snapshot.nodes().filter((node) => node !== '' && node !== cursor.place.node);
  return others.map(hostOf).find((place) => byMac(walk, cursor, place) !== undefined);
}

/** The holder's device that the frame is for, where that is a NIC of its own. */
function byMac(walk: Walk, cursor: Cursor, holder: Place): Link | undefined {
  const mac = cursor.packet.macs?.destination;
  const links = walk.world.snapshot.fact('links', holder);
  if (mac === undefined || links.state === 'unseen') return undefined;
  const topology = topologyOf(walk.world.snapshot);
  return links.value.find((link) => {
    const isPodsCable = link.kind === 'veth' && topology.peerOf(holder, link).state === 'found';
    return link.mac === mac && isUnderlay(link) && link.master === undefined && !isPodsCable;
  });
}

/** A veth drops frames over its own MTU; what a NIC does with them is its driver's affair, and only said. */
function received(walk: Walk, cursor: Cursor, holder: Place, target: Link): Move {
  const there = go(arriving(cursor, holder, target.name));
  if (target.kind === 'veth') return droppedBySize(walk, { ...cursor, place: holder }, target) ?? there;
  const exceeding = exceedingStep(walk, cursor, holder, target);
  return exceeding ? prefixed([exceeding], there) : there;
}

/** A permanent entry with a MAC that is not the holder's: the frame goes to another host of the segment, or to nobody. */
function wrongMac(walk: Walk, cursor: Cursor, mac: string | undefined, hop: Address, device: string): Move | undefined {
  const { snapshot } = walk.world;
  const asked = cursor.packet.macs?.destination;
  if (asked === undefined || mac === undefined || asked === mac) return undefined;
  const entry = entryFor(snapshot, cursor.place, device, hop);
  const other = hostWithMac(walk, cursor.place.node, asked);
  if (other) return go(arriving(cursor, other.place, other.device));
  const step = makeStep({
    kind: 'neighbour',
    at: `neighbour ${device}`,
    matched: 'no',
    source: sourceOf(snapshot.fact('neighbours', cursor.place), entry?.text),
    values: {
      device,
      address: hop,
      mac: asked,
      ownerMac: mac,
      state: entry?.states[0] ?? '',
      by: 'entry',
      reason: 'wrong-mac',
    },
    text: `the frame goes to ${asked}, but ${hop} is at ${mac}: nobody takes it`,
  });
  return stop({ end: 'not-for-this-mac', cursor, senderSees: 'nothing' }, [step]);
}

function hostWithMac(
  walk: Walk,
  except: string,
  mac: string,
): { readonly place: Place; readonly device: string } | undefined {
  const { snapshot } = walk.world;
  for (const node of snapshot.nodes().filter((one) => one !== except)) {
    const links = snapshot.fact('links', hostOf(node));
    const link = links.state === 'seen' ? links.value.find((one) => one.mac === mac && isUnderlay(one)) : undefined;
    if (link) return { place: hostOf(node), device: link.name };
  }
  return undefined;
}

function notLookedAt(walk: Walk, cursor: Cursor, holder: Place): Move | undefined {
  const { snapshot } = walk.world;
  const links = snapshot.fact('links', holder);
  if (links.state === 'seen') return undefined;
  const wants = links.gap === 'not-asked' ? wantsAt(snapshot, holder, cursor) : [];
  return stop(unknownEnd(cursor, `the node ${holder.node} was not looked at: ${links.detail}`, wants));
}

/** Routers between the nodes are not collected; that they carry packets between node addresses is assumed and said. */
function throughRouters(walk: Walk, cursor: Cursor, holder: Place, address: Address, hop: Address): Move {
  const unseen = notLookedAt(walk, cursor, holder);
  if (unseen) return unseen;
  const target = receivingDevice(walk.world.snapshot, holder, undefined, address);
  if (!target) return stop(unknownEnd(cursor, `by which device ${holder.node} receives ${address} is not known`));
  const text = `the router ${hop} is assumed to carry it to ${holder.node}: what lies between is not seen`;
  const { macs: _firstHop, ...packet } = cursor.packet;
  return go(arriving({ ...cursor, packet }, holder, target.name), [assumedStep(walk, cursor, text, hop, 'unknown')]);
}

function barePodAddress(walk: Walk, cursor: Cursor, pod: Place, hop: Address): Move {
  const { gate, snapshot } = walk.world;
  const destination = cursor.packet.ip.destination;
  switch (gate.podAddressesRoutable) {
    case 'no': {
      if (!topologyOf(snapshot).complete)
        return stop(unknownEnd(cursor, `whether ${hop} is a node is not known: not all were listed`));
      const text = `${destination} is a pod's address, which the network behind ${hop} does not carry`;
      const step = assumedStep(walk, cursor, text, hop, 'yes');
      return stop({ end: 'left-the-cluster', cursor, senderSees: 'nothing' }, [step]);
    }
    case 'unknown': {
      const because = `whether the network behind ${hop} carries pods' addresses is not known`;
      return stop(unknownEnd(cursor, because), [assumedStep(walk, cursor, because, hop, 'unknown')]);
    }
    case 'yes': {
      const host = hostOf(pod.node);
      const address = topologyOf(snapshot).addressesOfNode(pod.node)[0];
      if (address === undefined) return stop(unknownEnd(cursor, `no address of the node ${pod.node} is known`));
      return throughRouters(walk, cursor, host, address, hop);
    }
  }
}

function leftTheCluster(walk: Walk, cursor: Cursor, hop: Address): Move {
  const { packet } = cursor;
  if (walk.expect && walk.expect.place === undefined) return towardsClient(walk, cursor, hop);
  const text = `${packet.ip.source} leaves for ${packet.ip.destination} by ${hop}, which is none of the cluster's hosts`;
  const step = assumedStep(walk, cursor, text, hop, 'yes');
  return stop({ end: 'left-the-cluster', cursor, senderSees: 'nothing', because: 'what is outside is not seen' }, [
    step,
  ]);
}

/** The answer to a client outside: it must come from where the client sent to. */
function towardsClient(walk: Walk, cursor: Cursor, hop: Address): Move {
  const { tuple } = walk.expect!;
  const { packet } = cursor;
  const about = 'about' in packet.l4 ? packet.l4.about : undefined;
  const isMine = about ? sameTuple(tupleOf(about), reversed(tuple)) : sameTuple(tupleOf(packet), tuple);
  const port = 'sourcePort' in packet.l4 ? packet.l4.sourcePort : undefined;
  const from = formatEnd(packet.ip.source, port);
  const text = isMine
    ? `the answer leaves for the client by ${hop}`
    : `the answer leaves as ${from}, but the client asked ${formatEnd(tuple.source, port === undefined ? undefined : tuple.sourcePort)}`;
  const step = assumedStep(walk, cursor, text, hop, isMine ? 'yes' : 'no');
  const end = isMine ? 'left-the-cluster' : 'reply-not-matched';
  return stop({ end, cursor, senderSees: isMine ? 'reply' : 'nothing' }, [step]);
}

function assumedStep(walk: Walk, cursor: Cursor, text: string, hop: Address, matched: Step['matched']): Step {
  const links = walk.world.snapshot.fact('links', cursor.place);
  return makeStep({
    kind: 'link',
    at: 'underlay',
    matched,
    source: links.state === 'seen' ? links.source : sourceAt(cursor.place, 'links'),
    values: {
      device: cursor.path.output,
      reason: 'underlay',
      via: hop,
      source: cursor.packet.ip.source,
      destination: cursor.packet.ip.destination,
    },
    text,
  });
}

function arriving(cursor: Cursor, place: Place, device: string): Cursor {
  return {
    ...cursor,
    place,
    meta: untouched(),
    tracking: release(cursor.tracking),
    path: { local: false },
    stage: { name: 'arrive', device },
  };
}
