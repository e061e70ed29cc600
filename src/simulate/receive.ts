import type { Packet } from '../net/packet.ts';
import { placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { isSpare } from './bond.ts';
import type { Station } from './cables.ts';
import { defragments } from './conntrack-use.ts';
import { type Cursor, familyAt, go, type Move, type Stage, stop, unknownEnd, type Walk } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { frameOf, isGroup, withTag } from './frame.ts';
import { linkNamed } from './hook-input.ts';
import { ipvlanReceiver } from './ipvlan.ts';
import { linkStep } from './link-state.ts';
import { macvlanReceivers } from './macvlan.ts';
import { ipv6HeaderCheck } from './martian.ts';
import { makeStep, sourceOf } from './steps.ts';
import { topologyOf } from './topology.ts';

type Arriving = Cursor & { readonly stage: Extract<Stage, { name: 'arrive' }> };

/**
 * Who takes a frame that a device received (__netif_receive_skb_core): a VLAN device of its tag, whoever has claimed the
 * device (bridge, bond, macvlan, ipvlan), else this namespace's IP.
 */
export function received(walk: Walk, cursor: Cursor, link: Link): Move {
  const arriving = cursor as Arriving;
  return (
    toVlan(walk, arriving, link) ??
    toMaster(walk, arriving, link) ??
    toStacked(walk, arriving, link) ??
    receiveOn(walk, arriving, link)
  );
}

/** On through another device; the mark stays, even into another namespace. */
function handedTo(cursor: Arriving, { place, link }: Station, isMine: boolean): Cursor {
  const isHere = placeKey(place) === placeKey(cursor.place);
  return {
    ...cursor,
    place,
    path: isHere ? cursor.path : { local: false },
    stage: {
      name: 'arrive',
      device: link.name,
      ...(isHere && { within: true as const }),
      ...(isMine && { mine: true as const }),
      ...(cursor.stage.sabotaged && { sabotaged: true as const }),
    },
  };
}

/** vlan_do_receive; a tag that no device stands for makes the frame one for another host. */
function toVlan(walk: Walk, cursor: Arriving, link: Link): Move | undefined {
  const tag = frameOf(cursor.packet)?.tag;
  if (!tag || tag.id === 0) return undefined;
  const uppers = topologyOf(walk.world.snapshot).cablesOf(cursor.place.node).uppersOf(cursor.place, link);
  const vlan = uppers.find(({ link: one }) => one.vlan?.id === tag.id && one.vlan.protocol === tag.protocol);
  if (vlan) {
    const destination = cursor.packet.macs?.destination;
    const isMine = cursor.stage.mine === true || destination === link.mac || destination === vlan.link.mac;
    return go(handedTo({ ...cursor, packet: withTag(cursor.packet, undefined) }, vlan, isMine));
  }
  if (link.master !== undefined) return undefined;
  const text = `${link.name} has no device for VLAN ${tag.id}: dropped`;
  const step = linkStep(walk.world.snapshot, cursor, link, 'vlan', text);
  return stop({ end: 'not-for-this-mac', cursor, senderSees: 'nothing' }, [step]);
}

function toMaster(walk: Walk, cursor: Arriving, link: Link): Move | undefined {
  const { snapshot } = walk.world;
  const master = linkNamed(snapshot, cursor.place, link.master);
  if (master?.kind === 'bridge' || link.bridgePort) {
    return go({ ...cursor, stage: { name: 'bridge', bridge: link.master ?? '', port: link.name } });
  }
  if (!master || master.kind === 'vrf') return undefined;
  if (master.kind === 'bond' || master.kind === 'team') {
    if (isSpare(link, master)) {
      const text = `${link.name} is the spare port of ${master.name}: what it receives is dropped`;
      const step = linkStep(snapshot, cursor, link, 'spare-port', text);
      return stop({ end: 'link-down', cursor, senderSees: 'nothing' }, [step]);
    }
    const isMine = cursor.packet.macs?.destination === link.mac;
    return go(handedTo(cursor, { place: cursor.place, link: master }, isMine));
  }
  return stop(unknownEnd(cursor, `${link.name} belongs to ${master.name}, a ${master.kind}: not modelled`));
}

/** macvlan_handle_frame, ipvlan_handle_frame. */
function toStacked(walk: Walk, cursor: Arriving, link: Link): Move | undefined {
  const uppers = topologyOf(walk.world.snapshot).cablesOf(cursor.place.node).uppersOf(cursor.place, link);
  const frame = frameOf(cursor.packet);
  if (uppers.length === 0 || !frame) return undefined;
  const taken = macvlanReceivers(uppers, frame);
  if (taken.unsure !== undefined) return stop(unknownEnd(cursor, taken.unsure));
  if (taken.consumed && taken.stations[0]) return go(handedTo(cursor, taken.stations[0], true));
  const ipvlan = ipvlanReceiver(uppers, cursor.packet.ip.destination);
  if (ipvlan?.state === 'unknown') return stop(unknownEnd(cursor, ipvlan.because));
  return ipvlan ? go(handedTo(cursor, ipvlan.station, true)) : undefined;
}

/** A frame for another MAC is dropped by ip_rcv (PACKET_OTHERHOST of eth_type_trans), a promiscuous device's as well. */
function receiveOn(walk: Walk, cursor: Arriving, link: Link): Move {
  const { snapshot } = walk.world;
  const destination = cursor.packet.macs?.destination;
  const isMine =
    cursor.stage.mine === true ||
    destination === undefined ||
    destination === link.mac ||
    isGroup(destination) ||
    link.mac === undefined;
  if (!isMine) return forAnother(walk, cursor, link, destination);
  const path = {
    input: link.name,
    local: false,
    ...(cursor.path.kept && { kept: cursor.path.kept }),
    ...(cursor.path.physicalInput === undefined ? {} : { physicalInput: cursor.path.physicalInput }),
  };
  const master = linkNamed(snapshot, cursor.place, link.master);
  const route: Stage = { name: 'route-input' };
  // A VRF's port shows its packets to the hooks, and then the VRF itself does (vrf_ip_rcv).
  const after: Stage =
    master?.kind === 'vrf' ? { name: 'arrive', device: master.name, within: true, mine: true } : route;
  if (cursor.stage.sabotaged) return go({ ...cursor, packet: putTogether(walk, cursor), path, stage: after });
  const martian = ipv6HeaderCheck(walk, cursor, link.name);
  if (martian) return stop(martian.end!, martian.steps);
  return go({ ...cursor, path, stage: { name: 'hook', hook: 'prerouting', next: 0, after } });
}

/** What br_netfilter has put together IP takes for a packet that was whole (ip_rcv_core and ip6_rcv_core clear frag_max_size). */
function putTogether({ world }: Walk, cursor: Cursor): Packet {
  const { fragmentBytes, ...whole } = cursor.packet;
  const isWhole = fragmentBytes !== undefined && defragments(world.snapshot, cursor.place, familyAt(cursor)) !== 'no';
  return isWhole ? whole : cursor.packet;
}

function forAnother(walk: Walk, cursor: Arriving, link: Link, destination: string): Move {
  const { snapshot } = walk.world;
  const links = snapshot.fact('links', cursor.place);
  const step = makeStep({
    kind: 'link',
    at: `arrive ${link.name}`,
    matched: 'no',
    source: sourceOf(links, `${link.name} ${link.mac}`),
    values: { device: link.name, mac: link.mac, destinationMac: destination, reason: 'other-host' },
    text: `the frame is for ${destination}, ${link.name} has ${link.mac}: dropped`,
  });
  if (!isComplete(links)) {
    return stop(unknownEnd(cursor, `the devices of ${link.name}'s namespace were not seen wholly`), [step]);
  }
  // A macvlan or ipvlan of a namespace that was not looked at may stand on this device.
  const pod = topologyOf(snapshot).podAt(cursor.packet.ip.destination);
  const wants = pod && pod.node === cursor.place.node ? wantsAt(snapshot, pod, cursor) : [];
  const mayBeStacked = wants.length > 0 && cursor.place.namespace === 'host';
  if (mayBeStacked) return stop(unknownEnd(cursor, `whose MAC ${destination} is was not collected`, wants), [step]);
  return stop({ end: 'not-for-this-mac', cursor, senderSees: 'nothing' }, [step]);
}
