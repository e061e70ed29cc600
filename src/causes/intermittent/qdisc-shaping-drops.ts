import { type Ask, defineCause, type Finding } from '../../diagnose/cause.ts';
import { placesOfFlow } from '../../diagnose/check.ts';
import type { Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { counterEvidence, hopsTo, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { lostByKernel } from '../../diagnose/kernel-drops.ts';
import { CLUSTER, type Place, placeKey } from '../../net/place.ts';
import type { Qdisc } from '../../parse/qdisc.ts';
import type { Seen } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { distinctBy } from '../shared/claims.ts';
import { lostOnTheWay } from '../shared/overlay-loss.ts';
import { present } from '../shared/present.ts';

/** Disciplines that hold packets back to a rate, and drop what finds no room (tc-tbf(8), tc-htb(8), tc-hfsc(7), tc-cake(8)). */
const SHAPERS: ReadonlySet<string> = new Set(['tbf', 'htb', 'hfsc', 'cake', 'cbq']);
/** The kernel's names for a drop by a queueing discipline (include/net/dropreason-core.h). */
const REASONS: ReadonlySet<string> = new Set(['QDISC_DROP', 'QDISC_OVERLIMIT', 'QDISC_CONGESTED']);
/** What kubelet hands to the CNI’s bandwidth plugin (kubernetes.io, Network Plugins, "Support traffic shaping"). */
const ANNOTATION = /^kubernetes\.io\/(ingress|egress)-bandwidth$/;

/**
 * A shaper on a device of the way drops the packets: its queue is full, since more comes than its rate lets out, or its bucket is
 * smaller than a packet. Kubernetes makes one for a pod with a bandwidth annotation.
 */
export const qdiscShapingDrops = defineCause({
  id: 'qdisc-shaping-drops',
  class: 'intermittent',
  title: 'A bandwidth limit on the way drops the packets',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['qdiscs', 'api.pods'],
  invariant: 'no device on the way drops what it is given to send',
  check({ flows }, _place, ask) {
    const lost = lostOnTheWay(flows);
    const places = distinctBy(lost.flatMap(placesOfFlow), placeKey).filter(({ node }) => node !== '');
    const looks = places.map((place) => lookAt(place, lost, ask));
    const dropping = looks.flatMap((look) => (look.is === 'seen' ? look.dropping : []));
    const proven = dropping.filter((one) => lost.some((flow) => isLostAt(flow, one)));
    const [first] = proven;
    if (!first) return notShown(flows, lost, dropping, looks);
    const { place, after } = first;
    const { device, kind } = after;
    return present({
      claims: [],
      evidence: [
        ...proven.flatMap(evidenceOf),
        ...lost.flatMap(({ capture }) => (capture ? [capture.evidence] : [])),
        ...annotationsOn(lost, place, ask),
        ...probeEvidence(lost),
      ],
      place: { ...place, object: `qdisc ${kind} of ${device}` },
      fix: {
        summary: `raise the limit on ${device} to what is really needed, with a bucket that holds several packets; where a pod’s bandwidth annotation makes it, change the annotation and start the pod anew`,
        commands: [
          `tc -s qdisc show dev ${device}    # on ${place.node}: dropped and overlimits rise`,
          `tc qdisc change dev ${device} root ${kind} …    # on ${place.node}: another rate, burst and limit`,
        ],
      },
    });
  },
});

interface Dropping {
  readonly place: Place;
  readonly before: Qdisc;
  readonly after: Qdisc;
  readonly seen: Seen<readonly Qdisc[]>;
}

type Look =
  | { readonly is: 'seen'; readonly dropping: readonly Dropping[] }
  | { readonly is: 'unseen'; readonly because: string };

/** Shapers of devices that these flows leave this namespace by, whose drops rose while the probes ran. */
function lookAt(place: Place, lost: readonly Flow[], ask: Ask<'qdiscs'>): Look {
  const [first, second] = [ask('qdiscs', place), ask.after('qdiscs', place)];
  const unseen = [first, second].find((one) => one.state === 'unseen');
  if (first.state === 'unseen' || second.state === 'unseen')
    return {
      is: 'unseen',
      because: `the queueing disciplines of ${nameOf(place)}: ${unseen?.state === 'unseen' ? unseen.detail : ''}`,
    };
  const devices = devicesOut(lost, place);
  const dropping = second.value.flatMap((after): Dropping[] => {
    if (!SHAPERS.has(after.kind) || !devices.has(after.device)) return [];
    const before = first.value.find((one) => one.device === after.device && one.handle === after.handle);
    return before && after.drops > before.drops ? [{ place, before, after, seen: second }] : [];
  });
  return { is: 'seen', dropping };
}

function devicesOut(flows: readonly Flow[], place: Place): ReadonlySet<string> {
  const hops = flows
    .flatMap(({ leaves }) => leaves.flatMap(hopsTo))
    .filter((hop) => placeKey(hop.place) === placeKey(place));
  return new Set(hops.flatMap(({ output }) => output ?? []));
}

/**
 * A capture sees what goes out by a device behind its queueing discipline (dev_hard_start_xmit, net/core/dev.c): what the discipline
 * drops was seen before and is not seen there. Or the kernel itself says so.
 */
function isLostAt(flow: Flow, { place, after: { device } }: Dropping): boolean {
  const isHere = (one: Place): boolean => placeKey(one) === placeKey(place);
  const captured = flow.capture?.losses.some(({ before }) =>
    before.some((next) => next.way === 'out' && next.device === device && isHere(next.place)),
  );
  const said = lostByKernel(flow).some(
    (drop) => REASONS.has(drop.reason) && drop.device === device && isHere(drop.place),
  );
  return captured === true || said;
}

function evidenceOf({ place, before, after, seen }: Dropping): Evidence[] {
  const { device, kind, rateBytes, burstBytes } = after;
  const where: Place = { ...place, device };
  const limits = [
    ...(rateBytes === undefined ? [] : [`${rateBytes * 8} bit/s`]),
    ...(burstBytes === undefined ? [] : [`a bucket of ${burstBytes} bytes`]),
  ];
  const name = `qdisc ${kind} of ${device}`;
  const words = `${device} of ${nameOf(place)} is held back by ${kind}${limits.length > 0 ? `: ${limits.join(', ')}` : ''}`;
  const overlimits = after.overlimits - before.overlimits;
  return [
    stateEvidence('qdisc', where, seen, words, { kind, device }),
    counterEvidence('counter', where, seen, `drops of ${name}`, after.drops - before.drops),
    ...(overlimits > 0 ? [counterEvidence('counter', where, seen, `overlimits of ${name}`, overlimits)] : []),
  ];
}

/** Bandwidth annotations of pods on the way, on the node of the shaper. */
function annotationsOn(lost: readonly Flow[], { node }: Place, ask: Ask<'api.pods'>): Evidence[] {
  const pods = ask('api.pods', CLUSTER);
  if (pods.state === 'unseen') return [];
  const places = distinctBy(lost.flatMap(placesOfFlow), placeKey).filter((place) => place.node === node);
  return places.flatMap((place) => {
    const pod = pods.value.find(({ metadata }) => place.namespace === `pod/${metadata.namespace}/${metadata.name}`);
    const limits = Object.entries(pod?.metadata.annotations ?? {}).filter(([name]) => ANNOTATION.test(name));
    return limits.map(([name, value]) =>
      stateEvidence('pod-annotation', place, pods, `${nameOf(place)} has the annotation ${name}: ${value}`, {
        name,
        value,
      }),
    );
  });
}

function notShown(
  flows: readonly Flow[],
  lost: readonly Flow[],
  dropping: readonly Dropping[],
  looks: readonly Look[],
): Finding {
  if (lost.some(({ capture }) => (capture?.losses.length ?? 0) > 0))
    return absentFromWalks(flows, 'what was lost was lost elsewhere than at a bandwidth limit');
  const [first] = dropping;
  if (first) {
    const { place, after, before } = first;
    const rose = `the drops of ${after.kind} on ${after.device} of ${nameOf(place)} rose by ${after.drops - before.drops}`;
    return { is: 'unknown', because: `${rose}; whether these were packets of this flow only a capture tells` };
  }
  const unseen = looks.find((look) => look.is === 'unseen');
  if (unseen?.is === 'unseen') return { is: 'unknown', because: unseen.because };
  return absentFromWalks(flows, 'no bandwidth limit on the way dropped anything while the probes ran');
}

function nameOf({ node, namespace }: Place): string {
  return namespace === 'host' ? node : `${namespace} on ${node}`;
}
