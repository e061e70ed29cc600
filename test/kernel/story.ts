import type { Packet } from '../../src/net/packet.ts';
import type { Place } from '../../src/net/place.ts';
import type { CondensedTrace } from '../../src/simulate/condense.ts';
import type { End } from '../../src/simulate/cursor.ts';
import type { LeafEnd, Step, Trace } from '../../src/simulate/trace.ts';
import type { Connection } from '../../src/simulate/tracking.ts';
import type { Talk } from './conversation.ts';
import { leavingPacket, type Path, pathsOf, stepsOf } from './paths.ts';

/** An event that a walk expects; `maybe` where the walk ends at that very device. */
export interface Expected {
  readonly ns: string;
  readonly device: string;
  readonly way: 'in' | 'out';
  readonly packet: Packet;
  readonly maybe: boolean;
  /** One of several that go the same way: what follows from the first may come before it. */
  readonly later?: true;
}

/** All that one way through a talk says must be seen. */
export interface Story {
  readonly events: readonly Expected[];
  readonly steps: readonly Step[];
  /** Of the packet, of its answer, of TCP's third packet; not of the errors about them. */
  readonly ends: readonly Pick<LeafEnd, 'end' | 'place' | 'senderSees' | 'packet' | 'meta' | 'because'>[];
  /** The walk does not know how it goes on; what it says so far must still hold. */
  readonly isUnknown: boolean;
  readonly because: string;
  /**
   * What follows is not compared: it goes round until its TTL is used up, which is not walked round by round; or it leaves for a
   * host that no namespace stands for, which the walk takes to be there.
   */
  readonly isOpen: boolean;
  /** The entries that the packets of this way leave behind. */
  readonly connections: readonly Connection[];
  /** What rules have added to sets. */
  readonly touched?: readonly string[];
  /** What bridges and neighbours have learnt on this way. */
  readonly learnt: readonly string[];
  /** Whether these are known; else those of the packet before count. */
  readonly isLast?: boolean;
}

/** The namespace of the case that a place stands for. */
export function namespaceOf(place: Place): string {
  return place.namespace === 'host' ? place.node : place.namespace.split('/').at(-1)!;
}

const STORIES_MAX = 20_000;

/** `wires`: `NS/DEVICE` of the devices that frames are watched on. Undefined: too many ways. */
export function storiesOf(talk: Talk, wires: ReadonlySet<string>): readonly Story[] | undefined {
  const paths = pathsOf(talk.walked.trace);
  if (!paths) return undefined;
  const stories: Story[] = [];
  for (const path of paths) {
    if (!path.isPossible) continue;
    const more = continued(talk, path, storyOf(talk, path, wires), wires);
    if (!more || stories.length + more.length > STORIES_MAX) return undefined;
    stories.push(...more);
  }
  return stories;
}

function continued(talk: Talk, path: Path, story: Story, wires: ReadonlySet<string>): readonly Story[] | undefined {
  const { errorTrace } = path.leaf;
  if (errorTrace) {
    const errors = errorStories(errorTrace, talk.walked.errors?.get(path.segment), wires);
    return errors?.map((error) => {
      const arrives = error.ends[0]!.end === 'delivered';
      return { ...together(story, error), ends: toldEnds(story, arrives) };
    });
  }
  const next = talk.next.get(path.segment);
  if (!next) return [story];
  const answers = storiesOf(next, wires);
  return answers?.map((answer) => together(story, answer));
}

/** The ways of an error; a reset can meet an error in its turn. */
function errorStories(
  trace: Trace,
  walked: CondensedTrace | undefined,
  wires: ReadonlySet<string>,
): readonly Story[] | undefined {
  const stories: Story[] = [];
  for (const path of pathsOf(trace) ?? []) {
    if (!path.isPossible) continue;
    const story = { ...ofPath(path, wires), ...leftBy(walked?.ends.get(path.segment)) };
    const { errorTrace } = path.leaf;
    const more = errorTrace && errorStories(errorTrace, walked?.errors?.get(path.segment), wires);
    stories.push(...(more ? more.map((error) => ({ ...together(story, error), ends: story.ends })) : [story]));
  }
  return stories;
}

