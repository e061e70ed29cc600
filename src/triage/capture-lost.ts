import type { WayStep } from '../capture/watch-plan.ts';
import { wrongChecksums } from '../capture/wrong-checksums.ts';
import type { CaptureDevice, CaptureLoss, Flow, FlowCapture } from '../diagnose/derived.ts';
import { captureSeen } from '../report/build-capture-report.ts';
import type { CaptureSection } from '../report/capture-report.ts';
import { walkBeside } from '../report/capture-walk.ts';
import type { Question } from '../target/question.ts';
import { allPlannedFlows } from './probe-flows.ts';
import { requestsOf } from './probe-outcomes.ts';
import type { Run } from './run.ts';
import { sendAttempts } from './send-attempts.ts';
import { type Watched, watchFlow } from './watch-flow.ts';

export interface CapturedFlow {
  readonly capture: FlowCapture;
  readonly section: CaptureSection;
  readonly watched: Watched;
}

export interface CaptureLostOptions {
  readonly tell: (text: string) => void;
  readonly sleep: (ms: number) => Promise<void>;
  /** Also ask the nodes' kernels why they drop packets of the flow. */
  readonly dropReasons?: boolean;
  readonly traceRules?: boolean;
}

/** Attempts, and how long each of TCP waits: past the first SYN's repetition, which comes after 1 s. */
const ATTEMPTS = 2;
const TCP_TIMEOUT_MS = 1_300;
/** Nothing came back: where it was lost a probe can't tell. */
const SILENT: ReadonlySet<string> = new Set(['timed-out', 'silent', 'unreachable']);

/** Where the asked flow got no answer at all: watches every device of its way, and sends it again. */
export async function captureLost(
  run: Run,
  question: Question,
  flows: readonly Flow[],
  options: CaptureLostOptions,
): Promise<CapturedFlow | undefined> {
  const main = flows.find(({ id }) => id === 'main');
  if (main?.probe?.passed !== 'no' || !SILENT.has(main.probe.outcome)) return undefined;
  const snapshot = run.snapshot();
  const planned = allPlannedFlows(snapshot, question).flows.find(({ id }) => id === main.id);
  const [probe] = planned ? requestsOf(snapshot, question, planned) : [];
  if (!planned || !probe) return undefined;
  const isTcp = probe.action === 'probe.tcp';
  const attempt = isTcp ? { ...probe, args: { ...probe.args, timeoutMs: TCP_TIMEOUT_MS } } : probe;
  const watched = await watchFlow(run, question, planned, { ...options, seconds: 10, isEverybodys: false }, () =>
    sendAttempts(run, attempt, ATTEMPTS),
  );
  return watched.analysis.attempts.length === 0 ? undefined : captured(watched);
}

function captured(watched: Watched): CapturedFlow | undefined {
  const { flow, plan, watches, analysis, drops, rules } = watched;
  const walk = walkBeside(analysis.attempts, flow, plan);
  const seen = captureSeen({ walk, plan, watches, analysis, ...(drops && { drops }), ...(rules && { rules }) });
  const deciding = analysis.attempts.flatMap((attempt) => attempt.deciding ?? [])[0];
  const last = deciding?.sightings.at(-1);
  const request = watched.replies.find(
    (reply) => last !== undefined && isOf(reply.request, plan.points[last.point]!),
  )?.request;
  if (!last || !request) return undefined;
  const { place, device } = plan.points[last.point]!;
  const capture: FlowCapture = {
    agrees: walk.agrees,
    statement: seen.summary,
    losses: lossesOf(watched),
    wrongOuterSums: wrongOuterSumsOf(watched),
    evidence: {
      kind: 'capture',
      plane: 'capture',
      place: { ...place, device },
      source: { request },
      values: { verdict: seen.verdict, attempts: analysis.attempts.length, agrees: walk.agrees },
      statement: `a capture at ${plan.points.length} devices: ${seen.summary}`,
    },
  };
  return { capture, section: { flow: flow.id, ...seen }, watched };
}

function isOf(
  { place, args }: Watched['replies'][number]['request'],
  point: { readonly place: { readonly node: string; readonly namespace: string }; readonly device: string },
): boolean {
  return place.node === point.place.node && place.namespace === point.place.namespace && args.id === point.device;
}

function wrongOuterSumsOf({ analysis, plan }: Watched): FlowCapture['wrongOuterSums'] {
  return wrongChecksums(analysis.attempts, plan)
    .filter(({ whose }) => whose === 'outer')
    .map(({ point, packets }) => ({ place: plan.points[point]!.place, device: plan.points[point]!.device, packets }));
}

function lossesOf({ analysis, plan }: Watched): CaptureLoss[] {
  const deviceOf = ({ point, way, tuple }: WayStep): CaptureDevice => {
    const { place, device } = plan.points[point]!;
    const { outer } = tuple;
    const tunnel = outer && { kind: outer.tunnel, ...(outer.port !== undefined && { port: outer.port }) };
    return { place, device, way, ...(tunnel && { tunnel }) };
  };
  const losses = analysis.attempts.flatMap(({ deciding }): CaptureLoss[] => {
    if (deciding?.fate.is !== 'lost') return [];
    const { after, before } = deciding.fate;
    return [{ leg: deciding.leg, after: deviceOf(after), before: before.map(deviceOf) }];
  });
  return [...new Map(losses.map((loss) => [JSON.stringify(loss), loss])).values()];
}
