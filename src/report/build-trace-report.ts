import type { Flow } from '../diagnose/derived.ts';
import { type ClusterAddresses, clusterAddresses } from '../diagnose/leaf-health.ts';
import { isCertain, type Leaf } from '../diagnose/leaves.ts';
import type { LeafEnd } from '../simulate/trace.ts';
import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import type { Question } from '../target/question.ts';
import { reportPlace } from './build-report.ts';
import { endText, shortPlace } from './end-text.ts';
import { flowText } from './packet-text.ts';
import { chanceText } from './path-lines.ts';
import { withOwners } from './step-owner.ts';
import { TRACE_SCHEMA, type TraceEnd, type TraceReport, type TraceResult } from './trace-report.ts';

/** A walked flow with the state that it was walked in. */
export interface WalkedFlow {
  readonly flow: Flow;
  readonly snapshot: Snapshot;
}

export interface TraceReportInput {
  readonly question: Question;
  readonly walked: WalkedFlow;
  readonly whatIf?: { readonly changes: readonly SnapshotChange[]; readonly before: WalkedFlow };
  readonly notes: readonly string[];
  readonly datapath: readonly string[];
  readonly created: readonly string[];
  readonly durationMs: number;
}

export function buildTraceReport(input: TraceReportInput): TraceReport {
  const { question, walked, whatIf } = input;
  return {
    schema: TRACE_SCHEMA,
    ...traceResult(walked),
    target: {
      source: question.asked.source,
      destination: question.asked.destination,
      flow: flowText(walked.flow.trip.forward.packet),
      notes: [...question.notes, ...input.notes],
    },
    ...(whatIf && {
      whatIf: {
        changes: whatIf.changes.map(({ text, place }) => ({ change: text, place: reportPlace(place) })),
        before: traceResult(whatIf.before),
      },
    }),
    datapath: input.datapath,
    created: input.created,
    durationMs: input.durationMs,
  };
}

function traceResult({ flow, snapshot }: WalkedFlow): TraceResult {
  const addresses = clusterAddresses(snapshot);
  const ends = flow.leaves.map((leaf) => endOf(leaf, flow, addresses));
  return {
    verdict: verdictOf(ends, flow),
    summary: summaryOf(ends, flow),
    ends,
    trip: withOwners(flow.trip, snapshot),
  };
}

function endOf(leaf: Leaf, flow: Flow, addresses: ClusterAddresses): TraceEnd {
  const { end, ref, trace, chance } = leaf;
  const fate = flow.dead.includes(leaf) ? 'lost' : flow.unknown.includes(leaf) ? 'unknown' : 'passed';
  return {
    leg: ref.leg,
    segment: ref.segment,
    chance,
    disposition: end.end,
    fate,
    place: reportPlace(end.place),
    text: `${fate === 'lost' && end.end === 'left-the-cluster' ? strayText(end, addresses) : endText(trace, end)} (${shortPlace(end.place)})`,
  };
}

/** Why a packet that left is lost all the same (leaf-health.ts). */
function strayText({ packet }: LeafEnd, addresses: ClusterAddresses): string {
  const { source, destination } = packet.ip;
  if (addresses.isCluster(destination)) return `left the cluster, though ${destination} is one of its own addresses`;
  if (packet.inner) return `left the cluster inside a tunnel, for ${destination}, where nobody unwraps it`;
  return `left the cluster as ${source}, a pod’s own address: no answer finds its way back to it`;
}

/** Lost only where a share of the connections certainly is: where an undecided rule alone leads to a death, it could not be told. */
function verdictOf(ends: readonly TraceEnd[], flow: Flow): TraceResult['verdict'] {
  if (ends.some((end) => end.fate === 'lost' && end.chance.min > 0)) return 'lost';
  const isCut = [flow.trip.forward, ...flow.trip.replies.map((reply) => reply.trace)].some((leg) => leg.unwalked > 0);
  const isSure = ends.length > 0 && !isCut && ends.every((end) => end.fate === 'passed');
  return isSure ? 'delivered' : 'unknown';
}

/** Different deaths, or doubts, that are told in one sentence. */
const TOLD_MAX = 3;

function summaryOf(ends: readonly TraceEnd[], flow: Flow): string {
  const lost = ends.filter((end) => end.fate === 'lost');
  if (lost.length > 0) return toldTogether(lost);
  const open = ends.filter((end) => end.fate === 'unknown');
  if (open.length > 0) return toldTogether(open);
  if (flow.trip.forward.unwalked > 0) return 'there are more ways than were walked';
  const leaves = ends.some((end) => end.leg === 'forward' && end.disposition === 'left-the-cluster');
  if (leaves) return 'leaves the cluster as it should; what happens outside is not seen';
  return 'delivered there and back';
}

function toldTogether(ends: readonly TraceEnd[]): string {
  const groups = [...Map.groupBy(ends, (end) => `${end.leg === 'forward' ? '' : 'the answer: '}${end.text}`)];
  const shown = groups.slice(0, TOLD_MAX).map(([text, all]) => toldWithShare(text, all));
  const more = groups.length > TOLD_MAX ? `; and ${groups.length - TOLD_MAX} more ends` : '';
  return `${shown.join('; ')}${more}`;
}

/** What only something undecided may lead to is told as a perhaps. */
function toldWithShare(text: string, ends: readonly TraceEnd[]): string {
  const chance = {
    min: Math.min(
      1,
      ends.reduce((total, end) => total + end.chance.min, 0),
    ),
    max: Math.min(
      1,
      ends.reduce((total, end) => total + end.chance.max, 0),
    ),
  };
  if (isCertain(chance)) return text;
  if (chance.min > 0) return `${text} [${chanceText(chance)} of the connections]`;
  return `perhaps ${text}${chance.max < 1 ? ` [at most ${chanceText({ min: chance.max, max: chance.max })} of the connections]` : ''}`;
}
