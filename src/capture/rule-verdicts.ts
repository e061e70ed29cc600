import type { Reply, Request } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import { parseRuleTrace, type TracedVerdict } from '../parse/rule-trace.ts';
import type { OwnTraffic } from './analyse-capture.ts';
import { readDropFilter } from './drop-term.ts';
import { RULE_TRACE_NAMES, TRACE_TABLE } from './rule-trace-request.ts';

/** What a base chain decided of packets of the flow, as the kernel itself told while it did. */
export interface RuleVerdict {
  readonly place: Place;
  /** `ip filter FORWARD`. */
  readonly base: string;
  /** The chain that decided, and its rule, or `policy`. */
  readonly chain: string;
  readonly by: string;
  /** accept, drop, `jump …` where that led to nothing further … */
  readonly verdict: string;
  readonly leg: 'there' | 'back';
  readonly packets: number;
  readonly request: Request;
}

export interface RuleTraceWatch {
  readonly place: Place;
  readonly gap?: string;
}

export interface WatchedRules {
  readonly watches: readonly RuleTraceWatch[];
  readonly verdicts: readonly RuleVerdict[];
  /** With the lines of our own attempts alone. */
  readonly replies: readonly Reply[];
}

/** `answers`: of each namespace that was asked to stop; `filters`: what was looked for in each. Undefined where nobody had asked for it. */
export function watchedRules(
  answers: readonly Reply[],
  filters: ReadonlyMap<string, string>,
  own: OwnTraffic | undefined,
): WatchedRules | undefined {
  const asked = answers.filter((reply) => reply.got === 'raw' || reply.gap !== 'not-asked');
  if (asked.length === 0) return undefined;
  const read = asked.map((reply) => {
    const { place } = reply.request;
    if (reply.got === 'nothing') return { watch: { place, gap: `${reply.gap}: ${reply.detail}` }, verdicts: [] };
    const { value, unparsed } = parseRuleTrace(new TextDecoder().decode(reply.raw));
    const isPartial = reply.truncated || unparsed.length > 0;
    const sources = sourcesOf(filters.get(`${place.node}|${place.namespace}`));
    const verdicts = value
      .filter((one) => !TRACE_TABLE.test(one.table) && isOwn(one, own))
      .map((one) => verdictOf(one, reply.request, sources, own));
    return { watch: { place, ...(isPartial && { gap: 'what it told was not read wholly' }) }, verdicts };
  });
  const verdicts = read.flatMap((one) => one.verdicts);
  return {
    watches: read.map(({ watch }) => watch),
    verdicts: [...Map.groupBy(verdicts, (one) => JSON.stringify(one)).values()].map((alike) => ({
      ...alike[0]!,
      packets: alike.length,
    })),
    replies: asked.map((reply) => withOwnLines(reply, own)),
  };
}

function sourcesOf(filter: string | undefined): ReadonlySet<string> {
  return new Set((filter === undefined ? undefined : readDropFilter(filter))?.terms.map(({ source }) => source));
}

function isOwn(
  { sourcePort, destinationPort }: Pick<TracedVerdict, 'sourcePort' | 'destinationPort'>,
  own: OwnTraffic | undefined,
): boolean {
  const ports = own?.sourcePorts;
  return ports === undefined || [sourcePort, destinationPort].some((port) => port !== undefined && ports.has(port));
}

function verdictOf(
  { family, table, base, chain, by, verdict, source, sourcePort }: TracedVerdict,
  request: Request,
  sources: ReadonlySet<string>,
  own: OwnTraffic | undefined,
): RuleVerdict {
  const ports = own?.sourcePorts;
  const isThere = ports && sourcePort !== undefined ? ports.has(sourcePort) : sources.has(source);
  const { node, namespace } = request.place;
  const place = { node, namespace };
  return {
    place,
    base: `${family} ${table} ${base}`,
    chain,
    by,
    verdict,
    leg: isThere ? 'there' : 'back',
    packets: 1,
    request,
  };
}

/** Others' traffic is in no bundle: of each packet's lines only ours stay. */
function withOwnLines(reply: Reply, own: OwnTraffic | undefined): Reply {
  const ports = own?.sourcePorts;
  if (reply.got !== 'raw' || ports === undefined) return reply;
  const lines = new TextDecoder().decode(reply.raw).split('\n');
  const idOf = (line: string): string | undefined => /^trace id ([0-9a-f]+) /.exec(line)?.[1];
  const ours = new Set(
    lines
      .filter((line) => [...line.matchAll(/ [sd]port (\d+)/g)].some(([, port]) => ports.has(Number(port))))
      .flatMap((line) => idOf(line) ?? []),
  );
  const kept = lines.filter((line) => {
    const id = idOf(line);
    return id === undefined || ours.has(id);
  });
  return { ...reply, raw: new TextEncoder().encode(kept.join('\n')) };
}

/** What was written for it, for the report's *created*: by the answers to the starts, whatever came of the watching. */
export function tracesCreated(replies: readonly Reply[]): string[] {
  return replies
    .filter(({ request }) => request.action === RULE_TRACE_NAMES[0])
    .flatMap((reply) => {
      const { node, namespace } = reply.request.place;
      const table = `a table of nftables that marked this flow, in ${namespace === 'host' ? node : `${namespace} on ${node}`}`;
      if (reply.got === 'raw') return [`${table}: removed by the kernel with the session that owned it`];
      const isUnsure = reply.gap === 'timed-out' || reply.gap === 'unreachable';
      return isUnsure ? [`${table}: not confirmed; if it was made, the kernel removes it with its session`] : [];
    });
}
