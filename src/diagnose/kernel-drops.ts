import type { KernelDrop } from '../capture/drop-sightings.ts';
import type { Place } from '../net/place.ts';
import type { Case } from './check.ts';
import type { Flow } from './derived.ts';
import { COPIES, dropReason, isOrdinaryDrop } from './drop-reasons.ts';
import type { Evidence } from './evidence.ts';
import type { Leaf } from './leaves.ts';
import { claimedFlows, claimedLeaves, type Present } from './named.ts';

/** Packets of the flow itself that the kernel lost: not their ordinary end, nor that of an ICMP error about them. */
export function lostByKernel({ drops }: Pick<Flow, 'drops'>): KernelDrop[] {
  return (drops ?? []).filter((drop) => drop.as !== 'quoted' && !isOrdinaryDrop(drop));
}

/** `w2 dropped it at flannel.1: a rule … refused it (NETFILTER_DROP in nft_do_chain)`. */
export function dropStatement(drop: KernelDrop): string {
  const { place, device, reason, function: at, packets, leg } = drop;
  const where = place.namespace === 'host' ? place.node : `${place.namespace} on ${place.node}`;
  const words = dropReason(reason)?.words;
  const times = packets === 1 ? 'a packet' : `${packets} packets`;
  const way = leg === 'there' ? 'on the way there' : 'on the way back';
  const inside =
    drop.as === 'tunnelled' ? ', inside its tunnel' : drop.as === 'quoted' ? ', an ICMP error about it' : '';
  const named = `${reason === 'NOT_SPECIFIED' ? 'no reason given' : reason}, in ${at}()`;
  return `the kernel of ${where} dropped ${times} ${way}${device === undefined ? '' : ` (${device})`}${inside}: ${words === undefined ? named : `${words} (${named})`}`;
}

function dropEvidence(drop: KernelDrop): Evidence {
  const { place, device, reason, function: at, packets, leg, request } = drop;
  return {
    kind: 'kernel-drop',
    plane: 'kernel',
    place: { ...place, ...(device !== undefined && { device }) },
    source: { request },
    values: { reason, function: at, packets, leg },
    statement: dropStatement(drop),
  };
}

/** What the kernel itself said of the claimed packets that speaks for this very cause, at this very place. */
export function dropEvidenceFor(causeId: string, finding: Present, place: Place, given: Case): Evidence[] {
  const leaves = claimedLeaves(finding, given);
  const flows = finding.claims.length > 0 ? claimedFlows(finding, given) : given.flows;
  return flows
    .flatMap(lostByKernel)
    .filter(
      (drop) =>
        leaves.some((leaf) => isEndOf(drop, leaf)) ||
        (dropReason(drop.reason)?.causes.includes(causeId) && isSame(drop.place, finding.place ?? place)),
    )
    .map(dropEvidence);
}

/** The walk ends there, and in this way. */
function isEndOf({ place, reason, leg }: KernelDrop, { end, ref }: Leaf): boolean {
  const isLeg = (leg === 'there') === (ref.leg === 'forward');
  return isLeg && isSame(place, end.place) && (dropReason(reason)?.ends.includes(end.end) ?? false);
}

function isSame(a: Place, b: Place): boolean {
  return a.node === b.node && a.namespace === b.namespace;
}

/**
 * What the kernel did that no end of the flow's walk is. Only of reasons that a walk knows of, and where it was certain: a wrong
 * checksum or a full buffer contradicts no walk.
 */
export function dropsInSpite(flow: Flow): KernelDrop[] {
  if (flow.unknown.length > 0) return [];
  return lostByKernel(flow).filter((drop) => {
    const ends = dropReason(drop.reason)?.ends ?? [];
    return ends.length > 0 && !COPIES.has(drop.reason) && !flow.dead.some((leaf) => isEndOf(drop, leaf));
  });
}
