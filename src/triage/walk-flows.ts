import type { Flow } from '../diagnose/derived.ts';
import { type ClusterAddresses, clusterAddresses, leafHealth } from '../diagnose/leaf-health.ts';
import { type Leaf, tripLeaves } from '../diagnose/leaves.ts';
import { CLUSTER, placeKey } from '../net/place.ts';
import type { DatapathGate } from '../simulate/datapath.ts';
import { simulateRoundTrip } from '../simulate/simulate-round-trip.ts';
import type { RoundTrip } from '../simulate/trace.ts';
import type { World } from '../simulate/walk.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { PlannedFlow } from '../target/flows.ts';
import type { Question } from '../target/question.ts';
import { allPlannedFlows, probeOf } from './probe-flows.ts';

/** Every flow that the question makes us look at, walked there and back, with what its probe saw. */
export function walkFlows(snapshot: Snapshot, question: Question, gate: DatapathGate): Flow[] {
  const addresses = clusterAddresses(snapshot);
  const flows = allPlannedFlows(snapshot, question).flows.map((planned) => {
    const probe = probeOf(snapshot, question, planned, gate);
    return { ...walkFlow(planned, { snapshot, gate }, addresses), ...(probe && { probe }) };
  });
  const small = flows.find((flow) => flow.purpose === 'icmp');
  return flows.map((flow) =>
    small && (flow.purpose === 'large' || flow.purpose === 'size') ? diesOfItsSize(flow, small) : flow,
  );
}

/** What a small ping dies of just so is no matter of size: ping is not let through, and says nothing of large packets. */
function diesOfItsSize(flow: Flow, small: Flow): Flow {
  const isSame = (a: Leaf, b: Leaf): boolean =>
    a.end.end === b.end.end &&
    placeKey(a.end.place) === placeKey(b.end.place) &&
    (a.ref.leg === 'forward') === (b.ref.leg === 'forward');
  return { ...flow, dead: flow.dead.filter((leaf) => !small.dead.some((other) => isSame(leaf, other))) };
}

/** One flow walked there and back, with how its ends fare. */
export function walkFlow(planned: PlannedFlow, world: World, addresses: ClusterAddresses): Flow {
  const trip = walkOf(planned, world);
  const leaves = tripLeaves(trip, planned.id);
  const withHealth = leaves.map((leaf) => ({ leaf, health: leafHealth(leaf, addresses, world.gate) }));
  const { packet } = planned;
  const { l4 } = packet;
  return {
    id: planned.id,
    purpose: planned.purpose,
    ...('node' in planned.from && { from: planned.from }),
    source: trip.forward.packet.ip.source,
    destination: packet.ip.destination,
    protocol: planned.protocol,
    ...('destinationPort' in l4 && typeof l4.destinationPort === 'number' && { port: l4.destinationPort }),
    trip,
    leaves,
    dead: withHealth.filter((one) => one.health === 'dead').map((one) => one.leaf),
    unknown: withHealth.filter((one) => one.health === 'unknown').map((one) => one.leaf),
  };
}

/** A walk that fails is a walk that could not tell: one bad flow must not take the others' report along. */
function walkOf(planned: PlannedFlow, world: World): RoundTrip {
  const { from, packet, asUser, isUnbound } = planned;
  const owner = asUser === undefined ? {} : { owner: { uid: asUser } };
  try {
    return simulateRoundTrip(world, { from, packet, ...owner, ...(isUnbound && { isUnbound }) });
  } catch (error) {
    const because = `the walk failed: ${error instanceof Error ? error.message : String(error)}`;
    const place = 'node' in from ? from : CLUSTER;
    const meta = { mark: 0, connmark: 0, conntrack: 'none', zone: 0, nat: [] } as const;
    const then = {
      end: 'insufficient-information',
      senderSees: 'nothing',
      because,
      wants: [],
      packet,
      meta,
      place,
      at: { segment: 0, hop: 0, step: 0 },
    } as const;
    return { forward: { packet, from: place, segments: [{ hops: [], then }], unwalked: 0 }, replies: [] };
  }
}
