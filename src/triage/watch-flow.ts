import { analyseCapture, type CaptureAnalysis, type OwnTraffic } from '../capture/analyse-capture.ts';
import { startRequest, stopRequest } from '../capture/capture-request.ts';
import { dropRequests } from '../capture/drop-request.ts';
import { type Captured, readCaptures } from '../capture/read-captures.ts';
import { ruleTraceRequests } from '../capture/rule-trace-request.ts';
import { type WatchedRules, watchedRules } from '../capture/rule-verdicts.ts';
import { type WatchPlan, watchPlan } from '../capture/watch-plan.ts';
import { datapathGate } from '../cni/gate.ts';
import type { Flow } from '../diagnose/derived.ts';
import { clusterAddresses } from '../diagnose/leaf-health.ts';
import type { Reply, Request } from '../host/host.ts';
import { placeKey } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { PlannedFlow } from '../target/flows.ts';
import type { Question } from '../target/question.ts';
import type { CaptureFile } from '../wire/capture-file.ts';
import { writePcapng } from '../wire/write-pcapng.ts';
import { BATCH_DEADLINE_MS, REQUEST_MAX_BYTES } from './collect-question.ts';
import { oppositeFlows } from './opposite-flows.ts';
import { withPodUids } from './places-asked.ts';
import { createRun, type Run } from './run.ts';
import { walkFlow } from './walk-flows.ts';
import { walkUntilKnown } from './walk-until-known.ts';
import { type WatchedDrops, watchedDrops } from './watch-drops.ts';

export interface WatchOptions {
  readonly tell: (text: string) => void;
  readonly sleep: (ms: number) => Promise<void>;
  /** How long it is meant to be watched; the nodes themselves end it some time after that. */
  readonly seconds: number;
  /** Also follow, and keep, what others send between the same ends. */
  readonly isEverybodys: boolean;
  /** Also ask the nodes' kernels why they drop packets of the flow. */
  readonly dropReasons?: boolean;
  /** Also have the kernels trace packets of the flow through their rules, by a rule that is written for it. */
  readonly traceRules?: boolean;
}

export interface Watched {
  readonly flow: Flow;
  readonly plan: WatchPlan;
  readonly watches: Captured['watches'];
  readonly analysis: CaptureAnalysis;
  /** What was captured of the attempts that `analysis` tells of. */
  readonly file: CaptureFile;
  /** Of the nodes, with the frames of `file` alone. */
  readonly replies: readonly Reply[];
  /** Undefined where nobody asked for it. */
  readonly drops?: WatchedDrops;
  readonly rules?: WatchedRules;
}

/** A device keeps at most that many frames. */
const PACKETS_MAX = 10_000;
const GRACE_SECONDS = 20;
/** For what is still on its way when the last attempt has given up. */
const SETTLE_MS = 300;

/**
 * Walks a flow, watches every device on its way there and back at the same time while `act` sends it, and follows each attempt
 * from device to device. What was started on the nodes is ended, whatever happens.
 */