/** An error that does not arrive is told to nobody. */
function toldEnds({ ends }: Story, arrives: boolean): Story['ends'] {
  return arrives ? ends : [...ends.slice(0, -1), { ...ends.at(-1)!, senderSees: 'nothing' }];
}

function storyOf(talk: Talk, path: Path, wires: ReadonlySet<string>): Story {
  return { ...ofPath(path, wires), ...leftBy(talk.walked.ends.get(path.segment)) };
}

function leftBy(end: End | undefined): Pick<Story, 'connections' | 'touched' | 'learnt' | 'isLast'> {
  const { connections = [], touched } = end?.cursor.tracking ?? {};
  const learnt = end?.cursor.visited ?? [];
  return { connections, ...(touched && { touched }), learnt, isLast: end !== undefined };
}

function ofPath(path: Path, wires: ReadonlySet<string>): Story {
  const { leaf } = path;
  return {
    events: path.hops.flatMap((_, index) => eventsOfHop(path, index, wires)),
    steps: stepsOf(path),
    ends: [leaf],
    isUnknown: leaf.end === 'insufficient-information',
    because: leaf.because ?? '',
    isOpen: leaf.end === 'loop' || leaf.end === 'left-the-cluster',
    connections: [],
    learnt: [],
  };
}

function eventsOfHop(path: Path, index: number, wires: ReadonlySet<string>): Expected[] {
  const hop = path.hops[index]!;
  const ns = namespaceOf(hop.place);
  const isLast = index === path.hops.length - 1;
  // A frame for another MAC is left out of what was seen, and so is its way out of a bridge that flooded it.
  const isForAnother = path.leaf.end === 'not-for-this-mac' && index >= path.hops.length - 2;
  const events: Expected[] = [];
  if (hop.input !== undefined && wires.has(`${ns}/${hop.input}`)) {
    const maybe = isLast && (isForAnother || isLeftToXdp(path));
    events.push(...eachOf({ ns, device: hop.input, way: 'in', packet: hop.packet, maybe }));
  }
  if (hop.output !== undefined && wires.has(`${ns}/${hop.output}`)) {
    const maybe = isLast || isForAnother;
    events.push(...eachOf({ ns, device: hop.output, way: 'out', packet: leavingPacket(path, index), maybe }));
  }
  return events;
}

/** It ends at a program of XDP, which drops before anybody's taps see the frame (__netif_receive_skb_core). */
function isLeftToXdp(path: Path): boolean {
  return path.leaf.end === 'insufficient-information' && stepsOf(path).at(-1)?.values.reason === 'xdp';
}

/** A tunnel's packet may stand for several, one for each fragment of what it carries. */
function eachOf(one: Expected): readonly Expected[] {
  const { series } = one.packet;
  if (!series) return [one];
  const later = { ...one, later: true } as const;
  const last = { ...later, packet: { ...one.packet, lengthBytes: series.lastBytes } };
  return [one, ...Array.from({ length: series.count - 2 }, () => later), last];
}

function together(a: Story, b: Story): Story {
  return {
    events: [...a.events, ...b.events],
    steps: [...a.steps, ...b.steps],
    ends: [...a.ends, ...b.ends],
    isUnknown: a.isUnknown || b.isUnknown,
    because: a.because || b.because,
    isOpen: a.isOpen || b.isOpen,
    isLast: a.isLast === true || b.isLast === true,
    learnt: [...a.learnt, ...b.learnt],
    connections: b.isLast ? b.connections : a.connections,
    ...((b.isLast ? b.touched : a.touched) && { touched: b.isLast ? b.touched : a.touched }),
  };
}
