import { placeKey } from '../net/place.ts';
import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import { answeredBy } from './answered-by.ts';
import type { Cause, Finding } from './cause.ts';
import { type Case, type Checked, checkCause } from './check.ts';
import type { Flow } from './derived.ts';
import { disagreementsOf, endpointAnswers, isContradicted, isDisproved } from './disagreements.ts';
import type { Confidence } from './evidence.ts';
import { isAside } from './is-aside.ts';
import { type Leaf, leafKey } from './leaves.ts';
import { walkAnswer } from './walk-answer.ts';

export type Present = Extract<Finding, { is: 'present' }>;

/** A cause that holds, with the engine's own judgement of how well it is shown. */
export interface Named {
  readonly cause: Cause;
  readonly checked: Checked;
  readonly finding: Present;
  readonly confidence: Confidence;
  readonly counterfactual?: { readonly change: string; readonly disposition: string; readonly holds: boolean };
  /** Found only after the causes before it were undone: it lies behind them. */
  readonly behind: boolean;
  readonly explains: readonly Named[];
}

export interface Diagnosis {
  readonly causes: readonly Named[];
  /** Dead ends that no cause claims. */
  readonly unexplained: readonly { readonly flow: Flow; readonly leaf: Leaf }[];
  /** Where walk and probe contradict each other. */
  readonly disagreements: readonly string[];
  readonly ruledOut: readonly { readonly id: string; readonly because: string }[];
  readonly notChecked: readonly { readonly id: string; readonly because: string }[];
}

/** Faults that hide one another are uncovered one layer at a time; more layers than this are not looked for. */
const LAYERS_MAX = 4;

/**
 * Names the causes of a case.
 *
 * @param walkAgain walks every flow anew on a changed snapshot, without probes: the counterfactual.
 */
