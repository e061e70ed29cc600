import { placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { type Cursor, go, type Move, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { foreignPrograms } from './device-programs.ts';
import { refusedEntry } from './enter-namespace.ts';
import { icmpError, unreachableCode } from './error-packet.ts';
import { linkNamed } from './hook-input.ts';
import { isUp, linkDown } from './link-state.ts';
import { makeStep, sourceOf } from './steps.ts';

/** A frame comes in by a device (netif_receive_skb): its state, its bridge, its MAC, then IP. */
export function arrive(walk: Walk, start: Cursor): Move {
  if (start.stage.name !== 'arrive') throw new Error('not an arrival');
  const { device } = start.stage;
  const refused = refusedEntry(walk, start);
  if (refused) return stop(refused);
  const cursor = { ...start, visited: [...start.visited, visitKey(start, device)] };
  if (start.visited.includes(cursor.visited.at(-1)!)) return looped(walk, cursor, device);
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, device);
  if (!link) {
    const links = snapshot.fact('links', cursor.place);
    if (links.state === 'unseen') return stop(unseenEnd(cursor, links));
    return stop(unknownEnd(cursor, `${device} is not among the devices of this namespace`));
  }
  if (!isUp(link)) return linkDown(snapshot, cursor, link);
  const move = received(walk, cursor, link);
  return foreignPrograms(walk, cursor, link, 'ingress', move);
}

function visitKey(cursor: Cursor, device: string): string {
  const { ip, l4, inner } = cursor.packet;
  return JSON.stringify([placeKey(cursor.place), device, ip.source, ip.destination, l4, inner?.ip.destination ?? null]);
}

function looped(walk: Walk, cursor: Cursor, device: string): Move {
  const links = walk.world.snapshot.fact('links', cursor.place);
  const step = makeStep({
    kind: 'link',
    at: `arrive ${device}`,
    source: sourceOf(links),
    values: { device, reason: 'loop' },
    text: `the packet comes in by ${device} a second time: it goes round until its TTL is used up`,
  });
  const [type, code] = unreachableCode(cursor.packet, 'ttl');
  const errorPacket = icmpError(cursor.packet, type, code);
  return stop({ end: 'loop', cursor, senderSees: `icmp ${type}/${code}`, ...(errorPacket ? { errorPacket } : {}) }, [
    step,
  ]);
}

function received(walk: Walk, cursor: Cursor, link: Link): Move {
  const { snapshot } = walk.world;
  const master = link.master === undefined ? undefined : linkNamed(snapshot, cursor.place, link.master);
  if (master?.kind === 'bridge' || link.bridgePort) {
    return go({ ...cursor, stage: { name: 'bridge', bridge: link.master ?? '', port: link.name } });
  }
  if (master && (master.kind === 'bond' || master.kind === 'team')) {
    return go({ ...cursor, stage: { name: 'arrive', device: master.name } });
  }
  if (master) return stop(unknownEnd(cursor, `${link.name} belongs to ${master.name}, a ${master.kind}: not modelled`));
  return receiveOn(walk, cursor, link);
}

/** eth_type_trans: a frame for another MAC is dropped by ip_rcv. */
export function receiveOn(walk: Walk, cursor: Cursor, link: Link): Move {
  const destination = cursor.packet.macs?.destination;
  const links = walk.world.snapshot.fact('links', cursor.place);
  const isMine =
    destination === undefined || destination === link.mac || isGroup(destination) || link.mac === undefined;
  if (!isMine) {
    const step = makeStep({
      kind: 'link',
      at: `arrive ${link.name}`,
      matched: 'no',
      source: sourceOf(links, `${link.name} ${link.mac}`),
      values: { device: link.name, mac: link.mac, destinationMac: destination, reason: 'other-host' },
      text: `the frame is for ${destination}, ${link.name} has ${link.mac}: dropped`,
    });
    if (!isComplete(links))
      return stop(unknownEnd(cursor, `the devices of ${link.name}'s namespace were not seen wholly`), [step]);
    return stop({ end: 'not-for-this-mac', cursor, senderSees: 'nothing' }, [step]);
  }
  const path = {
    input: link.name,
    local: false,
    ...(cursor.path.physicalInput === undefined ? {} : { physicalInput: cursor.path.physicalInput }),
  };
  const received: Cursor = {
    ...cursor,
    path,
    stage: { name: 'hook', hook: 'prerouting', next: 0, after: { name: 'route-input' } },
  };
  return go(received);
}

function isGroup(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}
