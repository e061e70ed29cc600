import type { Snapshot } from '../snapshot/snapshot.ts';
import { type PlannedFlow, plannedFlows } from '../target/flows.ts';
import type { Question, TargetProblem } from '../target/question.ts';
import { resolvedNames } from './probe-flows.ts';

/** The question's own packet, or why there is none. */
export function mainFlow(snapshot: Snapshot, question: Question): PlannedFlow | TargetProblem {
  const flows = plannedFlows(snapshot, question, resolvedNames(snapshot, question));
  const main = flows.find((flow) => flow.purpose === 'main');
  return main ?? { kind: 'usage', problem: missingBecause(question), near: [] };
}

function missingBecause({ source, destination, asked, port }: Question): string {
  if (source.kind === 'pod' && source.place === undefined)
    return `${asked.source} has no network to send from: it runs on no node yet`;
  if (destination.kind === 'name' || (destination.kind === 'service' && destination.externalName !== undefined))
    return `the address of ${asked.destination} is not known, and a simulation sends no look-ups: give the address`;
  if (destination.kind === 'service' && port === undefined) return `${asked.destination} has no such port`;
  return `there is no address to send to for ${asked.destination}`;
}
