import { hostOf, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { type Cursor, go, type Move, type Stage, stop, unknownEnd, type Walk } from './cursor.ts';
import { foreignPrograms } from './device-programs.ts';
import { wantsAt } from './enter-namespace.ts';
import { atFrameHook } from './frame-hook.ts';
import { linkNamed } from './hook-input.ts';
import { isUp, linkDown, linkStep } from './link-state.ts';
import { droppedBySize, fitPort } from './mtu.ts';
import { isUnderlay } from './receiving-device.ts';
import { topologyOf } from './topology.ts';
import { release, untouched } from './tracking.ts';
import { throughBond, throughIpvlan, throughMacvlan, throughVlan } from './transmit-stacked.ts';

type Sending = Cursor & { readonly stage: Extract<Stage, { name: 'transmit' }> };

/** A frame goes out by a device (dev_queue_xmit): where it comes out depends on the device's kind. */
export function transmit(walk: Walk, start: Cursor): Move {
  const cursor = start as Sending;
  const { device, bridged, hooked } = cursor.stage;
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, device);
  if (!link) return stop(unknownEnd(cursor, `${device} is not among the devices of this namespace`));
  if (!isUp(link)) return linkDown(snapshot, cursor, link);
  const onward = (fitting: Cursor): Move => throughEgress(walk, fitting as Sending, link);
  return bridged === undefined || hooked ? onward(cursor) : fitPort(walk, cursor, link, bridged, onward);
}

/** The egress hook of nftables, before tc's (__dev_queue_xmit). */
function throughEgress(walk: Walk, cursor: Sending, link: Link): Move {
  if (!cursor.stage.hooked) {
    // The stay has begun already.
    const { enters: _begun, ...stage } = cursor.stage;
    const after = { ...stage, hooked: true } as const;
    const at = atFrameHook(walk.world.snapshot, cursor, 'egress', { kind: 'device', device: link.name }, after);
    if (at.stage !== after) return go(at);
  }
  return foreignPrograms(walk, cursor, link, 'egress', byKind(walk, cursor, link));
}

/** Kinds that take a packet and give it to nobody. */
const DISCARDING: Readonly<Record<string, string>> = {
  dummy: 'a dummy device discards what is sent by it',
  ifb: 'an ifb discards what no tc action has redirected to it',
  nlmon: 'a monitor of netlink carries no packets',
};

function byKind(walk: Walk, cursor: Sending, link: Link): Move {
  const underlay = { ...cursor, stage: { name: 'underlay', device: link.name } } as const;
  switch (link.kind) {
    case 'bridge':
      return go({ ...cursor, stage: { name: 'bridge', bridge: link.name } });
    case 'vxlan':
    case 'geneve':
    case 'wireguard':
    case 'ipip':
    case 'sit':
    case 'gre':
    case 'gretap':
    case 'ip6tnl':
      return go({ ...cursor, stage: { name: 'encapsulate', device: link.name } });
    case 'veth':
      return throughVeth(walk, cursor, link, underlay);
    case 'vlan':
      return throughVlan(walk, cursor, link);
    case 'macvlan':
      return throughMacvlan(walk, cursor, link);
    case 'ipvlan':
      return throughIpvlan(walk, cursor, link);
    case 'bond':
    case 'team':
      return throughBond(walk, cursor, link, underlay);
    case 'tun':
      return toProcess(walk, cursor, link);
    default:
      return byOther(walk, cursor, link, underlay);
  }
}

function byOther(walk: Walk, cursor: Sending, link: Link, underlay: Cursor): Move {
  const why = DISCARDING[link.kind ?? ''];
  if (why !== undefined) {
    const step = linkStep(walk.world.snapshot, cursor, link, 'discards', `${link.name}: ${why}`);
    return stop({ end: 'link-down', cursor, senderSees: 'nothing' }, [step]);
  }
  if (cursor.place.namespace === 'host' && isUnderlay(link)) return go(underlay);
  return stop(unknownEnd(cursor, `${link.name} is a device of kind ${link.kind ?? link.type}: not modelled`));
}

/** A process reads what is sent by a tun or tap device. */
function toProcess(walk: Walk, cursor: Sending, link: Link): Move {
  const links = walk.world.snapshot.fact('links', cursor.place);
  const text = `${link.name} is a ${link.tun?.type ?? 'tun'} device: a process takes the packet`;
  const step = { ...linkStep(walk.world.snapshot, cursor, link, 'process', text), matched: 'yes' as const };
  const because = links.state === 'seen' ? 'what the process does with it is not seen' : '';
  return stop({ end: 'handed-to-userspace', cursor, senderSees: 'nothing', because }, [step]);
}

function throughVeth(walk: Walk, cursor: Sending, link: Link, underlay: Cursor): Move {
  const { snapshot } = walk.world;
  const topology = topologyOf(snapshot);
  const peer = topology.peerOf(cursor.place, link);
  if (peer.state === 'found') {
    const there: Cursor = { ...cursor, place: peer.place };
    if (!isUp(peer.link)) return linkDown(snapshot, there, peer.link);
    return droppedBySize(walk, there, peer.link) ?? go(crossed(cursor, peer.place, peer.link.name));
  }
  if (peer.state === 'missing') {
    const text = `the other end of ${link.name} (index ${link.peerIndex}) is not in its host's namespace`;
    const step = linkStep(snapshot, cursor, link, 'peer-missing', text);
    return stop({ end: 'link-down', cursor, senderSees: 'nothing' }, [step]);
  }
  if (cursor.place.namespace !== 'host') {
    const wants = wantsAt(snapshot, hostOf(cursor.place.node), cursor);
    return stop(unknownEnd(cursor, `where ${link.name} leads was not collected`, wants));
  }
  const pod = topology.podAt(cursor.packet.ip.destination);
  if (pod && pod.node === cursor.place.node) {
    const wants = wantsAt(snapshot, pod, cursor);
    if (wants.length > 0) return stop(unknownEnd(cursor, `the pod behind ${link.name} was not looked at`, wants));
    if (!hasGlobalAddress(link)) return stop(unknownEnd(cursor, `whose end of ${link.name} it is, is not known`));
  }
  if (link.master !== undefined) return stop(unknownEnd(cursor, `whose end of ${link.name} it is, is not known`));
  // A host that is itself a container has its NIC as a veth.
  return go(underlay);
}

/** A NIC has one; a pod's veth has at most a link-local or a gateway's. */
function hasGlobalAddress(link: Link): boolean {
  return link.addresses.some((address) => address.scope === 'global');
}

/** Between namespaces mark and connection stay behind (skb_scrub_packet); within one, the mark is kept. */
export function crossed(cursor: Cursor, place: Cursor['place'], device: string): Cursor {
  const isSame = placeKey(cursor.place) === placeKey(place);
  return {
    ...cursor,
    place,
    meta: untouched(isSame ? cursor.meta.mark : 0),
    tracking: release(cursor.tracking),
    path: { local: false },
    stage: { name: 'arrive', device },
  };
}
