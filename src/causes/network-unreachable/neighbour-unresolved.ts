import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, hopsTo, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { Step } from '../../simulate/trace.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
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
    const dead = deadEnds(flows, { ends: ['neighbour-unresolved', 'not-for-this-mac'] }).flatMap((end): Resolved[] => {
      const step = neighbourStep(end, place);
      return step && !tunnels.has(String(step.values['device'])) ? [{ ...end, step }] : [];
    });
    if (dead.length === 0) {
      if (!isComplete(links)) return { is: 'unknown', because: `the devices of ${place.node} were not read wholly` };
      return absentFromWalks(flows, `no packet ended because ${place.node} does not resolve its next hop`);
    }
    const entries = distinctBy(dead, keyOf);
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...entries.map((end) => walkEvidence('neighbour', place, end.step, statementOf(end))),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
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

type Resolved = DeadEnd & { readonly step: Step };

/** An entry in such a state is asked about within seconds of its next use, which mends or removes it (neigh_timer_handler). */
const HEALING: ReadonlySet<string> = new Set(['STALE', 'DELAY', 'PROBE']);

/** The look-up of the next hop that the packet died of, where this node made it. */
function neighbourStep({ leaf }: DeadEnd, place: Place): Step | undefined {
  const looked = hopsTo(leaf).flatMap((hop) => hop.steps.map((step) => ({ step, at: hop.place })));
  const last = looked.findLast((one) => one.step.kind === 'neighbour');
  if (!last || placeKey(last.at) !== placeKey(place)) return undefined;
  if (leaf.end.end === 'neighbour-unresolved') return last.step.matched === 'no' ? last.step : undefined;
  // not-for-this-mac: the receiver dropped it; the sender's entry is at fault where it is not the owner's MAC.
  const { mac, ownerMac, state } = last.step.values;
  if (HEALING.has(String(state))) return undefined;
  if (mac === undefined || ownerMac === undefined || mac === ownerMac) return undefined;
  const refused = looked.at(-1)!.step;
  const isSameFrame =
    refused.kind === 'neighbour' || (refused.values['destinationMac'] ?? refused.values['mac']) === mac;
  return isSameFrame ? last.step : undefined;
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
  const { mac, ownerMac, state, reason } = end.step.values;
  if (isWrong(end))
    return `${keyOf(end)} is entered as ${mac} (${state}), but the host with that address has ${ownerMac}`;
  if (reason === 'no-owner')
    return `nobody behind ${deviceOf(end)} has the address ${addressOf(end)}, so that it cannot be resolved`;
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
