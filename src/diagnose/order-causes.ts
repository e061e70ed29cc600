import type { Cause } from './cause.ts';
import type { Case } from './check.ts';
import type { Confidence } from './evidence.ts';
import { leafKey } from './leaves.ts';
import type { Named } from './named.ts';

/** Drops the wider of two true names. Where they claim different ends they are two faults, and where the narrower is only suspected the wider one stays. */
export function dropRefined(named: readonly Named[]): Named[] {
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

export function rank(named: readonly Named[], given: Case): Named[] {
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
export function nest(ranked: readonly Named[]): Named[] {
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