export async function watchFlow(
  run: Run,
  question: Question,
  planned: PlannedFlow,
  options: WatchOptions,
  act: () => Promise<OwnTraffic | undefined>,
): Promise<Watched> {
  const { flow, plan } = await planWatch(run, question, planned);
  const { points } = plan;
  const limits = { seconds: Math.ceil(options.seconds) + GRACE_SECONDS, packets: PACKETS_MAX };
  const starts = points.map((point) => startRequest(point, point.device, limits));
  const stops = points.map((point) => stopRequest(point, point.device));
  const kernel = options.dropReasons ? dropRequests(plan, limits.seconds) : NONE;
  const traces = options.traceRules ? ruleTraceRequests(plan, limits.seconds) : NONE;
  await run.collect('starting captures', withPodUids(run.snapshot(), [...starts, ...kernel.starts, ...traces.starts]));
  const own = await act();
  await options.sleep(SETTLE_MS);
  // Also after Ctrl-C, which ends the watching: what was seen until then is told.
  const limitsOfRun = { deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES };
  const ending = createRun(run.host, { ...limitsOfRun, signal: new AbortController().signal, tell: options.tell });
  await ending.collect('ending captures', withPodUids(run.snapshot(), [...stops, ...kernel.stops, ...traces.stops]));
  const started = answersTo(starts, run.replies());
  const stopped = answersTo(stops, ending.replies());
  const { file, watches } = readCaptures(points, started, stopped);
  const analysis = analyseCapture(file, plan, watches, options.isEverybodys ? undefined : own);
  const ours = options.isEverybodys ? undefined : own;
  const drops = watchedDrops(endsOf(kernel, run, ending), run.snapshot(), ours);
  const filters = new Map(traces.starts.map(({ place, args }) => [placeKey(place), String(args.filter)]));
  const rules = watchedRules(endsOf(traces, run, ending), filters, ours);
  const kept = options.isEverybodys ? file : ownPart(file, analysis);
  return {
    flow,
    plan,
    watches,
    analysis,
    file: kept,
    replies: [
      ...stopped.flatMap((reply, at) => withOwnFrames(reply, at, kept)),
      ...(drops?.replies ?? []),
      ...(rules?.replies ?? []),
    ],
    ...(drops && { drops }),
    ...(rules && { rules }),
  };
}

interface Watching {
  readonly starts: readonly Request[];
  readonly stops: readonly Request[];
}

const NONE: Watching = { starts: [], stops: [] };

/** Where the watch never began, its beginning tells why. */
function endsOf({ starts, stops }: Watching, run: Run, ending: Run): Reply[] {
  const started = answersTo(starts, run.replies());
  const stopped = answersTo(stops, ending.replies());
  return stops.flatMap((request, at): Reply[] => {
    const [first, last] = [started[at], stopped[at]];
    if (last?.got === 'raw') return [last];
    return first?.got === 'nothing' ? [{ ...first, request }] : last ? [last] : [];
  });
}

async function planWatch(run: Run, question: Question, planned: PlannedFlow): Promise<Pick<Watched, 'flow' | 'plan'>> {
  const walks = (snapshot: Snapshot): Flow[] =>
    [planned, ...oppositeFlows(snapshot, question, planned)].map((one) =>
      walkFlow(one, { snapshot, gate: datapathGate(snapshot) }, clusterAddresses(snapshot)),
    );
  await walkUntilKnown(run, question.family, walks);
  const snapshot = run.snapshot();
  const [flow, ...opposites] = walks(snapshot);
  const trips = new Map(opposites.map((one) => [one.source!, one.trip]));
  return { flow: flow!, plan: watchPlan({ snapshot, trip: flow!.trip, opposites: trips }) };
}

function answersTo(requests: readonly Request[], replies: readonly Reply[]): (Reply | undefined)[] {
  return requests.map(({ action, place, args }) =>
    replies.find(
      ({ request }) =>
        request.action === action && placeKey(request.place) === placeKey(place) && request.args.id === args.id,
    ),
  );
}

/** The frames of the attempts that are told of. */
function ownPart(file: CaptureFile, { attempts }: CaptureAnalysis): CaptureFile {
  const own = new Set(
    attempts.flatMap(({ packets }) =>
      packets.flatMap(({ sightings }) => sightings.map(({ point, atNs }) => `${point} ${atNs}`)),
    ),
  );
  return { ...file, frames: file.frames.filter((frame) => own.has(`${frame.interface} ${frame.timestampNs}`)) };
}

/** Others' traffic is in no bundle. */
function withOwnFrames(reply: Reply | undefined, point: number, file: CaptureFile): Reply[] {
  if (reply?.got !== 'raw') return reply ? [reply] : [];
  const frames = file.frames.filter((frame) => frame.interface === point).map((frame) => ({ ...frame, interface: 0 }));
  return [{ ...reply, raw: writePcapng({ interfaces: [file.interfaces[point]!], frames }) }];
}
