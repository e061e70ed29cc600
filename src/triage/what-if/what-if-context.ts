import type { Family } from '../../net/address.ts';
import { hostOf, type Place, placeKey } from '../../net/place.ts';
import type { Hop, RoundTrip, Step, Trace } from '../../simulate/trace.ts';
import type { Snapshot, SnapshotChange } from '../../snapshot/snapshot.ts';
import { nearNames } from '../../target/near-names.ts';
import type { TargetProblem } from '../../target/question.ts';

/** What a what-if is understood by: the state, and the walk through it as it is. */
export interface WhatIfContext {
  readonly snapshot: Snapshot;
  readonly family: Family;
  readonly trip: RoundTrip;
}

/** 2: a walk ended there; 1: it was met on the way; 0: neither. */
export type Met = 0 | 1 | 2;

/** One thing that a what-if can mean at one place. */
export interface Candidate {
  readonly change: SnapshotChange;
  /** How to ask for just this one: what stands behind `--with` or `--without`. */
  readonly name: string;
  /** A line that shows what it is, such as the rule's text. */
  readonly shown?: string;
  /** How near it is to the walk: what it met, or even ended by, is meant where several could be. */
  readonly met: Met;
}

/** What a what-if can mean at one place, and why it means nothing there. */
export interface Meant {
  readonly candidates: readonly Candidate[];
  readonly why?: string;
  /** It is so already. */
  readonly already?: true;
  readonly near?: readonly string[];
}

export function nothing(why: string, near: readonly string[] = []): Meant {
  return { candidates: [], why, near };
}

/** Every network namespace on the way there and back, in the order of the walk. */
export function placesWalked(trip: RoundTrip): readonly Place[] {
  const places = hopsOf(trip).map(({ place }) => ({ node: place.node, namespace: place.namespace }));
  const inCluster = places.filter((place) => place.node !== '');
  return [...new Map(inCluster.map((place) => [placeKey(place), place])).values()];
}

/** Whether a step of this sort was made there, and whether a walk ended by it. */
export function wasMet(trip: RoundTrip, place: Place, isIt: (step: Step) => boolean): Met {
  const isHere = (hop: Hop): boolean => placeKey(hop.place) === placeKey(place);
  const ended = tracesOf(trip).some((trace) =>
    trace.segments.some(({ hops, then }) => {
      if (!('end' in then) || then.end === 'delivered') return false;
      const hop = hops[then.at.hop];
      const step = hop?.steps[then.at.step];
      return hop !== undefined && step !== undefined && isHere(hop) && isIt(step);
    }),
  );
  if (ended) return 2;
  return hopsOf(trip).some((hop) => isHere(hop) && hop.steps.some(isIt)) ? 1 : 0;
}

function tracesOf(trip: RoundTrip): readonly Trace[] {
  return [trip.forward, ...trip.replies.map((reply) => reply.trace)];
}

function hopsOf(trip: RoundTrip): readonly Hop[] {
  return tracesOf(trip).flatMap(hopsOfTrace);
}

function hopsOfTrace(trace: Trace): readonly Hop[] {
  return trace.segments.flatMap(({ hops, then }) => [
    ...hops,
    ...('end' in then && then.errorTrace ? hopsOfTrace(then.errorTrace) : []),
  ]);
}

/** The place that `@WORD` names; a problem with near names where there is none. */
export function placeNamed(word: string, { snapshot }: WhatIfContext): Place | TargetProblem {
  const nodes = snapshot.nodes();
  const node = word.replace(/^node\//, '');
  if (nodes.includes(node)) return hostOf(node);
  const pods = nodes.flatMap((one) => snapshot.placesOf(one)).filter((place) => place.namespace !== 'host');
  const pod = pods.find((place) => place.namespace === word);
  if (pod) return { node: pod.node, namespace: pod.namespace };
  const names = [...nodes, ...pods.map((place) => place.namespace)];
  const near = nearNames(word, names);
  return {
    kind: 'not-found',
    problem: `@${word} is no node or pod that was looked at`,
    near: near.length > 0 ? near : names.slice(0, 5),
  };
}

/** A place as `@…` names it. */
export function placeWord({ node, namespace }: Place): string {
  return namespace === 'host' ? node : namespace;
}
