/**
 * The data's way on one page: target → collect → walk ⇄ collect, probe beside it → second look → diagnose → report.
 * Whatever touches the world happens behind `Host`; everything here is a function of what it answered.
 */
import { tracesCreated } from './capture/rule-verdicts.ts';
import { causes } from './causes/index.ts';
import { datapathGate } from './cni/gate.ts';
import { requestsForCluster } from './collect/plan.ts';
import type { Case } from './diagnose/check.ts';
import type { Flow } from './diagnose/derived.ts';
import { diagnose } from './diagnose/engine.ts';
import { symptomOf } from './diagnose/symptom.ts';
import { verdictOf } from './diagnose/verdict.ts';
import type { Host, Reply } from './host/host.ts';
import { formatPlace } from './net/place.ts';
import { buildReport } from './report/build-report.ts';
import type { Report } from './report/report.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import { backendsLeftOut } from './target/flows.ts';
import { isTargetProblem, type Question, type TargetProblem } from './target/question.ts';
import { type QuestionWords, resolveQuestion } from './target/resolve-question.ts';
import { type CapturedFlow, captureLost } from './triage/capture-lost.ts';
import {
  BATCH_DEADLINE_MS,
  collectQuestion,
  REQUEST_MAX_BYTES,
  requestsForQuestion,
} from './triage/collect-question.ts';
import { placesAsked } from './triage/places-asked.ts';
import { probeUntilDone } from './triage/probe-flows.ts';
import { createRun, type Run } from './triage/run.ts';
import { secondLook } from './triage/second-look.ts';
import { walkFlows } from './triage/walk-flows.ts';
import { walkUntilKnown } from './triage/walk-until-known.ts';

export interface TriageOptions {
  /** False: send nothing (--no-probe, or a bundle without recorded probes). */
  readonly probe: boolean;
  /** Where the asked flow gets no answer, watch the devices of its way; undefined: --no-capture. */
  readonly capture?: {
    readonly sleep: (ms: number) => Promise<void>;
    readonly dropReasons?: boolean;
    readonly traceRules?: boolean;
  };
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
  readonly notes: readonly string[];
  /** Lets a host start what these nodes need, before they are asked. */
  readonly prepare: (nodes: readonly string[]) => void;
}

export type TriageOutcome =
  | { readonly kind: 'report'; readonly report: Report; readonly replies: readonly Reply[] }
  | { readonly kind: 'problem'; readonly problem: TargetProblem; readonly replies: readonly Reply[] };

/** Answers one question: why does, or does not, this reach that. */
export async function triage(host: Host, words: QuestionWords, options: TriageOptions): Promise<TriageOutcome> {
  const startedAtMs = host.nowMs();
  const run = createRun(host, { ...options, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  const collected = await collectQuestion(run, words, options.prepare);
  if (isTargetProblem(collected)) {
    await host.close();
    return { kind: 'problem', problem: collected, replies: run.replies() };
  }
  const question = collected;
  const probing = options.probe ? probeUntilDone(run, question) : Promise.resolve();
  await walkUntilKnown(run, question.family, (snapshot) => flowsOf(snapshot, question));
  await probing;
  const captured = options.probe ? await lookAgain(run, question, options) : undefined;
  const closing = run.timed('removing helpers', () => host.close());
  const given = caseOf(run.snapshot(), question, captured);
  const diagnosis = await run.timed('diagnosing', () =>
    diagnose(given, causes, (snapshot) => walkFlows(snapshot, question, given.gate)),
  );
  const symptom = symptomOf(given);
  const verdict = verdictOf(given, diagnosis, symptom);
  const created = [...(await closing), ...tracesCreated(run.replies())];
  const report = buildReport({
    given,
    snapshot: given.snapshot,
    diagnosis,
    symptom,
    verdict,
    notes: [...options.notes, ...(options.probe ? backendsLeftOut(given.snapshot, question) : [])],
    captures: captured ? [captured.section] : [],
    created,
    timings: run.timings,
    durationMs: host.nowMs() - startedAtMs,
  });
  return { kind: 'report', report, replies: [...run.replies(), ...(captured?.watched.replies ?? [])] };
}

/** What a run would ask first and on which nodes, read from the API alone (--dry-run). */
export async function planOf(
  host: Host,
  words: QuestionWords,
): Promise<TargetProblem | { readonly nodes: readonly string[]; readonly requests: readonly string[] }> {
  const run = createRun(host, {
    deadlineMs: BATCH_DEADLINE_MS,
    maxBytes: REQUEST_MAX_BYTES,
    signal: new AbortController().signal,
    tell: () => {},
  });
  await run.collect('reading the cluster', requestsForCluster());
  const question = resolveQuestion(run.snapshot(), words);
  if (isTargetProblem(question)) return question;
  const requests = requestsForQuestion(run.snapshot(), question);
  return {
    nodes: [...new Set(placesAsked(run.snapshot(), question).map((place) => place.node))],
    requests: requests.map(
      (request) => `${request.action} ${JSON.stringify(request.args)} ${formatPlace(request.place)}`,
    ),
  };
}

function flowsOf(snapshot: Snapshot, question: Question): Flow[] {
  return walkFlows(snapshot, question, datapathGate(snapshot));
}

/** What is looked at only where something failed: counters, events, logs; and the asked flow at every device of its way. */
async function lookAgain(run: Run, question: Question, options: TriageOptions): Promise<CapturedFlow | undefined> {
  const flows = flowsOf(run.snapshot(), question);
  const { capture, tell } = options;
  const [captured] = await Promise.all([
    capture ? captureLost(run, question, flows, { ...capture, tell }) : undefined,
    secondLook(run, question, flows),
  ]);
  return captured;
}

function caseOf(snapshot: Snapshot, question: Question, captured: CapturedFlow | undefined): Case {
  const gate = datapathGate(snapshot);
  const flows = walkFlows(snapshot, question, gate).map((flow) =>
    flow.id === captured?.section.flow ? { ...flow, ...liveSightings(captured) } : flow,
  );
  return { snapshot, question, gate, flows };
}

function liveSightings({
  capture,
  watched: { drops, rules },
}: CapturedFlow): Pick<Flow, 'capture' | 'drops' | 'rules'> {
  return { capture, ...(drops && { drops: drops.drops }), ...(rules && { rules: rules.verdicts }) };
}