export function diagnose(
  given: Case,
  causes: readonly Cause[],
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Diagnosis {
  const first = causes.flatMap((cause) => checkCause(cause, given));
  const layers = uncoverLayers(first, given, causes, walkAgain);
  const reportable = judge(layers, given, walkAgain).filter((named) => isReportable(named, given));
  const kept = dropRefined(reportable);
  const isExplained = kept.some((named) => named.cause.gravity === 'fault' && named.confidence !== 'suspected');
  return {
    causes: nest(rank(kept, given)),
    unexplained: unexplained(given, reportable),
    disagreements: disagreementsOf(given.flows, isExplained),
    ...verdictsOfTheRest(first, kept, reportable),
  };
}

interface Layered {
  readonly checked: Checked;
  readonly finding: Present;
  /** How many layers of faults were undone before it showed. */
  readonly layer: number;
}

/** The causes of the case as it is, then those that show only once these are undone. */
function uncoverLayers(
  first: readonly Checked[],
  given: Case,
  causes: readonly Cause[],
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Layered[] {
  const found: Layered[] = first.flatMap((checked) => present(checked, 0));
  const claimedFlows = (): Set<string> =>
    new Set(found.flatMap((layered) => layered.finding.claims.map((claim) => claim.flow)));
  for (let layer = 1; layer < LAYERS_MAX; layer++) {
    if (changesOf(found).length === 0 || claimedFlows().size === 0) break;
    const snapshot = mendedBy(found, given.snapshot);
    const flows = walkAgain(snapshot).filter((flow) => claimedFlows().has(flow.id));
    if (flows.every((flow) => flow.dead.length === 0)) break;
    const next = causes
      .flatMap((cause) => checkCause(cause, { ...given, snapshot, flows }))
      .flatMap((checked) => present(checked, layer))
      .filter((layered) => layered.finding.claims.length > 0 && !found.some((known) => sameFault(known, layered)));
    if (next.length === 0) break;
    found.push(...next);
  }
  return found;
}

function present(checked: Checked, layer: number): Layered[] {
  return checked.finding.is === 'present' ? [{ checked, finding: checked.finding, layer }] : [];
}

/** The same cause at the same place with the same change: a second rule that drops behind the first is another fault. */
function sameFault(a: Layered, b: Layered): boolean {
  return (
    a.checked.cause.id === b.checked.cause.id &&
    placeKey(a.checked.place) === placeKey(b.checked.place) &&
    a.checked.place.object === b.checked.place.object &&
    JSON.stringify(a.finding.change ?? []) === JSON.stringify(b.finding.change ?? [])
  );
}

/**
 * The snapshot with all changes of these faults. A later layer's were found with the earlier ones made, and are made on
 * top of them: a rule's number means what it meant where the rule was seen.
 */
function mendedBy(layers: readonly Layered[], snapshot: Snapshot): Snapshot {
  const byLayer = Map.groupBy(layers, (layered) => layered.layer);
  return [...byLayer.keys()]
    .sort((a, b) => a - b)
    .reduce((mended, layer) => mended.with(changesOf(byLayer.get(layer)!)), snapshot);
}

function changesOf(layers: readonly Layered[]): SnapshotChange[] {
  return layers.flatMap((layered) => layered.finding.change ?? []);
}

function judge(layers: readonly Layered[], given: Case, walkAgain: (snapshot: Snapshot) => readonly Flow[]): Named[] {
  const mended = changesOf(layers).length > 0 ? walkAgain(mendedBy(layers, given.snapshot)) : [];
  return layers.map((layered) => {
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

export function describeChanges(changes: readonly SnapshotChange[]): string {
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
    return claimedFlows(finding, given).some(({ capture }) => capture?.agrees === 'no') ? 'observed' : 'proven';
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

function hasLiveEvidence(finding: Present): boolean {
  return finding.evidence.some(
    (evidence) => evidence.plane === 'probe' || evidence.plane === 'capture' || evidence.plane === 'kernel',
  );
}

/** Live evidence beside the flows' own probes: that a flow fails speaks for every cause that claims it, and for none more. */
function hasOwnEvidence(finding: Present, given: Case): boolean {
  const ofFlows = new Set(given.flows.map((flow) => flow.probe?.evidence));
  const evidence = finding.evidence.filter((one) => !ofFlows.has(one));
  const [first, ...rest] = evidence;
  return first !== undefined && hasLiveEvidence({ ...finding, evidence: [first, ...rest] });
}

function claimedFlows(finding: Present, given: Case): Flow[] {
  const ids = new Set(finding.claims.map((claim) => claim.flow));
  return given.flows.filter((flow) => ids.has(flow.id));
}

function claimedLeaves(finding: Present, given: Case): Leaf[] {
  const keys = new Set(finding.claims.map(leafKey));
  return given.flows.flatMap((flow) => flow.leaves.filter((leaf) => keys.has(leafKey(leaf.ref))));
}

/**
 * A fault is reported only with a symptom: a dead end that it claims and that no probe contradicts, or live evidence.
 * What is odd but harms nobody is no finding, and neither is what only ping meets while the port answers.
 */
function isReportable(named: Named, given: Case): boolean {
  if (named.cause.gravity !== 'fault') return true;
  if (named.behind) return true;
  if (named.finding.claims.length > 0)
    return (
      hasOwnEvidence(named.finding, given) ||
      claimedFlows(named.finding, given).some((flow) => suffers(flow, named, given))
    );
  if (hasLiveEvidence(named.finding)) return true;
  // An invariant that is broken while nothing that was probed fails is not this question's fault.
  if (named.cause.invariant === undefined) return false;
  const probed = given.flows.filter((flow) => flow.probe && !(isAside(flow) && mainAnswers(given)));
  return probed.length === 0 || probed.some((flow) => flow.probe && answeredBy(flow.probe) === 'no');
}

function suffers(flow: Flow, named: Named, given: Case): boolean {
  if (isAside(flow) && mainAnswers(given)) return false;
  return claimedLeaves(named.finding, given).some(
    (leaf) =>
      leaf.ref.flow === flow.id &&
      !isContradicted(flow, leaf) &&
      !isDisproved(flow, leaf) &&
      // Where the Service's own flow fails, its way may be the fault, such as a hairpin.
      (flow.probe?.passed === 'no' || !endpointAnswers(given.flows, leaf)),
  );
}

function mainAnswers({ flows }: Case): boolean {
  const main = flows.find((flow) => flow.purpose === 'main');
  return main !== undefined && (main.probe ?? walkAnswer(main)).passed === 'yes';
}

/** Drops the wider of two true names. Where they claim different ends they are two faults, and where the narrower is only suspected the wider one stays. */
function dropRefined(named: readonly Named[]): Named[] {
  return named.filter((wide) => !named.some((narrow) => isRefinedBy(wide, narrow)));
}

function isRefinedBy(wide: Named, narrow: Named): boolean {
  if (!(narrow.cause.refines ?? []).includes(wide.cause.id)) return false;
  if ((wide.cause.refines ?? []).includes(narrow.cause.id)) return false;
  if (narrow.confidence === 'suspected' && wide.confidence !== 'suspected') return false;
  const keys = new Set(narrow.finding.claims.map(leafKey));
  const { claims } = wide.finding;
  return keys.size === 0 || claims.length === 0 || claims.some((claim) => keys.has(leafKey(claim)));
}

const CONFIDENCE_ORDER: readonly Confidence[] = ['proven', 'observed', 'predicted', 'suspected'];
const GRAVITY_ORDER: readonly Cause['gravity'][] = ['fault', 'by-design', 'risk'];

function rank(named: readonly Named[], given: Case): Named[] {
  const isMainClaimed = named.some(
    (one) => one.cause.gravity === 'fault' && one.confidence !== 'suspected' && !one.behind && claimsMain(one),
  );
  const key = (one: Named): number[] => [
    GRAVITY_ORDER.indexOf(one.cause.gravity),
    one.behind ? 1 : 0,
    isMainClaimed && isBeside(one, given) ? 1 : 0,
    one.counterfactual?.holds === false ? 1 : 0,
    CONFIDENCE_ORDER.indexOf(one.confidence),
    claimsMain(one) ? 0 : 1,
    -one.finding.claims.length,
  ];
  const keys = new Map(named.map((one) => [one, key(one)]));
  return [...named].sort((a, b) => compare(keys.get(a)!, keys.get(b)!));
}

function claimsMain({ finding }: Named): boolean {
  return finding.claims.some((claim) => claim.flow === 'main');
}

/** True, and not what was asked: large packets where even small ones die, names where none was asked for. */
function isBeside(one: Named, { question }: Case): boolean {
  if (claimsMain(one)) return false;
  return (
    one.cause.class === 'large-packet-loss' ||
    (one.cause.class === 'dns-failure' && question.destination.kind !== 'name')
  );
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

/** A cause that another one explains is shown under it, once; never under one that weighs less than itself. */
function nest(ranked: readonly Named[]): Named[] {
  const parentOf = new Map<Named, Named>();
  const isAbove = (one: Named, other: Named): boolean => {
    for (let at: Named | undefined = other; at; at = parentOf.get(at)) if (at === one) return true;
    return false;
  };
  for (const child of ranked) {
    const parent = ranked.find(
      (one) => (one.cause.explains ?? []).includes(child.cause.id) && canStandAbove(one, child) && !isAbove(child, one),
    );
    if (parent) parentOf.set(child, parent);
  }
  const withChildren = (one: Named): Named => ({
    ...one,
    explains: ranked.filter((child) => parentOf.get(child) === one).map(withChildren),
  });
  return ranked.filter((one) => !parentOf.has(one)).map(withChildren);
}

function canStandAbove(parent: Named, child: Named): boolean {
  if (child.cause.gravity === 'fault' && parent.cause.gravity !== 'fault') return false;
  return parent.confidence !== 'suspected' || child.confidence === 'suspected';
}

/** Dead ends that nothing accounts for: neither a cause of the case as it is, nor a probe that got through. */
function unexplained(given: Case, named: readonly Named[]): Diagnosis['unexplained'] {
  const claimed = new Set(
    named
      .filter((one) => !one.behind && one.confidence !== 'suspected')
      .flatMap((one) => one.finding.claims.map(leafKey)),
  );
  return given.flows.flatMap((flow) =>
    flow.dead
      .filter((leaf) => !claimed.has(leafKey(leaf.ref)) && leaf.chance.max > 0)
      .filter((leaf) => !isContradicted(flow, leaf) && !isDisproved(flow, leaf) && !isHarmless(flow, leaf, given))
      .map((leaf) => ({ flow, leaf })),
  );
}

/** What only ping or the like meets while the asked flow is answered; and a sender that is told to send smaller packets, which is path MTU discovery at work (RFC 1191, RFC 8201). */
function isHarmless(flow: Flow, leaf: Leaf, given: Case): boolean {
  if (isAside(flow)) return mainAnswers(given);
  const isTold = leaf.end.senderSees === 'icmp 3/4' || leaf.end.senderSees === 'icmp 2/0';
  return flow.purpose === 'large' && isTold && flow.probe?.passed !== 'no';
}

function verdictsOfTheRest(
  checked: readonly Checked[],
  kept: readonly Named[],
  reportable: readonly Named[],
): Pick<Diagnosis, 'ruledOut' | 'notChecked'> {
  const named = new Set(kept.map((one) => one.cause.id));
  const byId = Map.groupBy(checked, (one) => one.cause.id);
  const ruledOut: { id: string; because: string }[] = [];
  const notChecked: { id: string; because: string }[] = [];
  for (const [id, all] of byId) {
    if (named.has(id)) continue;
    const narrower = kept.find((one) => (one.cause.refines ?? []).includes(id));
    const unknown = all.find((one) => one.finding.is === 'unknown');
    if (narrower && reportable.some((one) => one.cause.id === id))
      ruledOut.push({ id, because: `${narrower.cause.id} is the narrower name for it` });
    else if (unknown?.finding.is === 'unknown') notChecked.push({ id, because: unknown.finding.because });
    else ruledOut.push({ id, because: absenceOf(all) });
  }
  return { ruledOut, notChecked };
}

function absenceOf(all: readonly Checked[]): string {
  const reasons = all.flatMap((one) => {
    if (one.finding.is === 'present') return ['present, but nothing that was tried fails by it'];
    if (one.finding.is !== 'absent') return [];
    const { because } = one.finding;
    return typeof because === 'string' ? [because] : because.map((evidence) => evidence.statement);
  });
  return [...new Set(reasons)].slice(0, 3).join('; ') || 'nothing speaks for it';
}
