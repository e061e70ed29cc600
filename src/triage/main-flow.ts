import type { Snapshot } from '../snapshot/snapshot.ts';
import { type PlannedFlow, plannedFlows, serviceAskedBy } from '../target/flows.ts';
import type { Question, TargetProblem } from '../target/question.ts';
import { describePorts } from '../target/service-ports.ts';
import { resolvedNames } from './probe-flows.ts';

/** The question's own packet, or why there is none. */
export function mainFlow(snapshot: Snapshot, question: Question): PlannedFlow | TargetProblem {
  const flows = plannedFlows(snapshot, question, resolvedNames(snapshot, question));
  const main = flows.find((flow) => flow.purpose === 'main');
  return main ?? { kind: 'usage', problem: missingBecause(snapshot, question), near: [] };
}

/**
 * What the reader must know of an address that a look-up would have told: that none was made, or that there are others.
 * A packet that arrives there says nothing of DNS, nor of the others.
 */
export function notesOnAddress(snapshot: Snapshot, question: Question, { packet }: PlannedFlow): readonly string[] {
  const { destination } = question;
  const service = serviceAskedBy(snapshot, question)?.service;
  const address = packet.ip.destination;
  const isHeadless = service?.spec.clusterIP === 'None';
  return [
    ...(destination.kind === 'name' && !resolvedNames(snapshot, question).has(destination.host)
      ? [
          `no answer of DNS for ${destination.host} is known: ${address} is the address of its Service, and whether the name is found is not walked`,
        ]
      : []),
    ...(isHeadless && destination.kind === 'service'
      ? [`a headless Service is the addresses of its pods: ${address} is one of them, the others are not walked`]
      : []),
  ];
}

function missingBecause(snapshot: Snapshot, question: Question): string {
  const { source, destination, asked, port } = question;
  if (source.kind === 'pod' && source.place === undefined)
    return `${asked.source} has no network to send from: it runs on no node yet`;
  if (destination.kind === 'name' || (destination.kind === 'service' && destination.externalName !== undefined))
    return `the address of ${asked.destination} is not known, and a simulation sends no look-ups: give the address`;
  if (destination.kind === 'service' && port === undefined) {
    const service = serviceAskedBy(snapshot, question)?.service;
    return `${asked.destination} has no such port (its ports: ${(service && describePorts(service)) || 'none'})`;
  }
  return `there is no address to send to for ${asked.destination}`;
}
