import type { Request } from '../host/host.ts';
import { familyOf } from '../net/address.ts';
import { nextSizes, type SizeTally } from '../probe/mtu-search.ts';
import { synBeyondLearnt } from '../probe/syn-beyond-learnt.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { PlannedFlow } from '../target/flows.ts';
import type { Question } from '../target/question.ts';
import { probeOutcomes } from './probe-outcomes.ts';

/** The bytes that usual overheads take off: each is tried at once. */
const SIZE_STEPS = [10, 20, 28, 40, 50, 60, 80, 100, 130, 170, 220, 300] as const;
const SIZE_MIN_BYTES = 600;
/** Then between the two that differ, to the byte; so many rounds of probes are left for it. */
const FURTHER_ROUNDS = 2;
/** Of each ping of a flow (probe/plan.ts). */
const PINGS = 2;

/** Only large packets are lost: from which size on? The path-MTU search, over the answers that are there so far. */
export function sizeFlows(snapshot: Snapshot, question: Question, planned: readonly PlannedFlow[]): PlannedFlow[] {
  const large = planned.find((flow) => flow.purpose === 'large');
  const small = planned.find((flow) => flow.purpose === 'icmp');
  if (!large || passedOf(snapshot, question, large) !== 'no') return [];
  const flowOf = (lengthBytes: number): PlannedFlow => ({
    ...large,
    ...{ id: `size/${lengthBytes}`, purpose: 'size', packet: { ...large.packet, lengthBytes } },
  });
  const mostBytes = large.packet.lengthBytes;
  const sizes: number[] = SIZE_STEPS.map((step) => mostBytes - step).filter((bytes) => bytes >= SIZE_MIN_BYTES);
  const bounds = { leastBytes: small?.packet.lengthBytes ?? 0, mostBytes, triesMin: PINGS };
  for (let round = 0; round < FURTHER_ROUNDS; round++) {
    const flows = [...(small ? [small] : []), ...sizes.map(flowOf), large];
    const tallies = flows.flatMap((flow) => tallyOf(flow, passedOf(snapshot, question, flow)));
    if (tallies.length < flows.length) break;
    sizes.push(...nextSizes(tallies, bounds).filter((size) => !sizes.includes(size) && size < mostBytes));
  }
  return sizes.map(flowOf);
}

function passedOf(snapshot: Snapshot, question: Question, flow: PlannedFlow) {
  return probeOutcomes(snapshot, question, flow)[0]?.passed;
}

function tallyOf({ packet }: PlannedFlow, passed: 'yes' | 'no' | 'unknown' | undefined): SizeTally[] {
  if (passed === undefined || passed === 'unknown') return [];
  return [{ sizeBytes: packet.lengthBytes, sent: PINGS, answered: passed === 'yes' ? PINGS : 0, tooBig: [] }];
}

/** The sender's own kernel refuses a large ping for what it has learnt of the destination: has the path really so little? */
export function learntWants(snapshot: Snapshot, question: Question, planned: readonly PlannedFlow[]): Request[] {
  const large = planned.find((flow) => flow.purpose === 'large');
  if (!large || !('node' in large.from)) return [];
  if (!probeOutcomes(snapshot, question, large).some(({ outcome }) => outcome === 'too-big')) return [];
  const { source, destination } = large.packet.ip;
  const learnt = snapshot.fact('route-exceptions', large.from, { family: familyOf(destination) });
  if (learnt.state === 'unseen' || !learnt.value.some((one) => one.destination.address === destination)) return [];
  const main = planned.find((flow) => flow.purpose === 'main');
  const port = main?.packet.ip.destination === destination && main.protocol === 'tcp' ? portOf(main) : undefined;
  const sizeBytes = large.packet.lengthBytes;
  return [
    synBeyondLearnt({ from: large.from, source, destination, sizeBytes, ...(port === undefined ? {} : { port }) }),
  ];
}

function portOf({ packet: { l4 } }: PlannedFlow): number | undefined {
  return 'destinationPort' in l4 && typeof l4.destinationPort === 'number' ? l4.destinationPort : undefined;
}
