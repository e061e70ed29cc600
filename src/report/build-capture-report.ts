import type { CaptureAnalysis } from '../capture/analyse-capture.ts';
import { type Attempt, type AttemptOutcome, packetLabel } from '../capture/attempt.ts';
import { captureFilter } from '../capture/capture-filter.ts';
import type { Fate, FollowedPacket } from '../capture/follow-packets.ts';
import type { PointWatch } from '../capture/read-captures.ts';
import type { WatchedRules } from '../capture/rule-verdicts.ts';
import type { Sighting } from '../capture/sighting.ts';
import type { WatchPlan, WayStep } from '../capture/watch-plan.ts';
import type { WirePacket } from '../wire/wire-packet.ts';
import { reportPlace } from './build-report.ts';
import { captureObservations } from './capture-observations.ts';
import { betweenText, stepText } from './capture-places.ts';
import {
  CAPTURE_SCHEMA,
  type CaptureFinding,
  type CaptureReport,
  type CaptureReportAttempt,
  type CaptureReportLoss,
  type CaptureReportPacket,
  type CaptureReportSighting,
  type CaptureSection,
} from './capture-report.ts';
import { shortPlace } from './end-text.ts';
import { type KernelSaid, kernelSection } from './kernel-section.ts';
import { rulesSection } from './rules-section.ts';

export interface CaptureReportInput {
  readonly target: CaptureReport['target'];
  readonly walk: CaptureReport['walk'];
  readonly plan: WatchPlan;
  readonly watches: readonly PointWatch[];
  readonly analysis: CaptureAnalysis;
  readonly drops?: KernelSaid;
  readonly rules?: Pick<WatchedRules, 'watches' | 'verdicts'>;
  readonly created: readonly string[];
  readonly durationMs: number;
}

export type CaptureSeen = Pick<CaptureReportInput, 'walk' | 'plan' | 'watches' | 'analysis' | 'drops' | 'rules'>;

export function buildCaptureReport(input: CaptureReportInput): CaptureReport {
  const { target, plan } = input;
  const left =
    plan.left > 0 ? [`${plan.left} more devices are on the way and were not watched: there were too many`] : [];
  return {
    schema: CAPTURE_SCHEMA,
    ...captureSeen(input),
    target: { ...target, notes: [...target.notes, ...left] },
    created: input.created,
    durationMs: input.durationMs,
  };
}

/** What was seen, without who asked. */
export function captureSeen(seen: CaptureSeen): Omit<CaptureSection, 'flow'> {
  const { walk, plan, watches, analysis } = seen;
  const findings = findingsOf(analysis, plan);
  return {
    verdict: verdictOf(analysis.attempts),
    summary: summaryOf(findings),
    findings,
    walk,
    points: plan.points.map(({ place, device, tuples }, index) => ({
      place: reportPlace(place),
      device,
      filter: captureFilter(tuples),
      ...watches[index]!,
    })),
    attempts: attemptsOf(analysis.attempts),
    observations: captureObservations(seen),
    ...(seen.drops && { kernel: kernelSection(seen.drops) }),
    ...(seen.rules && { rules: rulesSection(seen.rules) }),
  };
}

const REFUSED: ReadonlySet<AttemptOutcome> = new Set(['refused', 'icmp-error']);
const LOST: ReadonlySet<AttemptOutcome> = new Set(['lost-there', 'lost-back', 'unanswered', 'mismatched', 'stalled']);

/** Whether a server answers a datagram that reached it is its own matter, and no loss. */
function verdictOf(attempts: readonly Attempt[]): CaptureReport['verdict'] {
  const isOwnMatter = ({ outcome, deciding }: Attempt): boolean =>
    outcome === 'unanswered' && deciding?.fate.is === 'arrived' && deciding.sightings[0]!.packet.l4?.protocol === 'udp';
  const some = (outcomes: ReadonlySet<AttemptOutcome>): boolean =>
    attempts.some((attempt) => outcomes.has(attempt.outcome) && !isOwnMatter(attempt));
  if (some(LOST)) return 'lost';
  if (some(REFUSED)) return 'refused';
  return attempts.length > 0 && attempts.every(({ outcome }) => outcome === 'answered') ? 'answered' : 'unknown';
}

/** Attempts that ended the same way at the same place, the worst first. */
function findingsOf({ attempts }: CaptureAnalysis, plan: WatchPlan): CaptureFinding[] {
  const groups = [...Map.groupBy(attempts, (attempt) => statementOf(attempt, plan))];
  const rank = (outcome: AttemptOutcome): number => (LOST.has(outcome) ? 0 : REFUSED.has(outcome) ? 1 : 2);
  return groups
    .map(([statement, alike]): CaptureFinding => {
      const { outcome, deciding } = alike[0]!;
      const fate = deciding?.fate;
      const isLoss = fate?.is === 'lost';
      return {
        outcome,
        attempts: alike.length,
        statement,
        ...(isLoss && { loss: lossOf(fate) }),
        ...(isLoss && { between: fate.before.map((before) => betweenText(fate.after, before, plan)).join('; or ') }),
      };
    })
    .toSorted((a, b) => rank(a.outcome) - rank(b.outcome) || b.attempts - a.attempts);
}

