import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: `nft monitor trace`, after the listing of the table that asked for it: lines `trace id ID FAMILY TABLE CHAIN packet: …`,
 * `… rule TEXT (verdict V)`, `… policy V`, `… unknown rule handle N (verdict V)`.
 * Source of truth: nft(8) "MONITOR", nftables' src/netlink.c (netlink_events_trace_cb).
 * Versions seen: nftables 1.0.6. Rules of iptables-nft stand there in nft's words as far as it knows them.
 * Not understood: rules of iptables-legacy, which are never traced so.
 */

/** What became of one packet at one base chain. An id is a packet's within one network namespace, until its next hook. */
export interface TracedVerdict {
  /** `ip`, `ip6`, `inet` … */
  readonly family: string;
  readonly table: string;
  /** The base chain that it came to. */
  readonly base: string;
  /** The chain, and what decided in it; `policy` where no rule did. */
  readonly chain: string;
  readonly by: string;
  readonly verdict: string;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

interface Open {
  readonly packet: Pick<TracedVerdict, 'source' | 'destination' | 'sourcePort' | 'destinationPort'>;
  readonly base: string;
  last?: Pick<TracedVerdict, 'chain' | 'by' | 'verdict'>;
}

const LINE = /^trace id (?<id>[0-9a-f]+) (?<family>\w+) (?<table>\S+) (?<chain>\S+) (?<rest>.*)$/;
const RULE = /^(?:rule (?<text>.*)|(?<unknown>unknown rule handle \d+)) \(verdict (?<verdict>[^)]*)\)$/;
/** As it stood when the trace began: of no use, and different for each run. */
const COUNTER = / counter packets \d+ bytes \d+/;
const PACKETS_MAX = 10_000;

export function parseRuleTrace(text: string): Parsed<readonly TracedVerdict[]> {
  const unparsed: UnparsedLine[] = [];
  const closed: TracedVerdict[] = [];
  const open = new Map<string, Open>();
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (!line.startsWith('trace id ')) return;
    const words = LINE.exec(line)?.groups;
    const read = words && readLine(words, open, closed);
    if (!read) unparsed.push({ line: index + 1, text: line });
  });
  for (const [key, one] of open) close(key, one, closed);
  return { value: closed, unparsed };
}

function readLine(words: Record<string, string>, open: Map<string, Open>, closed: TracedVerdict[]): boolean {
  const { id, family, table, chain, rest } = words;
  const key = `${id} ${family} ${table}`;
  if (rest!.startsWith('packet: ')) {
    const before = open.get(key);
    if (before) close(key, before, closed);
    if (open.size < PACKETS_MAX) open.set(key, { packet: packetOf(rest!), base: chain! });
    return true;
  }
  const one = open.get(key);
  const policy = /^policy (?<verdict>\w+)$/.exec(rest!)?.groups;
  const rule = RULE.exec(rest!)?.groups;
  if (!one || (!policy && !rule)) return false;
  const verdict = policy?.['verdict'] ?? rule!['verdict']!;
  // A rule that says nothing of the packet's fate decides nothing.
  if (verdict === 'continue') return true;
  const by = rule ? (rule['text']?.replace(COUNTER, '') ?? rule['unknown']!) : 'policy';
  one.last = { chain: chain!, by, verdict };
  return true;
}

function close(key: string, { packet, base, last }: Open, closed: TracedVerdict[]): void {
  const [, family = '', table = ''] = key.split(' ');
  if (last) closed.push({ family, table, base, ...last, ...packet });
}

/** Of an ICMP error the first addresses are its own, which stand before those that it quotes. */
function packetOf(text: string): Open['packet'] {
  const word = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const [sourcePort, destinationPort] = [word(/ sport (\d+)/), word(/ dport (\d+)/)];
  return {
    source: word(/ ip6? saddr (\S+)/) ?? '',
    destination: word(/ ip6? daddr (\S+)/) ?? '',
    ...(sourcePort !== undefined && { sourcePort: Number(sourcePort) }),
    ...(destinationPort !== undefined && { destinationPort: Number(destinationPort) }),
  };
}
