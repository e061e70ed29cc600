import type { WirePacket } from '../wire/wire-packet.ts';
import { isAbout } from './packet-key.ts';
import { conversationKey, type Sighting } from './sighting.ts';

/** All that was seen of one connection or exchange, on every device and by whatever addresses. */
export interface SeenConversation {
  /** In order of time. */
  readonly sightings: readonly Sighting[];
  /** Whether the packet goes the way of the conversation's first one. */
  readonly leg: (sighting: Sighting) => 'there' | 'back';
}

/**
 * Puts sightings together: those of the same packet on several devices, those of the same addresses and ports on one device, and
 * ICMP errors with what they quote. So a connection stays one whatever NAT makes of its addresses on the way.
 */
export function conversationsOf(sightings: readonly Sighting[]): SeenConversation[] {
  const groups = new Groups();
  const errors = sightings.filter(({ key }) => key.includes(' about '));
  for (const sighting of sightings) {
    groups.join(packetNode(sighting), isError(sighting) ? packetNode(sighting) : tupleNode(sighting));
  }
  for (const error of errors) {
    const quoted = sightings.find((one) => !isError(one) && isAbout(error.key, one.key));
    if (quoted) groups.join(packetNode(error), packetNode(quoted));
  }
  const byGroup = Map.groupBy(sightings, (sighting) => groups.of(packetNode(sighting)));
  return [...byGroup.values()].map((members) => ({ sightings: members, leg: legsOf(members) }));
}

const isError = ({ key }: Sighting): boolean => key.includes(' about ');
const packetNode = ({ key }: Sighting): string => `packet ${key}`;
const tupleNode = ({ point, packet }: Sighting): string => `point ${point} ${conversationKey(packet)}`;

/** Disjoint sets by name. */
class Groups {
  private readonly parents = new Map<string, string>();

  of(name: string): string {
    let root = name;
    for (let next = this.parents.get(root); next !== undefined; next = this.parents.get(root)) root = next;
    let at = name;
    while (at !== root) {
      const next = this.parents.get(at)!;
      this.parents.set(at, root);
      at = next;
    }
    return root;
  }

  join(one: string, other: string): void {
    const [a, b] = [this.of(one), this.of(other)];
    if (a !== b) this.parents.set(b, a);
  }
}

/**
 * Which packets go the opener's way. It is known of the opener itself, hence of every packet with its addresses on a device that it
 * passed, hence of their other sightings; an ICMP error goes against what it quotes.
 */
function legsOf(members: readonly Sighting[]): SeenConversation['leg'] {
  const opener = members.find(({ packet }) => opens(packet)) ?? members.find((one) => !isError(one)) ?? members[0]!;
  const ofPacket = new Map<string, 'there' | 'back'>([[opener.key, 'there']]);
  const thereAt = new Map<string, string>();
  const plain = members.filter((one) => !isError(one));
  for (let before = -1; before !== ofPacket.size; ) {
    before = ofPacket.size;
    for (const sighting of plain) {
      const tuple = tupleNode(sighting);
      const leg = ofPacket.get(sighting.key);
      const direction = directionOf(sighting.packet);
      const there = thereAt.get(tuple);
      if (leg !== undefined && there === undefined) {
        thereAt.set(tuple, leg === 'there' ? direction : oppositeOf(sighting.packet));
      } else if (leg === undefined && there !== undefined) {
        ofPacket.set(sighting.key, there === direction ? 'there' : 'back');
      }
    }
  }
  return ({ key }) => {
    if (!key.includes(' about ')) return ofPacket.get(key) ?? 'there';
    const quoted = [...ofPacket].find(([one]) => isAbout(key, one));
    return quoted?.[1] === 'back' ? 'there' : 'back';
  };
}

/** A SYN, or an echo request. */
function opens({ l4 }: WirePacket): boolean {
  if (l4?.protocol === 'tcp') return l4.flags.includes('syn') && !l4.flags.includes('ack');
  return (l4?.protocol === 'icmp' && l4.type === 8) || (l4?.protocol === 'icmpv6' && l4.type === 128);
}

function directionOf({ ip, l4 }: WirePacket): string {
  const ports = l4 && 'sourcePort' in l4 ? [l4.sourcePort, l4.destinationPort] : echoSide(l4);
  return `${ip.source} ${ports[0]} ${ip.destination} ${ports[1]}`;
}

function oppositeOf({ ip, l4 }: WirePacket): string {
  const ports = l4 && 'sourcePort' in l4 ? [l4.sourcePort, l4.destinationPort] : echoSide(l4);
  return `${ip.destination} ${ports[1]} ${ip.source} ${ports[0]}`;
}

/** Pings have no ports; where both ends are one address the kind of message tells the direction. */
function echoSide(l4: WirePacket['l4']): readonly [string, string] {
  const asks = l4 && 'type' in l4 && (l4.type === 8 || l4.type === 128);
  return asks ? ['asks', 'answers'] : ['answers', 'asks'];
}
