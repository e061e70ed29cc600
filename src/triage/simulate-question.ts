import { datapathGate } from '../cni/gate.ts';
import type { Flow } from '../diagnose/derived.ts';
import { clusterAddresses } from '../diagnose/leaf-health.ts';
import type { Host } from '../host/host.ts';
import { buildTraceReport } from '../report/build-trace-report.ts';
import type { TraceReport } from '../report/trace-report.ts';
import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import { type PlannedFlow, plannedFlows } from '../target/flows.ts';
import { isTargetProblem, type Question, type TargetProblem } from '../target/question.ts';
import type { QuestionWords } from '../target/resolve-question.ts';
import { BATCH_DEADLINE_MS, collectQuestion, REQUEST_MAX_BYTES } from './collect-question.ts';
import { mainFlow, notesOnAddress } from './main-flow.ts';
import { requestsOf } from './probe-outcomes.ts';
import { createRun, type Run } from './run.ts';
import { walkFlow } from './walk-flows.ts';
import { walkUntilKnown } from './walk-until-known.ts';
import { resolveWhatIf } from './what-if/resolve-what-if.ts';
import type { WhatIf } from './what-if/what-if.ts';

export interface SimulateOptions {
  readonly signal: AbortSignal;
  readonly tell: (text: string) => void;
  readonly notes: readonly string[];
  readonly prepare: (nodes: readonly string[]) => void;
  /** A bundle's recorded answers of DNS may be read; a live cluster is sent nothing. */
  readonly isLive: boolean;
  /** Tell of every rule that was passed over. */
  readonly allRules: boolean;
  /** Changes of the state that the walk is made with. */
  readonly whatIf: readonly WhatIf[];
  /** Whose socket sends the packet; rules that look at it are undecided without. */
  readonly asUser?: number;
  /** IP total length of the packet in bytes; default that of a first packet of its kind. */
  readonly lengthBytes?: number;
}

export type SimulateOutcome =
  | { readonly kind: 'trace'; readonly report: TraceReport }
  | { readonly kind: 'problem'; readonly problem: TargetProblem };

/**
 * Walks the question's own packet there and back, collecting what the walk lacks as a diagnosis does, but without probes and
 * causes: target → collect → walk ⇄ collect → trace.
 */
export async function simulateQuestion(
  host: Host,
  words: QuestionWords,
  options: SimulateOptions,
): Promise<SimulateOutcome> {
  const startedAtMs = host.nowMs();
  const run = createRun(host, { ...options, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  const problemOf = async (problem: TargetProblem): Promise<SimulateOutcome> => {
    await host.close();
    return { kind: 'problem', problem };
  };
  const question = await collectQuestion(run, words, options.prepare);
  if (isTargetProblem(question)) return problemOf(question);
  if (!options.isLive) await readRecordedNames(run, question);
  const planned = mainFlow(run.snapshot(), question);
  if (isTargetProblem(planned)) return problemOf(planned);
  const walk = (snapshot: Snapshot): Flow => walkMain(snapshot, planned, options);
  await walkUntilKnown(run, question.family, (snapshot) => [walk(snapshot)]);
  const changes = changesMeant(options.whatIf, run.snapshot(), question, walk);
  if (isTargetProblem(changes)) return problemOf(changes);
  // The changed walk may get further than the first, to places that nobody has looked at yet.
  if (changes.length > 0)
    await walkUntilKnown(run, question.family, (snapshot) => [walk(snapshot), walk(snapshot.with(changes))]);
  const created = await host.close();
  const before = run.snapshot();
  const snapshot = before.with(changes);
  const report = buildTraceReport({
    question,
    walked: { flow: walk(snapshot), snapshot },
    ...(changes.length > 0 && { whatIf: { changes, before: { flow: walk(before), snapshot: before } } }),
    notes: [...notesOnAddress(before, question, planned), ...options.notes],
    datapath: datapathGate(snapshot).parts.map((part) => part.statement),
    created,
    durationMs: host.nowMs() - startedAtMs,
  });
  return { kind: 'trace', report };
}

/** What each what-if means in this state; the first that means nothing, or too much, is the problem. */
function changesMeant(
  whatIf: readonly WhatIf[],
  snapshot: Snapshot,
  { family }: Question,
  walk: (snapshot: Snapshot) => Flow,
): readonly SnapshotChange[] | TargetProblem {
  if (whatIf.length === 0) return [];
  const { trip } = walk(snapshot);
  const changes: SnapshotChange[] = [];
  for (const one of whatIf) {
    const meant = resolveWhatIf(one, { snapshot, family, trip });
    if (isTargetProblem(meant)) return meant;
    changes.push(meant);
  }
  return changes;
}

function walkMain(snapshot: Snapshot, planned: PlannedFlow, options: SimulateOptions): Flow {
  const gate = datapathGate(snapshot);
  const { lengthBytes, asUser } = options;
  const packet = lengthBytes === undefined ? planned.packet : { ...planned.packet, lengthBytes };
  const asked = { ...planned, packet, ...(asUser !== undefined && { asUser }) };
  return walkFlow(asked, { snapshot, gate, ...(options.allRules && { record: 'all' }) }, clusterAddresses(snapshot));
}

/** What the source's nameservers answered when the bundle was written. */
async function readRecordedNames(run: Run, question: Question): Promise<void> {
  const snapshot = run.snapshot();
  const lookUps = plannedFlows(snapshot, question).filter((flow) => flow.purpose === 'dns');
  const requests = lookUps.flatMap((flow) => requestsOf(snapshot, question, flow));
  await run.collect('reading recorded look-ups', requests);
}
