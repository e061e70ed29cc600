import { defineCause } from '../../diagnose/cause.ts';
import { walkEvidence } from '../../diagnose/evidence-of.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';
import {
  isBetweenNodes,
  mtuChange,
  probeOfLargest,
  type SilentSizeDrop,
  senderEvidence,
  silentSizeDrops,
} from '../shared/silent-size-drop.ts';

/**
 * The two ends of a pod's cable, or the bridge and its port, have different MTUs. What is longer than the smaller one is dropped
 * between them without a word, since no router is there that could tell.
 */
export const mtuMismatchVeth = defineCause({
  id: 'mtu-mismatch-veth',
  class: 'large-packet-loss',
  title: 'The two ends of the pod’s cable have different MTUs',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['links'],
  check({ flows }, _place, ask) {
    const drops = silentSizeDrops(flows).filter((drop) => !isBetweenNodes(drop));
    const first = drops.at(-1);
    if (!first) return absentFromWalks(flows, 'no packet ends at a cable or a bridge’s port that is too small for it');
    const devices = distinctBy(drops, deviceOf);
    return present({
      claims: claimsOf(drops),
      evidence: [
        ...devices.map((drop) => walkEvidence('mtu', drop.place, drop.step, statementOf(drop))),
        ...devices.flatMap((drop) => senderEvidence(drop, ask)),
        ...probeOfLargest(drops),
      ],
      place: { ...first.place, object: `${first.device} MTU ${first.mtu}` },
      change: devices.map(mtuChange),
      fix: {
        summary: `give both ends of the cable one MTU, that of the CNI: recreate the pod, or set ${first.device} to ${first.lengthBytes}`,
        commands: devices.map(
          ({ place, device, lengthBytes }) =>
            `ip link set ${device} mtu ${lengthBytes}    # in ${place.namespace === 'host' ? place.node : place.namespace}`,
        ),
      },
    });
  },
});

function deviceOf({ place, device }: SilentSizeDrop): string {
  return `${place.node} ${place.namespace} ${device}`;
}

function statementOf({ place, device, mtu, lengthBytes, sender }: SilentSizeDrop): string {
  const where = place.namespace === 'host' ? place.node : `${place.namespace} on ${place.node}`;
  return `${sender.device || 'the bridge'} hands ${lengthBytes} bytes to ${device} of ${where}, whose MTU is ${mtu}: dropped, and nobody is told`;
}
