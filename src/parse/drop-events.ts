import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: the line `print fmt:` of the tracepoint skb:kfree_skb, which lists this kernel's names of reasons; a line `filter:`;
 * then what the program of capture/drop-program.ts says: `W` (watching), `D …` (one dropped packet), `X …` (why it ended), and
 * bpftrace's own `Lost N events`, `Attaching N probes...`.
 * Source of truth: include/trace/events/skb.h, include/net/dropreason-core.h, capture/drop-program.ts.
 * Versions seen: bpftrace 0.17 on Linux 6.18.
 * Not understood: reasons of subsystems (mac80211, Open vSwitch), which the tracepoint has no names for; they stay numbers.
 */

/** A packet of the flow that the kernel dropped. */
export interface DropEvent {
  /** Nanoseconds since the node's start. */
  readonly atNs: bigint;
  /** Which of the filter's terms it is of. */
  readonly term: number;
  /** It goes the other way than the term says. */
  readonly isTurned: boolean;
  /** How the flow's packet was found: itself, inside of a tunnel's packet, or quoted by an ICMP error, which is what was dropped. */
  readonly as: 'itself' | 'tunnelled' | 'quoted';
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The kernel's name, without SKB_DROP_REASON_; a number where it has none. */
  readonly reason: string;
  /** The kernel function that dropped it. */
  readonly function: string;
  /** Inode of the network namespace; 0 where nothing tells. */
  readonly namespace: number;
  readonly device?: string;
}

export interface DropEvents {
  readonly events: readonly DropEvent[];
  readonly isWatched: boolean;
  /** Why it ended before somebody asked for it. */
  readonly ended?: 'time' | 'events' | 'rate';
  /** Events that found no room. */
  readonly lost: number;
}

export function parseDropEvents(text: string): Parsed<DropEvents> {
  const lines = text.split('\n');
  const names = reasonNames(lines.find((line) => line.startsWith('print fmt:')) ?? '');
  const events: DropEvent[] = [];
  const unparsed: UnparsedLine[] = [];
  let [isWatched, lost, ended]: [boolean, number, DropEvents['ended']] = [false, 0, undefined];
  lines.forEach((line, index) => {
    const event = line.startsWith('D ') ? parseDropEvent(line, names) : undefined;
    const lostWords = /^Lost (?<count>\d+) events$/.exec(line)?.groups;
    if (event) events.push(event);
    else if (line === 'W') isWatched = true;
    else if (line === 'X time' || line === 'X events' || line === 'X rate')
      ended = line.slice(2) as NonNullable<DropEvents['ended']>;
    else if (lostWords) lost += Number(lostWords['count']);
    else if (!isSaid(line)) unparsed.push({ line: index + 1, text: line });
  });
  const value = { events: events.toSorted(byTime), isWatched, lost, ...(ended !== undefined && { ended }) };
  return { value, unparsed };
}

function isSaid(line: string): boolean {
  return line.trim() === '' || /^(print fmt:|filter: |Attaching \d+ probes\.\.\.$)/.test(line);
}

/** `__print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, …)`. */
function reasonNames(format: string): ReadonlyMap<string, string> {
  const list = /REC->reason,(?<list>.*)$/.exec(format)?.groups?.['list'] ?? '';
  return new Map([...list.matchAll(/\{ (\d+), "(\w+)" \}/g)].map(([, number, name]) => [number!, name!]));
}

const EVENT =
  /^D (?<at>\d+) (?<term>\d+) (?<turned>[01]) (?<as>[012]) (?<a>\d+) (?<b>\d+) (?<reason>\d+) (?<receiver>\d+) (?<of>\d+) (?<route>\d+) (?<socket>\d+) \d+ (?<index>-?\d+) (?<device>.*?) (?<outIndex>-?\d+) (?<out>.*?) ?(?<function>\w+)$/;

const FOUND_AS = ['itself', 'tunnelled', 'quoted'] as const;

/** One line `D …`; without the kernel's names its reason is a number. */
export function parseDropEvent(line: string, names: ReadonlyMap<string, string> = new Map()): DropEvent | undefined {
  const words = EVENT.exec(line)?.groups;
  if (!words) return undefined;
  const [receiver, of, route, socket] = ['receiver', 'of', 'route', 'socket'].map((key) => Number(words[key]));
  const device =
    deviceOf(words['device']!, words['index']!, of!) ?? deviceOf(words['out']!, words['outIndex']!, route!);
  return {
    atNs: BigInt(words['at']!),
    term: Number(words['term']),
    isTurned: words['turned'] === '1',
    as: FOUND_AS[Number(words['as'])]!,
    sourcePort: Number(words['a']),
    destinationPort: Number(words['b']),
    reason: names.get(words['reason']!) ?? words['reason']!,
    function: words['function']!,
    // A receiving socket is sure; `dev` is other data once a datagram waits for its reader (skb->dev_scratch); a sender's socket
    // goes with the packet into the next namespace (skb_scrub_packet).
    namespace: receiver || of || route || socket || 0,
    ...(device !== undefined && { device }),
  };
}

/** A device in no namespace is none: the field held something else. */
function deviceOf(name: string, index: string, namespace: number): string | undefined {
  return namespace !== 0 && Number(index) > 0 && /^[^\s/:]{1,15}$/.test(name) ? name : undefined;
}

/** Each processor has a buffer of its own. */
function byTime(a: DropEvent, b: DropEvent): number {
  return a.atNs < b.atNs ? -1 : a.atNs > b.atNs ? 1 : 0;
}
