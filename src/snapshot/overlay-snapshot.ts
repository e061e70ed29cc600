import { type Place, placeKey } from '../net/place.ts';
import { applyAddressChange, applyLinkChange } from './apply-link-change.ts';
import { applyObjectChange } from './apply-object-change.ts';
import { routesWithChange } from './apply-route-change.ts';
import { applyIptablesChanges, applyNftChanges } from './apply-rule-changes.ts';
import { applyFdbChange, applyNeighbourChange, applySocketChange, applySysctlChange } from './apply-table-change.ts';
import { rememberFacts } from './fact-memo.ts';
import type { FactArgs, FactName, Facts } from './facts.ts';
import type { ObjectFacts } from './objects-schema.ts';
import type { Observed, Seen, Snapshot, SnapshotChange, Source } from './snapshot.ts';

export type ChangeOf<Op extends SnapshotChange['op']> = SnapshotChange & { readonly op: Op };

/** The changed value, and the changes that had something to hold on to. */
export interface Applied<T> {
  readonly value: T;
  readonly applied: readonly SnapshotChange[];
  /** Changes meant for this value that could not be made: the line is not readable, the rule is not there. */
  readonly failed: readonly SnapshotChange[];
}

/**
 * A snapshot in which the changes were made. Rule numbers are those of `base`, whatever other changes are in the list.
 * A fact that `base` has not seen stays unseen. A change that could not be made is told in `unparsed`, so that the fact
 * does not count as completely known.
 */
export function overlaySnapshot(base: Snapshot, changes: readonly SnapshotChange[]): Snapshot {
  const snapshot: Snapshot = {
    fact: rememberFacts((name, place, args) => change(base, name, place, args, changes)),
    after: (name, place, args) => base.after(name, place, args),
    placesOf: (node) => base.placesOf(node),
    nodes: () => base.nodes(),
    with: (more) => (more.length === 0 ? snapshot : overlaySnapshot(snapshot, more)),
  };
  return snapshot;
}

function change<K extends FactName>(
  base: Snapshot,
  name: K,
  place: Place,
  args: FactArgs | undefined,
  changes: readonly SnapshotChange[],
): Observed<Facts[K]> {
  const observed = base.fact(name, place, args);
  if (observed.state === 'unseen') return observed;
  const apply: Applier<K> | undefined = APPLIERS[name];
  const result = apply?.({ value: observed.value, base, place, args: observed.source.request.args, changes });
  if (!result || (result.applied.length === 0 && result.failed.length === 0)) return observed;
  return overlaid(observed, result);
}

function overlaid<T>(observed: Seen<T>, result: Applied<T>): Seen<T> {
  const { request } = observed.source;
  const text = result.applied.map((one) => one.text).join('; ');
  const failed: readonly Source[] = result.failed.map((one) => ({
    request,
    text: `could not be applied: ${one.text}`,
  }));
  return {
    ...observed,
    value: result.value,
    source: text === '' ? observed.source : { request, text },
    unparsed: [...observed.unparsed, ...failed],
  };
}

interface Subject<K extends FactName> {
  readonly value: Facts[K];
  readonly base: Snapshot;
  readonly place: Place;
  readonly args: FactArgs;
  readonly changes: readonly SnapshotChange[];
}

type Applier<K extends FactName> = (subject: Subject<K>) => Applied<Facts[K]>;

/** Which facts a change can touch at all; other facts pass through. */
const APPLIERS: { readonly [K in FactName]?: Applier<K> } = {
  links: ({ value, base, place, changes }) =>
    applyEach(value, changes, (links, one) => {
      if (one.op === 'link') return applyLinkChange(links, one, place, base);
      return one.op === 'address' && isAt(one, place) ? applyAddressChange(links, one) : 'not-meant';
    }),
  routes: ({ value, base, place, args, changes }) =>
    applyEach(value, changes, (routes, one) =>
      isAt(one, place) ? routesWithChange(routes, one, args.family === 6 ? 6 : 4, base) : 'not-meant',
    ),
  neighbours: ({ value, place, changes }) => applyEach(value, changes, at(place, 'neighbour', applyNeighbourChange)),
  fdb: ({ value, place, changes }) => applyEach(value, changes, at(place, 'fdb', applyFdbChange)),
  sockets: ({ value, place, changes }) => applyEach(value, changes, at(place, 'socket', applySocketChange)),
  sysctls: ({ value, place, changes }) => applyEach(value, changes, at(place, 'sysctl', applySysctlChange)),
  'iptables.legacy': (subject) => applyIptablesChanges('iptables.legacy', subject),
  'iptables.nft': (subject) => applyIptablesChanges('iptables.nft', subject),
  'nft.table': applyNftChanges,
  'iptables.chain': (subject) => applyIptablesChanges('iptables.nft', subject),
  'nft.chain': applyNftChanges,
  'api.pods': objectApplier('api.pods'),
  'api.nodes': objectApplier('api.nodes'),
  'api.namespaces': objectApplier('api.namespaces'),
  'api.services': objectApplier('api.services'),
  'api.endpointslices': objectApplier('api.endpointslices'),
  'api.networkpolicies': objectApplier('api.networkpolicies'),
  'api.daemonsets': objectApplier('api.daemonsets'),
  'api.deployments': objectApplier('api.deployments'),
  'api.workloads': objectApplier('api.workloads'),
  'api.configmaps': objectApplier('api.configmaps'),
  'api.events': objectApplier('api.events'),
};

/** What one change makes of a value: a new value, or why it makes none. */
export type Outcome<T> = { readonly value: T } | 'failed' | 'not-meant';

function applyEach<T>(
  start: T,
  changes: readonly SnapshotChange[],
  step: (value: T, change: SnapshotChange) => Outcome<T>,
): Applied<T> {
  let value = start;
  const applied: SnapshotChange[] = [];
  const failed: SnapshotChange[] = [];
  for (const one of changes) {
    const outcome = step(value, one);
    if (outcome === 'not-meant') continue;
    if (outcome === 'failed') {
      failed.push(one);
      continue;
    }
    value = outcome.value;
    applied.push(one);
  }
  return { value, applied, failed };
}

function at<T, Op extends SnapshotChange['op']>(
  place: Place,
  op: Op,
  step: (value: T, change: ChangeOf<Op>) => Outcome<T>,
): (value: T, change: SnapshotChange) => Outcome<T> {
  const isMeant = (one: SnapshotChange): one is ChangeOf<Op> => one.op === op && isAt(one, place);
  return (value, one) => (isMeant(one) ? step(value, one) : 'not-meant');
}

function objectApplier<K extends keyof ObjectFacts>(
  name: K,
): (subject: {
  readonly value: readonly ObjectFacts[K][];
  readonly changes: readonly SnapshotChange[];
}) => Applied<readonly ObjectFacts[K][]> {
  return ({ value, changes }) =>
    applyEach(value, changes, (objects, one) =>
      one.op === 'object' && one.fact === name ? applyObjectChange(objects, name, one) : 'not-meant',
    );
}

function isAt(change: SnapshotChange, place: Place): boolean {
  return placeKey(change.place) === placeKey(place);
}
