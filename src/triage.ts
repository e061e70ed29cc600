/**
 * The data's way on one page: target → collect → walk ⇄ collect, probe beside it → second look → diagnose → report.
 * Whatever touches the world happens behind `Host`; everything here is a function of what it answered.
 */
import { causes } from './causes/index.ts';
import { datapathGate, gateRequests } from './cni/gate.ts';
import { requestsForCluster, requestsForNamespace, requestsForNode, requestsForPod } from './collect/plan.ts';
import type { Case } from './diagnose/check.ts';
import type { Flow } from './diagnose/derived.ts';
import { diagnose } from './diagnose/engine.ts';
import { symptomOf } from './diagnose/symptom.ts';
import { verdictOf } from './diagnose/verdict.ts';
import type { Host, Reply, Request } from './host/host.ts';
import type { Family } from './net/address.ts';
import { formatPlace, placeKey } from './net/place.ts';
import { buildReport } from './report/build-report.ts';
import type { Report } from './report/report.ts';
import type { Snapshot } from './snapshot/snapshot.ts';
import { isTargetProblem, type Question, type TargetProblem } from './target/question.ts';
import { type QuestionWords, resolveQuestion } from './target/resolve-question.ts';
import { placesAsked } from './triage/places-asked.ts';
import { probeUntilDone } from './triage/probe-flows.ts';
import { createRun, type Run } from './triage/run.ts';
import { secondLook } from './triage/second-look.ts';
import { walkFlows } from './triage/walk-flows.ts';

export interface TriageOptions {
  /** False: send nothing (--no-probe, or a bundle without recorded probes). */
  readonly probe: boolean;
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
  readonly notes: readonly string[];
  /** Lets a host start what these nodes need, before they are asked. */
  readonly prepare: (nodes: readonly string[]) => void;
}

export type TriageOutcome =
  | { readonly kind: 'report'; readonly report: Report; readonly replies: readonly Reply[] }
  | { readonly kind: 'problem'; readonly problem: TargetProblem; readonly replies: readonly Reply[] };

/** A walk names the next namespaces to look at; more rounds than this are not made. */
const ROUNDS_MAX = 6;
const REQUEST_MAX_BYTES = 32 << 20;
/** One batch of requests; what takes longer is a gap, and the run goes on. */
const BATCH_DEADLINE_MS = 15_000;

/** Answers one question: why does, or does not, this reach that. */
export async function triage(host: Host, words: QuestionWords, options: TriageOptions): Promise<TriageOutcome> {
  const startedAtMs = host.nowMs();
  const run = createRun(host, { ...options, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  const collected = await collectFor(run, words, options.prepare);
  if (isTargetProblem(collected)) {
    await host.close();
    return { kind: 'problem', problem: collected, replies: run.replies() };
  }
  const question = collected;
  const probing = options.probe ? probeUntilDone(run, question) : Promise.resolve();
  await walkUntilKnown(run, question);
  await probing;
  if (options.probe) await secondLook(run, question, flowsOf(run.snapshot(), question));
  const closing = run.timed('removing helpers', () => host.close());
  const given = caseOf(run.snapshot(), question);
  const diagnosis = await run.timed('diagnosing', () =>
    diagnose(given, causes, (snapshot) => walkFlows(snapshot, question, given.gate)),
  );
  const symptom = symptomOf(given);
  const verdict = verdictOf(given, diagnosis, symptom);
  const created = await closing;
  const report = buildReport({
    given,
    diagnosis,
    symptom,
    verdict,
    notes: options.notes,
    created,
    timings: run.timings,
    durationMs: host.nowMs() - startedAtMs,
  });
  return { kind: 'report', report, replies: run.replies() };
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

/** The cluster's objects, then what the question's own ends need. */
async function collectFor(
  run: Run,
  words: QuestionWords,
  prepare: TriageOptions['prepare'],
): Promise<Question | TargetProblem> {
  await run.collect('reading the cluster', requestsForCluster());
  const question = resolveQuestion(run.snapshot(), words);
  if (isTargetProblem(question)) return question;
  prepare([...new Set(placesAsked(run.snapshot(), question).map((place) => place.node))]);
  await run.collect('reading nodes and pods', requestsForQuestion(run.snapshot(), question));
  return question;
}

function requestsForQuestion(snapshot: Snapshot, question: Question): Request[] {
  const places = placesAsked(snapshot, question).flatMap((place) =>
    place.namespace === 'host'
      ? requestsForNode(place.node, question.family, 0)
      : [...requestsForNamespace(place, question.family, 0), ...requestsForPod(place)],
  );
  return [...gateRequests(snapshot), ...places];
}

/** The bounded loop: the walk's open ends say what they lack, and are walked again with it. */
async function walkUntilKnown(run: Run, question: Question): Promise<void> {
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const snapshot = run.snapshot();
    const flows = await run.timed('walking', () => flowsOf(snapshot, question));
    const wants = wantsOf(flows, question.family, round);
    const before = run.replies().length;
    await run.collect('reading what the walk met', wants);
    if (run.replies().length === before) return;
  }
}

function wantsOf(flows: readonly Flow[], family: Family, round: number): Request[] {
  const wanted = flows.flatMap((flow) => flow.leaves.flatMap((leaf) => leaf.end.wants));
  // A namespace that a walk enters is read wholly at once: causes look at more than the walk needs.
  const places = new Map(wanted.filter(({ place }) => place.node !== '').map(({ place }) => [placeKey(place), place]));
  const whole = [...places.values()].flatMap((place) =>
    place.namespace === 'host'
      ? requestsForNode(place.node, family, round)
      : [...requestsForNamespace(place, family, round), ...requestsForPod(place)],
  );
  return [...wanted, ...whole].map((request) => ({ ...request, round }));
}

function flowsOf(snapshot: Snapshot, question: Question): Flow[] {
  return walkFlows(snapshot, question, datapathGate(snapshot));
}

function caseOf(snapshot: Snapshot, question: Question): Case {
  const gate = datapathGate(snapshot);
  return { snapshot, question, gate, flows: walkFlows(snapshot, question, gate) };
}
