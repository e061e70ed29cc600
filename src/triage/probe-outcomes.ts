import type { Request } from '../host/host.ts';
import { podPlace } from '../net/place.ts';
import { interpretLarge, interpretProbe, type ProbeReading } from '../probe/interpret.ts';
import { namesAsked, probesOf } from '../probe/plan.ts';
import type { DatapathGate } from '../simulate/datapath.ts';
import type { IcmpAnswer, ProbeFacts } from '../snapshot/probe-answers.ts';
import type { Snapshot, Source } from '../snapshot/snapshot.ts';
import type { PlannedFlow } from '../target/flows.ts';
import type { Question } from '../target/question.ts';

/** One probe's answer, read. */
export interface ProbeOutcome extends ProbeReading {
  readonly request: Request;
  readonly source: Source;
}

/** Pings whose loss tells something only beside a small one that is answered. */
const LARGE: ReadonlySet<string> = new Set(['large', 'underlay-large', 'size']);
export const ANY_CLUSTER_NAME = 'kubernetes.default.svc.cluster.local.';

/** The probes that a planned flow asks for, at its own source; none from outside the cluster. */
export function requestsOf(snapshot: Snapshot, question: Question, flow: PlannedFlow): readonly Request[] {
  if (!('node' in flow.from)) return [];
  const { l4 } = flow.packet;
  const port = 'destinationPort' in l4 && typeof l4.destinationPort === 'number' ? l4.destinationPort : undefined;
  const probed = {
    purpose: probePurpose(flow.purpose),
    from: flow.from,
    destination: flow.packet.ip.destination,
    protocol: flow.protocol,
    ...(port !== undefined && { port }),
    trip: { forward: { packet: flow.packet } },
  };
  const requests = probesOf(probed, question.family, namesFor(snapshot, question, flow));
  if (flow.asUser === undefined) return requests;
  return requests.map((request) => ({ ...request, args: { ...request.args, uid: flow.asUser! } }));
}

function probePurpose(purpose: PlannedFlow['purpose']) {
  if (purpose === 'dns-control' || purpose === 'dns-upstream') return 'dns';
  if (purpose === 'dns-tcp' || purpose === 'dns-tcp-control' || purpose === 'dns-upstream-tcp') return 'dns';
  if (purpose === 'underlay') return 'icmp';
  if (purpose === 'past-proxy') return 'main';
  return purpose === 'underlay-large' || purpose === 'size' ? 'large' : purpose;
}

function namesFor(snapshot: Snapshot, question: Question, flow: PlannedFlow): readonly string[] {
  if (flow.name !== undefined) return [flow.name];
  if (flow.purpose === 'dns-control') return [ANY_CLUSTER_NAME];
  const { source, destination } = question;
  if (destination.kind === 'service' && destination.externalName !== undefined)
    return [`${destination.externalName.replace(/\.$/, '')}.`];
  if (flow.purpose === 'dns-upstream' && destination.kind === 'name')
    return [`${destination.host.replace(/\.$/, '')}.`];
  const file =
    source.kind === 'pod' && source.node !== undefined
      ? snapshot.fact('resolv-conf', podPlace(source.node, source.namespace, source.name))
      : undefined;
  return namesAsked(question, file?.state === 'seen' ? file.value : undefined);
}

/** Every answer that the flow's probes got so far. */
export function probeOutcomes(
  snapshot: Snapshot,
  question: Question,
  flow: PlannedFlow,
  gate?: DatapathGate,
): ProbeOutcome[] {
  return requestsOf(snapshot, question, flow).flatMap((request) => {
    const action = request.action as keyof ProbeFacts;
    const observed = snapshot.fact(action, request.place, request.args);
    if (observed.state === 'unseen') return [];
    // As it was asked, which in a bundle may have waited longer.
    const { args } = observed.source.request;
    const reading = LARGE.has(flow.purpose)
      ? interpretLarge(args, observed.value as IcmpAnswer, smallAnswer(snapshot, request))
      : interpretProbe(
          action,
          args,
          observed.value,
          flow.purpose === 'past-proxy' ? {} : circumstances(gate, question),
        );
    return [{ ...reading, request, source: observed.source }];
  });
}

/** The answer to the small ping of the same address, which tells whether a lost large one was lost for its size. */
function smallAnswer(snapshot: Snapshot, request: Request): IcmpAnswer | undefined {
  const small = snapshot.fact('probe.icmp', request.place, { ...request.args, sizeBytes: 56, df: false });
  return small.state === 'seen' ? small.value : undefined;
}

export function circumstances(gate: DatapathGate | undefined, question: Question): { interceptedBy?: string } {
  if (!gate || question.source.kind !== 'pod') return {};
  const pod = `${question.source.namespace}/${question.source.name}`;
  const mesh = gate.parts.find((part) => part.role === 'mesh' && part.pod === pod);
  return mesh ? { interceptedBy: mesh.by } : {};
}