function summaryOf(findings: readonly CaptureFinding[]): string {
  const all = findings.reduce((sum, { attempts }) => sum + attempts, 0);
  if (all === 0) return 'no packet of this flow was seen anywhere';
  return findings.map(({ attempts, statement }) => `${attempts} of ${all}: ${statement}`).join('; ');
}

function statementOf({ outcome, deciding }: Attempt, plan: WatchPlan): string {
  const { fate, from, sightings } = deciding ?? {};
  const label = sightings ? packetLabel(sightings[0]!.packet) : 'the packet';
  switch (outcome) {
    case 'answered':
      return 'answered';
    case 'mismatched':
      return `${label} came back from ${senderText(sightings)}, which is not what was asked: the client does not take it`;
    case 'stalled':
      return `connected, and then ${label} is lost every time it is sent, on the way ${deciding?.leg ?? 'there'}: ${lossText(fate, plan)}`;
    case 'refused':
      return `refused: a ${label} ${madeAt(from, plan)} came back`;
    case 'icmp-error':
      return `turned away: ${label} ${madeAt(from, plan)} came back`;
    case 'unanswered':
      if (fate?.is !== 'arrived' && fate?.is !== 'left') return `${label} was not answered`;
      return fate.is === 'left'
        ? `${label} left the cluster (${stepText(fate.at, plan)}), and no answer came`
        : `${label} arrived (${stepText(fate.at, plan)}), and nothing answered it${sightings![0]!.packet.l4?.protocol === 'udp' ? ', which a server of UDP need not do' : ''}`;
    case 'lost-there':
    case 'lost-back':
      return `${label} is lost on the way ${outcome === 'lost-there' ? 'there' : 'back'}: ${lossText(fate, plan)}`;
    case 'unknown':
      return fate?.is === 'unknown' ? `${label}: ${fate.because}` : 'it could not be told what became of it';
  }
}

function senderText(sightings: readonly Sighting[] | undefined): string {
  const { ip, l4 } = sightings!.at(-1)!.packet;
  return l4 && 'sourcePort' in l4 ? `${ip.source} port ${l4.sourcePort}` : ip.source;
}

/** An answer that is first seen as it leaves a namespace was made there; one that comes in first was made before. */
function madeAt(from: WayStep | undefined, plan: WatchPlan): string {
  if (!from) return '';
  return from.way === 'out'
    ? `made by ${shortPlace(plan.points[from.point]!.place)}`
    : `first seen ${stepText(from, plan)}`;
}

function lossText(fate: Fate | undefined, plan: WatchPlan): string {
  if (fate?.is === 'left') return `it left the cluster, ${stepText(fate.at, plan)}`;
  if (fate?.is !== 'lost') return 'nobody knows where';
  const missing = fate.before.map((step) => stepText(step, plan)).join(' or ');
  return `last seen ${stepText(fate.after, plan)}, not seen ${missing}`;
}

function lossOf({ after, before }: Fate & { readonly is: 'lost' }): CaptureReportLoss {
  const bare = ({ point, way }: WayStep) => ({ point, way });
  return { after: bare(after), before: before.map(bare) };
}

function attemptsOf(attempts: readonly Attempt[]): CaptureReportAttempt[] {
  const times = attempts.flatMap(({ packets }) => packets.flatMap(({ sightings }) => sightings[0]?.atNs ?? []));
  const firstNs = times.toSorted(byTime)[0] ?? 0n;
  return attempts.map(({ outcome, packets }) => ({
    outcome,
    packets: packets.map((packet) => packetOf(packet, firstNs)),
  }));
}

function byTime(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function packetOf({ leg, sending, fate, sightings }: FollowedPacket, firstNs: bigint): CaptureReportPacket {
  return {
    label: packetLabel(sightings[0]!.packet),
    leg,
    sending,
    fate: fate.is,
    ...(fate.is === 'lost' && { loss: lossOf(fate) }),
    ...(fate.is === 'unknown' && { because: fate.because }),
    seen: sightings.map((sighting) => sightingOf(sighting, firstNs)),
  };
}

function sightingOf({ point, atNs, packet, outer }: Sighting, firstNs: bigint): CaptureReportSighting {
  const [source, destination] = endsOf(packet);
  return {
    point,
    atMs: Number((atNs - firstNs) / 1_000n) / 1_000,
    source,
    destination,
    ttl: packet.ip.ttl,
    checksum: packet.l4?.checksum ?? 'unknown',
    ...(outer && { tunnel: `${outer.ip.source} → ${outer.ip.destination}` }),
  };
}

function endsOf({ ip, l4 }: WirePacket): readonly [string, string] {
  if (!l4 || !('sourcePort' in l4)) return [ip.source, ip.destination];
  const end = (address: string, port: number): string =>
    ip.version === 6 ? `[${address}]:${port}` : `${address}:${port}`;
  return [end(ip.source, l4.sourcePort), end(ip.destination, l4.destinationPort)];
}
