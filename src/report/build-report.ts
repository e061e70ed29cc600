import type { Derived, Flow } from '../diagnose/derived.ts';
import type { Diagnosis } from '../diagnose/engine.ts';
import type { Evidence } from '../diagnose/evidence.ts';
import { stepOf } from '../diagnose/evidence-of.ts';
import { movedCounters } from '../diagnose/moved-counters.ts';
import type { Named } from '../diagnose/named.ts';
import type { Symptom } from '../diagnose/symptom.ts';
import type { Verdict } from '../diagnose/verdict.ts';
import type { Scalar } from '../host/host.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot, Source } from '../snapshot/snapshot.ts';
import type { CaptureSection } from './capture-report.ts';
import {
  REPORT_SCHEMA,
  type Report,
  type ReportCause,
  type ReportEvidence,
  type ReportPlace,
  type ReportProbe,
} from './report.ts';
import { withOwners } from './step-owner.ts';

export interface ReportInput {
  readonly given: Derived;
  /** Tells whose rules and routes the paths met; without it they are nobody's. */
  readonly snapshot?: Snapshot;
  readonly diagnosis: Diagnosis;
  readonly symptom: Symptom;
  readonly verdict: Verdict;
  readonly notes: readonly string[];
  readonly captures?: readonly CaptureSection[];
  readonly created: readonly string[];
  readonly timings: Readonly<Record<string, number>>;
  readonly durationMs: number;
}

export function buildReport(input: ReportInput): Report {
  const { given, diagnosis, symptom, verdict } = input;
  const { question } = given;
  return {
    schema: REPORT_SCHEMA,
    verdict: verdict.verdict,
    class: verdict.class,
    summary: verdict.summary,
    target: {
      source: question.asked.source,
      destination: question.asked.destination,
      flow: flowText(given),
      notes: [...question.notes, ...input.notes],
    },
    causes: diagnosis.causes.map(reportCause),
    unexplained: diagnosis.unexplained.map(({ flow, leaf }) => ({
      disposition: leaf.end.end,
      flow: flow.id,
      place: reportPlace(leaf.end.place),
      at: stepOf(leaf)?.at ?? '',
      text: leaf.end.because ?? stepOf(leaf)?.text ?? '',
      chance: leaf.chance,
    })),
    disagreements: diagnosis.disagreements,
    ruledOut: diagnosis.ruledOut,
    notChecked: diagnosis.notChecked,
    paths: given.flows.map((flow) => ({
      flow: flow.id,
      description: describeFlow(flow),
      trip: input.snapshot ? withOwners(flow.trip, input.snapshot) : flow.trip,
    })),
    probes: given.flows.flatMap(reportProbe),
    captures: input.captures ?? [],
    moved: movedOf(input),
    workflow: symptom.steps,
    datapath: given.gate.parts.map((part) => part.statement),
    created: input.created,
    timings: input.timings,
    durationMs: input.durationMs,
  };
}

function movedOf({ snapshot, given }: ReportInput): Report['moved'] {
  if (!snapshot) return [];
  return movedCounters(snapshot, given.flows, given.question.family).map(({ place, counter, rose }) => ({
    place: reportPlace(place),
    counter,
    rose,
  }));
}

function flowText(given: Derived): string {
  const main = given.flows.find((flow) => flow.purpose === 'main');
  return main ? describeFlow(main) : `${given.question.protocol} to ${given.question.asked.destination}`;
}

function describeFlow(flow: Flow): string {
  const port = flow.port === undefined ? '' : `:${flow.port}`;
  return `${flow.protocol} ${flow.source ?? 'outside'} → ${flow.destination}${port}`;
}

function reportCause(named: Named): ReportCause {
  const place = named.finding.place ?? named.checked.place;
  return {
    id: named.cause.id,
    class: named.cause.class,
    confidence: named.confidence,
    gravity: named.cause.gravity,
    title: named.cause.title,
    ...(named.behind && { behind: true as const }),
    place: reportPlace(place),
    evidence: named.finding.evidence.map(reportEvidence),
    ...(named.counterfactual && {
      counterfactual: { change: named.counterfactual.change, disposition: named.counterfactual.disposition },
    }),
    fix: named.finding.fix,
    explains: named.explains.map(reportCause),
  };
}

export function reportPlace(place: Place): ReportPlace {
  return { node: place.node, namespace: place.namespace, ...(place.object !== undefined && { object: place.object }) };
}

function reportEvidence(evidence: Evidence): ReportEvidence {
  const { line, text } = evidence.source;
  return {
    kind: evidence.kind,
    plane: evidence.plane,
    place: reportPlace(evidence.place),
    source: describeSource(evidence.source),
    ...(line !== undefined && { line }),
    ...(text !== undefined && { text }),
    statement: evidence.statement,
    values: evidence.values,
  };
}

/** The request in words: `iptables.nft (family 4) of worker-1`. */
export function describeSource(source: Source): string {
  const { action, args, place } = source.request;
  const words = Object.entries(args).flatMap(([key, value]) => (isWorthSaying(value) ? [`${key} ${value}`] : []));
  const where =
    place.node === '' ? '' : ` of ${place.namespace === 'host' ? place.node : `${place.namespace} on ${place.node}`}`;
  return `${action}${words.length > 0 ? ` (${words.join(', ')})` : ''}${where}`;
}

function isWorthSaying(value: Scalar): boolean {
  return value !== '' && value !== null;
}

function reportProbe(flow: Flow): ReportProbe[] {
  if (!flow.probe) return [];
  return [
    {
      id: flow.id,
      from: reportPlace(flow.from ?? flow.probe.evidence.place),
      to: `${flow.destination}${flow.port === undefined ? '' : `:${flow.port}`}`,
      outcome: flow.probe.outcome,
      ...(flow.probe.latencyMs !== undefined && { latencyMs: flow.probe.latencyMs }),
      statement: flow.probe.statement,
    },
  ];
}
