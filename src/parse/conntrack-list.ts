import { type Address, parseAddress } from '../net/address.ts';
import type { Parsed } from './parsed.ts';
import { parseLines } from './text-lines.ts';

/*
 * Format: `conntrack -G` and `conntrack -L`, with or without `-o extended`: protocol, its number, seconds left, TCP's state, then the tuple of
 * the first packet, `[UNREPLIED]`, the tuple of the answers, `[ASSURED]`, and the entry's own fields.
 * Source of truth: conntrack(8), libnetfilter_conntrack's src/conntrack/snprintf_default.c.
 * Versions seen: conntrack-tools 1.4.7.
 * Not understood: nothing that matters for a walk; the counters of -o extended are read over.
 */

export interface ConntrackTuple {
  readonly source: Address;
  readonly destination: Address;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly type?: number;
  readonly code?: number;
  readonly id?: number;
}

/** One connection of the kernel's table. */
export interface ConntrackEntry {
  /** By name (tcp, udp, icmp, icmpv6), else the protocol's number. */
  readonly protocol: string;
  /** Seconds left; absent where the entry does not time out (it is offloaded). */
  readonly timeout?: number;
  /** TCP: NONE, SYN_SENT, ESTABLISHED … */
  readonly state?: string;
  readonly original: ConntrackTuple;
  readonly answer: ConntrackTuple;
  readonly seenReply: boolean;
  readonly assured: boolean;
  readonly mark: number;
  readonly zones: { readonly original: number; readonly answer: number };
  readonly text: string;
}

/** What the collector answers where the module that lists connections is not loaded: then it can't be told. */
export const CTNETLINK_MISSING = 'nf_conntrack_netlink is not loaded';

const NAMED = new Set(['tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'dccp', 'udplite', 'gre']);

export function parseConntrackList(text: string): Parsed<readonly ConntrackEntry[]> {
  return parseLines(text, parseConntrackLine);
}

/** One line; undefined where it has not both tuples. */
export function parseConntrackLine(line: string): ConntrackEntry | undefined {
  const head =
    /^\s*(?:ipv[46]\s+\d+\s+)?(?<name>\S+)\s+(?<number>\d+)\s+(?:(?<timeout>\d+)\s+)?(?:(?<state>[A-Z][A-Z0-9_]*)\s+)?/.exec(
      line,
    );
  if (!head?.groups) return undefined;
  const words = line.slice(head[0].length).trim().split(/\s+/);
  const starts = words.flatMap((word, index) => (word.startsWith('src=') ? [index] : []));
  if (starts.length !== 2) return undefined;
  const original = tupleOf(words.slice(starts[0], starts[1]));
  const answer = tupleOf(words.slice(starts[1]));
  if (!original || !answer) return undefined;
  const { name, number, timeout, state } = head.groups;
  const fields = fieldsOf(words);
  const both = numberOf(fields.get('zone')) ?? 0;
  return {
    protocol: NAMED.has(name!) ? name! : number!,
    ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
    ...(state === undefined ? {} : { state }),
    original,
    answer,
    seenReply: !words.includes('[UNREPLIED]'),
    assured: words.includes('[ASSURED]'),
    mark: numberOf(fields.get('mark')) ?? 0,
    zones: {
      original: numberOf(fields.get('zone-orig')) ?? both,
      answer: numberOf(fields.get('zone-reply')) ?? both,
    },
    text: line.trim().replaceAll(/\s+/g, ' '),
  };
}

/** The first of each name: a tuple's own fields come before those of the entry. */
function fieldsOf(words: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at > 0 && !fields.has(word.slice(0, at))) fields.set(word.slice(0, at), word.slice(at + 1));
  }
  return fields;
}

function tupleOf(words: readonly string[]): ConntrackTuple | undefined {
  const fields = fieldsOf(words);
  const source = parseAddress(fields.get('src') ?? '');
  const destination = parseAddress(fields.get('dst') ?? '');
  if (!source || !destination) return undefined;
  const number = (name: string): number | undefined => numberOf(fields.get(name));
  const values = {
    sourcePort: number('sport'),
    destinationPort: number('dport'),
    type: number('type'),
    code: number('code'),
    id: number('id'),
  };
  // `-o id` puts the entry's own id behind everything; ICMP's stands behind its code.
  if (values.type === undefined) delete values.id;
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  return { source, destination, ...Object.fromEntries(known) };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
