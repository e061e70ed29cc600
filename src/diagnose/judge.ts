import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import type { Case } from './check.ts';
import type { Flow } from './derived.ts';
import type { Confidence } from './evidence.ts';
import { dropEvidenceFor, dropsInSpite } from './kernel-drops.ts';
import type { Leaf } from './leaves.ts';
import { claimedFlows, claimedLeaves, hasLiveEvidence, hasOwnEvidence, type Named, type Present } from './named.ts';
import { tracedInSpite, traceEvidenceFor } from './traced-rules.ts';
import { changesOf, type Layered, mendedBy } from './uncover-layers.ts';

export function judge(
  layers: readonly Layered[],
  given: Case,
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Named[] {
  const mended = changesOf(layers).length > 0 ? walkAgain(mendedBy(layers, given.snapshot)) : [];
  return layers.map((bare) => {
    const layered = bare.layer > 0 ? bare : withDrops(bare, given);
    const counterfactual = layered.layer > 0 ? undefined : counterfactualOf(layered.finding, given, walkAgain);
    const confidence = confidenceOf(layered, given, counterfactual?.holds, deliveredTogether(layered.finding, mended));
    return {
      cause: layered.checked.cause,
      checked: layered.checked,
      finding: layered.layer > 0 ? layered.finding : withCapture(layered.finding, given),
      confidence,
      counterfactual,
      behind: layered.layer > 0,
      explains: [],
    };
  });
}

/** What the kernel said of its own drops and verdicts stands beside the cause that it speaks for. */
function withDrops(layered: Layered, given: Case): Layered {
  const { finding, checked } = layered;
  const [first, ...rest] = finding.evidence;
  const said = [
    ...traceEvidenceFor(finding, given),
    ...dropEvidenceFor(checked.cause.id, finding, checked.place, given),
  ];
  return said.length === 0 ? layered : { ...layered, finding: { ...finding, evidence: [first, ...rest, ...said] } };
}

/** What a capture of a claimed flow saw stands beside the cause where it is what the walk says. */
function withCapture(finding: Present, given: Case): Present {
  const seen = claimedFlows(finding, given).flatMap(({ capture }) =>
    capture?.agrees === 'yes' ? [capture.evidence] : [],
  );
  const [first, ...rest] = finding.evidence;
  return { ...finding, evidence: [first, ...rest, ...seen.filter((one) => !finding.evidence.includes(one))] };
}

function counterfactualOf(
  finding: Present,
  given: Case,
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Named['counterfactual'] {
  const change = finding.change ?? [];
  if (change.length === 0 || finding.claims.length === 0) return undefined;
  const flows = walkAgain(given.snapshot.with(change));
  const claimed = claimedLeaves(finding, given);
  const holds = claimed.length > 0 && claimed.every((leaf) => !stillDies(leaf, flows));
  return { change: describeChanges(change), disposition: dispositionAfter(finding, flows), holds };
}

/** Whether the flow still has a dead end of the same kind, on the same leg, at the same step of the same namespace. */
function stillDies(leaf: Leaf, flows: readonly Flow[]): boolean {
  const flow = flows.find((candidate) => candidate.id === leaf.ref.flow);
  if (!flow) return true;
  return flow.dead.some(
    (dead) =>
      dead.end.end === leaf.end.end &&
      dead.end.place.node === leaf.end.place.node &&
      dead.end.place.namespace === leaf.end.place.namespace &&
      (dead.ref.leg === 'forward') === (leaf.ref.leg === 'forward') &&
      dead.end.packet.ip.destination === leaf.end.packet.ip.destination &&
      stepAt(dead) === stepAt(leaf),
  );
}

/** The step and its very line: with a rule gone, the one behind it has its number. */
function stepAt(leaf: Leaf): string {
  const { hop, segment, step } = leaf.end.at;
  const found = leaf.trace.segments[segment]?.hops[hop]?.steps[step];
  return found ? `${found.at}\n${found.source.text ?? ''}` : '';
}

function dispositionAfter(finding: Present, flows: readonly Flow[]): string {
  const ids = new Set(finding.claims.map((claim) => claim.flow));
  const touched = flows.filter((flow) => ids.has(flow.id));
  const dead = touched.flatMap((flow) => flow.dead);
  if (dead.length > 0) return [...new Set(dead.map((leaf) => leaf.end.end))].join(', ');
  return touched.some((flow) => flow.unknown.length > 0) ? 'insufficient-information' : 'delivered';
}

function describeChanges(changes: readonly SnapshotChange[]): string {
  return changes
    .map(
      (change) =>
        `${change.text}${change.place.node ? ` (${change.place.namespace === 'host' ? change.place.node : change.place.namespace})` : ''}`,
    )
    .join('; ');
}

/** With all named causes' changes together, every flow that this one claims is delivered both ways. */
function deliveredTogether(finding: Present, mended: readonly Flow[]): boolean {
  const ids = new Set(finding.claims.map((claim) => claim.flow));
  const touched = mended.filter((flow) => ids.has(flow.id));
  return touched.length > 0 && touched.every((flow) => flow.dead.length === 0 && flow.unknown.length === 0);
}

/**
 * Proven: the walk or a stated invariant names the fault, a live plane agrees and none disagrees, and the counterfactual holds.
 * Predicted: the walk alone. Observed: seen live, without the whole proof. Suspected: circumstantial, only on ways that
 * an undecided rule may or may not take, or undoing it does not help.
 */
function confidenceOf(layered: Layered, given: Case, holdsAlone: boolean | undefined, together: boolean): Confidence {
  const { cause } = layered.checked;
  const { finding } = layered;
  if (layered.layer > 0) return finding.claims.length > 0 || cause.invariant !== undefined ? 'predicted' : 'suspected';
  const live = hasLiveEvidence(finding) || claimedFlows(finding, given).some((flow) => flow.probe?.passed === 'no');
  const claims = finding.claims.length > 0;
  const claimsCertain = claimedLeaves(finding, given).some((leaf) => leaf.chance.min > 0);
  if (holdsAlone === false) return hasOwnEvidence(finding, given) ? 'observed' : 'suspected';
  if (claimsCertain && live && holdsAlone && together)
    return claimedFlows(finding, given).some((flow) => isContradictedLive(flow)) ? 'observed' : 'proven';
  if (cause.invariant !== undefined && live && (!claims || claimsCertain)) return 'proven';
  if (live) return 'observed';
  return claims
    ? claimsCertain
      ? 'predicted'
      : 'suspected'
    : cause.invariant !== undefined
      ? 'predicted'
      : 'suspected';
}

/** A capture, a drop or a traced rule that is not what the walk says. */
function isContradictedLive(flow: Flow): boolean {
  return flow.capture?.agrees === 'no' || dropsInSpite(flow).length > 0 || tracedInSpite(flow).length > 0;
}
