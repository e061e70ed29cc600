import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * The next hop's link address is not known, or is a wrong one: the entry is FAILED or INCOMPLETE, or a PERMANENT entry
 * names a MAC that the owner of the address does not have (ip-neighbour(8); RFC 826, RFC 4861 §7.3).
 */
export const neighbourUnresolved = defineCause({
  id: 'neighbour-unresolved',
  class: 'network-unreachable',
  title: 'The next hop’s link address cannot be resolved, or is wrong',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'links'],
  check({ flows, links }, place) {
    const tunnels = new Set(links.value.filter((link) => link.kind === 'vxlan').map((link) => link.name));
    const dead = deadEnds(flows, { ends: ['neighbour-unresolved', 'not-for-this-mac'] })
      .map((end) => ({ end, neighbour: neighbourStep(end, place) }))
      .filter((one) => one.neighbour !== undefined && !tunnels.has(String(one.neighbour.values['device'])))
      .map((one) => ({ ...one.end, step: one.neighbour! }));
    if (dead.length === 0) return { is: 'absent', because: `every next hop of ${place.node} on the way resolves` };
    const entries = distinctBy(dead, keyOf);
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...entries.map((end) => walkEvidence('neighbour', place, end.step, statementOf(end))),
        ...probeEvidence(dead.map((end) => end.flow)),
      ],
      place: { ...place, object: `neighbour ${entries.map(keyOf).join(', ')}` },
      change: entries.flatMap((end) => correction(end, place)),
      fix: {
        summary: entries.some(isWrong)
          ? `delete the wrong entry on ${place.node} and find who wrote it; the kernel resolves the address anew`
          : `the next hop does not answer: see that the host with that address is up, on the same segment, and has the address`,
        commands: entries.flatMap((end) => [
          ...(isWrong(end) ? [`ip neigh del ${addressOf(end)} dev ${deviceOf(end)}    # on ${place.node}`] : []),
          `ip neigh show ${addressOf(end)} dev ${deviceOf(end)}    # on ${place.node}`,
          `arping -c 3 -I ${deviceOf(end)} ${addressOf(end)}    # on ${place.node}: two different MACs mean a duplicate address`,
        ]),
      },
    });
  },
});

type Resolved = DeadEnd & { readonly step: NonNullable<DeadEnd['step']> };

/** The last neighbour look-up that this node made before the packet died. */
function neighbourStep(end: DeadEnd, place: Place) {
  const hops = end.leaf.trace.segments[end.leaf.ref.segment]?.hops ?? [];
  const own = hops.filter((hop) => placeKey(hop.place) === placeKey(place)).flatMap((hop) => hop.steps);
  const last = own.findLast((step) => step.kind === 'neighbour');
  if (!last) return undefined;
  if (end.leaf.end.end === 'neighbour-unresolved')
    return placeKey(end.leaf.end.place) === placeKey(place) ? last : undefined;
  // not-for-this-mac: the receiver dropped it, the sender's entry is at fault where it differs from the owner's MAC.
  return last.values['ownerMac'] !== undefined && last.values['mac'] !== last.values['ownerMac'] ? last : undefined;
}

function deviceOf(end: Resolved): string {
  return String(end.step.values['device'] ?? '');
}

function addressOf(end: Resolved): string {
  return String(end.step.values['address'] ?? '');
}

function keyOf(end: Resolved): string {
  return `${addressOf(end)} dev ${deviceOf(end)}`;
}

function isWrong(end: Resolved): boolean {
  const { mac, ownerMac } = end.step.values;
  return mac !== undefined && ownerMac !== undefined && mac !== ownerMac;
}

function statementOf(end: Resolved): string {
  const { mac, ownerMac, state } = end.step.values;
  if (isWrong(end))
    return `${keyOf(end)} is entered as ${mac} (${state}), but the host with that address has ${ownerMac}`;
  return `${keyOf(end)} is ${state || 'not resolved'}: no host answers for that address`;
}

function correction(end: Resolved, place: Place): SnapshotChange[] {
  if (!isWrong(end)) return [];
  const line = `${addressOf(end)} dev ${deviceOf(end)} lladdr ${end.step.values['ownerMac']} REACHABLE`;
  return [
    {
      op: 'neighbour',
      place,
      act: 'remove',
      line: `${addressOf(end)} dev ${deviceOf(end)}`,
      text: `without the entry for ${addressOf(end)}`,
    },
    { op: 'neighbour', place, act: 'add', line, text: `${addressOf(end)} is at ${end.step.values['ownerMac']}` },
  ];
}
