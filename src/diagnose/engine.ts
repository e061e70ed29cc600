import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import type { Cause, Finding } from './cause.ts';
import { type Case, type Checked, checkCause } from './check.ts';
import type { Flow } from './derived.ts';
import type { Confidence } from './evidence.ts';
import { type Leaf, leafKey } from './leaves.ts';

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
  const judged = judge(layers, given, walkAgain);
  const kept = dropRefined(judged.filter((named) => isReportable(named, given)));
  return {
    causes: nest(rank(kept)),
    unexplained: unexplained(given, kept),
    disagreements: disagreements(given),
    ...verdictsOfTheRest(first, kept),
  };
}

interface Layered {
  readonly checked: Checked;
  readonly finding: Present;
  readonly behind: boolean;
}

/** The causes of the case as it is, then those that show only once these are undone. */
function uncoverLayers(
  first: readonly Checked[],
  given: Case,
  causes: readonly Cause[],
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Layered[] {
  const found: Layered[] = first.flatMap((checked) => present(checked, false));
  const claimedFlows = (): Set<string> =>
    new Set(found.flatMap((layered) => layered.finding.claims.map((claim) => claim.flow)));
  for (let layer = 1; layer < LAYERS_MAX; layer++) {
    const changes = found.flatMap((layered) => layered.finding.change ?? []);
    if (changes.length === 0 || claimedFlows().size === 0) break;
    const snapshot = given.snapshot.with(changes);
    const flows = walkAgain(snapshot).filter((flow) => claimedFlows().has(flow.id));
    if (flows.every((flow) => flow.dead.length === 0)) break;
    const next = causes
      .flatMap((cause) => checkCause(cause, { ...given, snapshot, flows }))
      .flatMap((checked) => present(checked, true))
      .filter((layered) => layered.finding.claims.length > 0 && !found.some((known) => sameFault(known, layered)));
    if (next.length === 0) break;
    found.push(...next);
  }
  return found;
}

function present(checked: Checked, behind: boolean): Layered[] {
  return checked.finding.is === 'present' ? [{ checked, finding: checked.finding, behind }] : [];
}

function sameFault(a: Layered, b: Layered): boolean {
  return (
    a.checked.cause.id === b.checked.cause.id &&
    a.checked.place.node === b.checked.place.node &&
    a.checked.place.namespace === b.checked.place.namespace
  );
}

function judge(layers: readonly Layered[], given: Case, walkAgain: (snapshot: Snapshot) => readonly Flow[]): Named[] {
  const together = layers.flatMap((layered) => layered.finding.change ?? []);
  const mended = together.length > 0 ? walkAgain(given.snapshot.with(together)) : [];
  return layers.map((layered) => {
    const counterfactual = layered.behind ? undefined : counterfactualOf(layered.finding, given, walkAgain);
    const confidence = confidenceOf(layered, given, counterfactual?.holds, deliveredTogether(layered.finding, mended));
    return {
      cause: layered.checked.cause,
      checked: layered.checked,
      finding: layered.finding,
      confidence,
      counterfactual,
      behind: layered.behind,
      explains: [],
    };
  });
}

function counterfactualOf(
  finding: Present,
  given: Case,
  walkAgain: (snapshot: Snapshot) => readonly Flow[],
): Named['counterfactual'] {
  const change = finding.change ?? [];
  if (change.length === 0 || finding.claims.length === 0) return undefined;
  const flows = walkAgain(given.snapshot.with(change));
  const claimed = finding.claims.flatMap((claim) => {
    const leaf = given.flows
      .find((flow) => flow.id === claim.flow)
      ?.leaves.find((candidate) => leafKey(candidate.ref) === leafKey(claim));
    return leaf ? [leaf] : [];
  });
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

function stepAt(leaf: Leaf): string {
  const { hop, segment, step } = leaf.end.at;
  return leaf.trace.segments[segment]?.hops[hop]?.steps[step]?.at ?? '';
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
 * Proven: the walk or a stated invariant names the fault, a live plane agrees, and the counterfactual holds.
 * Predicted: the walk alone. Observed: seen live, without the whole proof. Suspected: circumstantial.
 */
function confidenceOf(layered: Layered, given: Case, holdsAlone: boolean | undefined, together: boolean): Confidence {
  const { cause } = layered.checked;
  const { finding } = layered;
  const live =
    !layered.behind &&
    (hasLiveEvidence(finding) || claimedFlows(finding, given).some((flow) => flow.probe?.passed === 'no'));
  const claims = finding.claims.length > 0;
  if (holdsAlone === false) return live ? 'observed' : 'suspected';
  if (claims && live && holdsAlone && together) return 'proven';
  if (cause.invariant !== undefined && live) return 'proven';
  if (live) return 'observed';
  return claims || cause.invariant !== undefined ? 'predicted' : 'suspected';
}

function hasLiveEvidence(finding: Present): boolean {
  return finding.evidence.some(
    (evidence) => evidence.plane === 'probe' || evidence.plane === 'capture' || evidence.plane === 'kernel',
  );
}

function claimedFlows(finding: Present, given: Case): Flow[] {
  const ids = new Set(finding.claims.map((claim) => claim.flow));
  return given.flows.filter((flow) => ids.has(flow.id));
}

/**
 * A fault is reported only with a symptom: a dead end that it claims and that no probe contradicts, or live evidence.
 * What is odd but harms nobody is no finding.
 */
function isReportable(named: Named, given: Case): boolean {
  if (named.cause.gravity !== 'fault') return true;
  if (named.behind) return true;
  if (hasLiveEvidence(named.finding)) return true;
  if (named.finding.claims.length > 0)
    return named.finding.claims.some((claim) => !isContradicted(claim.flow, leafKey(claim), given));
  // An invariant that is broken while nothing that was probed fails is not this question's fault.
  if (named.cause.invariant === undefined) return false;
  const probed = given.flows.filter((flow) => flow.probe);
  return probed.length === 0 || probed.some((flow) => flow.probe?.passed === 'no');
}

/** The walk says that the packet certainly dies, and the probe got through. */
function isContradicted(flowId: string, key: string, given: Case): boolean {
  const flow = given.flows.find((candidate) => candidate.id === flowId);
  const leaf = flow?.leaves.find((candidate) => leafKey(candidate.ref) === key);
  return flow?.probe?.passed === 'yes' && leaf !== undefined && leaf.chance.min >= 1;
}

function disagreements(given: Case): string[] {
  return given.flows.flatMap((flow) =>
    flow.dead
      .filter((leaf) => isContradicted(flow.id, leafKey(leaf.ref), given))
      .map(
        (leaf) =>
          `${flow.id}: the walk ends in ${leaf.end.end} at ${leaf.end.place.node || 'the network'}, yet ${flow.probe?.statement ?? 'the probe got through'}`,
      ),
  );
}

function dropRefined(named: readonly Named[]): Named[] {
  const refined = new Set(named.flatMap((one) => one.cause.refines ?? []));
  return named.filter((one) => !refined.has(one.cause.id));
}

const CONFIDENCE_ORDER: readonly Confidence[] = ['proven', 'observed', 'predicted', 'suspected'];
const GRAVITY_ORDER: readonly Cause['gravity'][] = ['fault', 'by-design', 'risk'];

function rank(named: readonly Named[]): Named[] {
  const key = (one: Named): number[] => [
    GRAVITY_ORDER.indexOf(one.cause.gravity),
    one.behind ? 1 : 0,
    one.counterfactual?.holds === false ? 1 : 0,
    CONFIDENCE_ORDER.indexOf(one.confidence),
    one.finding.claims.some((claim) => claim.flow === 'main') ? 0 : 1,
    -one.finding.claims.length,
  ];
  const keys = new Map(named.map((one) => [one, key(one)]));
  return [...named].sort((a, b) => compare(keys.get(a)!, keys.get(b)!));
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

/** A cause that another one explains is shown under it, once. */
function nest(ranked: readonly Named[]): Named[] {
  const parentOf = new Map<Named, Named>();
  for (const child of ranked) {
    const parent = ranked.find(
      (one) => one !== child && (one.cause.explains ?? []).includes(child.cause.id) && parentOf.get(one) !== child,
    );
    if (parent) parentOf.set(child, parent);
  }
  const withChildren = (one: Named): Named => ({
    ...one,
    explains: ranked.filter((child) => parentOf.get(child) === one).map(withChildren),
  });
  return ranked.filter((one) => !parentOf.has(one)).map(withChildren);
}

function unexplained(given: Case, named: readonly Named[]): Diagnosis['unexplained'] {
  const claimed = new Set(named.flatMap((one) => one.finding.claims.map(leafKey)));
  return given.flows.flatMap((flow) =>
    flow.dead
      .filter(
        (leaf) =>
          !claimed.has(leafKey(leaf.ref)) && !isContradicted(flow.id, leafKey(leaf.ref), given) && leaf.chance.max > 0,
      )
      .map((leaf) => ({ flow, leaf })),
  );
}

function verdictsOfTheRest(
  checked: readonly Checked[],
  kept: readonly Named[],
): Pick<Diagnosis, 'ruledOut' | 'notChecked'> {
  const named = new Set(kept.map((one) => one.cause.id));
  const byId = Map.groupBy(checked, (one) => one.cause.id);
  const ruledOut: { id: string; because: string }[] = [];
  const notChecked: { id: string; because: string }[] = [];
  for (const [id, all] of byId) {
    if (named.has(id)) continue;
    const unknown = all.find((one) => one.finding.is === 'unknown');
    if (unknown?.finding.is === 'unknown') notChecked.push({ id, because: unknown.finding.because });
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
