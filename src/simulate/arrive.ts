import { placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { type Cursor, go, type Move, type Stage, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { foreignPrograms } from './device-programs.ts';
import { refusedEntry } from './enter-namespace.ts';
import { icmpError, unreachableCode } from './error-packet.ts';
import { atFrameHook } from './frame-hook.ts';
import { linkNamed } from './hook-input.ts';
import { isUp, linkDown } from './link-state.ts';
import { received } from './receive.ts';
import { makeStep, sourceOf } from './steps.ts';

/** A frame comes in by a device (netif_receive_skb): its state, its bridge, its MAC, then IP. */
export function arrive(walk: Walk, start: Cursor): Move {
  if (start.stage.name !== 'arrive') throw new Error('not an arrival');
  const { device, hooked } = start.stage;
  if (hooked) return afterIngress(walk, start, device);
  const refused = refusedEntry(walk, start);
  if (refused) return stop(refused);
  const key = `${visitKey(start, device)} ttl `;
  const cursor = { ...start, visited: [...start.visited, `${key}${start.packet.ip.ttl}`] };
  const former = start.visited.findLast((one) => one.startsWith(key));
  if (former !== undefined) return looped(walk, cursor, device, Number(former.slice(key.length)));
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, device);
  if (!link) {
    const links = snapshot.fact('links', cursor.place);
    if (links.state === 'unseen') return stop(unseenEnd(cursor, links));
    return stop(unknownEnd(cursor, `${device} is not among the devices of this namespace`));
  }
  if (!isUp(link)) return linkDown(snapshot, cursor, link);
  return foreignPrograms(walk, cursor, link, 'ingress', throughIngress(walk, cursor, link, start.stage));
}

/** The ingress hook of nftables, behind tc's (__netif_receive_skb_core). A VRF shows a packet to IP's hooks alone (vrf_ip_rcv). */
function throughIngress(walk: Walk, cursor: Cursor, link: Link, stage: Stage & { readonly name: 'arrive' }): Move {
  if (link.kind === 'vrf') return received(walk, cursor, link);
  const layer = { kind: 'device', device: link.name } as const;
  const after = { ...stage, within: true, hooked: true } as const;
  const at = atFrameHook(walk.world.snapshot, cursor, 'ingress', layer, after);
  return at.stage === after ? received(walk, cursor, link) : go(at);
}

function afterIngress(walk: Walk, cursor: Cursor, device: string): Move {
  const link = linkNamed(walk.world.snapshot, cursor.place, device);
  return link ? received(walk, cursor, link) : stop(unknownEnd(cursor, `${device} was not seen`));
}

function visitKey(cursor: Cursor, device: string): string {
  const { ip, l4, inner } = cursor.packet;
  const flow = 'sourcePort' in l4 ? `${l4.protocol} ${l4.sourcePort} ${l4.destinationPort}` : JSON.stringify(l4);
  return `${placeKey(cursor.place)} ${device} ${ip.source} ${ip.destination} ${flow} ${inner?.ip.destination ?? ''}`;
}

/** Where a rule sets the TTL anew each time there is no end to it, and nobody is told. */
function looped(walk: Walk, cursor: Cursor, device: string, formerTtl: number): Move {
  const links = walk.world.snapshot.fact('links', cursor.place);
  const hasEnd = cursor.packet.ip.ttl < formerTtl;
  const how = hasEnd ? 'until its TTL is used up' : 'without an end, its TTL as it was';
  const step = makeStep({
    kind: 'link',
    at: `arrive ${device}`,
    source: sourceOf(links),
    values: { device, reason: 'loop' },
    text: `the packet comes in by ${device} a second time: it goes round ${how}`,
  });
  if (!hasEnd) return stop({ end: 'loop', cursor, senderSees: 'nothing' }, [step]);
  const [type, code] = unreachableCode(cursor.packet, 'ttl');
  const errorPacket = icmpError(cursor.packet, type, code);
  const link = linkNamed(walk.world.snapshot, cursor.place, device);
  const at: Cursor = { ...cursor, path: { input: link?.bridgePort ? link.master! : device, local: false } };
  return stop(
    { end: 'loop', cursor: at, senderSees: `icmp ${type}/${code}`, ...(errorPacket ? { errorPacket } : {}) },
    [step],
  );
}
