import type { Place } from '../../net/place.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { isTargetProblem, type TargetProblem } from '../../target/question.ts';
import { type Effect, effectOfChange } from './effect-of-change.ts';
import { policyChange } from './policy-change.ts';
import {
  addressChange,
  fdbChange,
  linkChange,
  neighbourChange,
  routeChange,
  socketChange,
  sysctlChange,
} from './state-changes.ts';
import { usage, type WhatIf } from './what-if.ts';
import {
  type Candidate,
  type Meant,
  placeNamed,
  placesWalked,
  placeWord,
  type WhatIfContext,
} from './what-if-context.ts';
import { withRule } from './with-rule.ts';
import { withoutRule } from './without-rule.ts';

/** Candidates that are listed where several are meant. */
const LISTED_MAX = 10;
const NEAR_MAX = 5;

/**
 * The one change of the state that a what-if means. Without `@PLACE` every namespace on the way is looked at: where several
 * could be meant, the one that the walk met is, or else the only node; otherwise the problem lists them.
 */
export function resolveWhatIf(whatIf: WhatIf, context: WhatIfContext): SnapshotChange | TargetProblem {
  const named = whatIf.at === undefined ? undefined : placeNamed(whatIf.at, context);
  if (named && isTargetProblem(named)) return named;
  const places = named ? [named] : placesWalked(context.trip);
  const meant = places.map((place) => ({ place, ...withEffect(meantAt(whatIf, place, context), whatIf, context) }));
  const candidates = preferred(meant, whatIf);
  if (candidates.length === 1) return candidates[0]!.change;
  return candidates.length === 0 ? notFound(whatIf, meant) : ambiguous(whatIf, candidates);
}

interface MeantAt extends Meant {
  readonly place: Place;
}

function meantAt(whatIf: WhatIf, place: Place, context: WhatIfContext): Meant {
  const { sign, kind, words } = whatIf;
  switch (kind) {
    case 'rule':
      return sign === 'without' ? withoutRule(words, place, context) : withRule(words, place, context);
    case 'policy':
      return policyChange(sign === 'without' ? `${words} ACCEPT` : words, place, context);
    case 'sysctl':
      return sysctlChange(whatIf, place, context);
    case 'route':
      return routeChange(whatIf, place, context);
    case 'link':
      return linkChange(whatIf, place, context);
    case 'address':
      return addressChange(whatIf, place, context);
    case 'neigh':
      return neighbourChange(whatIf, place, context);
    case 'fdb':
      return fdbChange(whatIf, place, context);
    case 'socket':
      return socketChange(whatIf, place, context);
  }
}

/** Only what changes something is meant, or what is asked for at a place though it is so there; of the rest it is said why it is not. */
function withEffect(meant: Meant, { at }: WhatIf, { snapshot }: WhatIfContext): Meant {
  const effects = meant.candidates.map((one) => ({ one, effect: effectOfChange(snapshot, one.change) }));
  const isMeant = (is: Effect['is']): boolean => is === 'changes' || (at !== undefined && is === 'same');
  const candidates = effects.flatMap(({ one, effect }) => (isMeant(effect.is) ? [one] : []));
  if (candidates.length > 0 || meant.candidates.length === 0) return { ...meant, candidates };
  const { one, effect } = effects[0]!;
  const already = effect.is === 'same' ? { already: true as const } : {};
  return { candidates, why: whyNot(one, effect), ...already, ...(meant.near && { near: meant.near }) };
}

function whyNot({ name }: Candidate, effect: Effect): string {
  if (effect.is === 'unseen') return `what '${name}' changes was not read: ${effect.detail}`;
  return effect.is === 'same' ? `'${name}' is so already` : `there is no '${name}'`;
}

/** What the walk met is meant before what it did not; a node's own network before a pod's. */
function preferred(meant: readonly MeantAt[], { at, kind }: WhatIf): readonly Candidate[] {
  const candidates = meant.flatMap((one) => one.candidates);
  const nearest = Math.max(...candidates.map((one) => one.met));
  const rest = candidates.filter((one) => one.met === nearest);
  if (rest.length === 1 && nearest > 0) return rest;
  if (at !== undefined || kind === 'rule' || kind === 'socket') return rest;
  const hosts = rest.filter((one) => one.change.place.namespace === 'host');
  // Of a setting that every node has already, a pod is not meant in their stead.
  const isSo = meant.some((one) => one.already && one.place.namespace === 'host');
  return hosts.length > 0 || isSo ? hosts : rest;
}

function notFound(whatIf: WhatIf, meant: readonly MeantAt[]): TargetProblem {
  if (whatIf.sign === 'without' && whatIf.kind === 'sysctl')
    return usage(`a sysctl cannot be taken away: say --with 'sysctl KEY=VALUE'`);
  const told = meant.filter((one) => one.why !== undefined);
  const reasons = [...Map.groupBy(told, (one) => one.why)].map(([why, all]) => {
    return `${why} (at ${all.map((one) => placeWord(one.place)).join(', ')})`;
  });
  const why = reasons.length > 0 ? reasons.join('; ') : 'the walk went through no place that it could be meant for';
  const near = [...new Set(meant.flatMap((one) => one.near ?? []))].slice(0, NEAR_MAX);
  return { kind: 'not-found', problem: `--${whatIf.sign} '${whatIf.asked}': ${why}`, near };
}

function ambiguous(whatIf: WhatIf, candidates: readonly Candidate[]): TargetProblem {
  const listed = candidates.slice(0, LISTED_MAX).map(({ name, shown, change }) => {
    const words = `--${whatIf.sign} '${name} @${placeWord(change.place)}'`;
    return `\n  ${words}${shown === undefined ? '' : `   # ${shown}`}`;
  });
  const more = candidates.length > LISTED_MAX ? `\n  and ${candidates.length - LISTED_MAX} more` : '';
  return {
    kind: 'ambiguous',
    problem: `--${whatIf.sign} '${whatIf.asked}' can mean several things; say which:${listed.join('')}${more}`,
    near: [],
  };
}
