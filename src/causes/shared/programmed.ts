import type { Flow } from '../../diagnose/derived.ts';
import { type DeadEnd, deadEnds, hopsTo } from '../../diagnose/evidence-of.ts';
import { flowsTo } from '../../diagnose/service-flows.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { Step } from '../../simulate/trace.ts';
import type { Service } from '../../snapshot/objects.ts';

/** The steps that this node's host namespace took with the flow's forward packet. */
function stepsAt(end: DeadEnd, place: Place): Step[] {
  return hopsTo(end.leaf)
    .filter((hop) => placeKey(hop.place) === placeKey(place))
    .flatMap((hop) => hop.steps);
}

/** Dead ends of flows to the Service that crossed this node's host namespace and still bore the Service's own address at their end. */
export function untranslatedAt(service: Service, flows: readonly Flow[], place: Place): DeadEnd[] {
  return deadEnds(flowsTo(service, flows)).filter((end) => {
    if (end.leaf.ref.leg !== 'forward') return false;
    if (end.leaf.end.packet.ip.destination !== end.flow.destination) return false;
    const steps = stepsAt(end, place);
    return (
      steps.length > 0 &&
      !steps.some(
        (step) =>
          (step.kind === 'nat' && step.values['nat'] === 'destination') ||
          (step.kind === 'rule' && ['drop', 'reject'].includes(String(step.values['verdict']))),
      )
    );
  });
}

/** The step of the walk that translated the destination to a backend, wherever it was. */
export function translationOf(end: DeadEnd): { readonly step: Step; readonly place: Place } | undefined {
  for (const hop of hopsTo(end.leaf)) {
    const step = hop.steps.find(
      (one) => one.kind === 'nat' && one.values['nat'] === 'destination' && one.values['by'] !== 'reversal',
    );
    if (step) return { step, place: hop.place };
  }
  return undefined;
}
