import { defineCause, type Finding } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';
import {
  exceedingSteps,
  isBetweenNodes,
  mtuChange,
  probeOfLargest,
  type SilentSizeDrop,
  senderEvidence,
  silentSizeDrops,
} from '../shared/silent-size-drop.ts';
import { bytesOf, sizeBounds } from '../shared/size-bounds.ts';

/**
 * A node's NIC has a smaller MTU than those that send to it on the same network. Hosts of one network must agree on it (RFC 1191
 * §3: only a router can tell of a smaller one), so what is longer is dropped at the NIC without a word. Most hardware takes
 * somewhat more than its MTU: the walk decides it only for devices that are known to drop (a veth). Of others the sizes that pass
 * decide: up to the NIC's MTU, or a few bytes more, and none beyond.
 */
export const mtuMismatchNode = defineCause({
  id: 'mtu-mismatch-node',
  class: 'large-packet-loss',
  title: 'The node’s NIC has a smaller MTU than the other nodes’',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['links'],
  invariant: 'every NIC of a network takes what the others send',
  check({ flows }, _place, ask) {
    const drops = silentSizeDrops(flows).filter(isBetweenNodes);
    const first = drops.at(-1);
    if (!first) return byMeasure(flows);
    const devices = distinctBy(drops, ({ place, device }) => `${place.node} ${device}`);
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
        summary: `give every node of the network one MTU: set ${first.device} of ${first.place.node} to what the others have, or the others, and their CNI, to ${first.mtu}`,
        commands: devices.map(
          ({ place, device, lengthBytes }) =>
            `ip link set ${device} mtu ${lengthBytes}    # on ${place.node}; and where it is configured`,
        ),
      },
    });
  },
});

/** What hardware takes beyond its MTU: two VLAN tags, and an Ethernet header where a driver does not count it. */
const SLACK_BYTES = 22;

function byMeasure(flows: readonly Flow[]): Finding {
  const none = absentFromWalks(flows, 'no packet ends at a NIC that is too small for it');
  const large = flows.find(({ purpose, probe }) => purpose === 'large' && probe?.outcome === 'silent');
  if (large?.probe?.passed !== 'no' || large.dead.length > 0 || large.unknown.length > 0) return none;
  const [exceeding] = exceedingSteps(large);
  if (!exceeding) return none;
  const { step, sender } = exceeding;
  const [device, mtu] = [String(step.values['device']), Number(step.values['mtu'])];
  const bounds = sizeBounds(flows, large, large.probe);
  if (!bounds?.isSearched)
    return { is: 'unknown', because: `${step.text}: from which size on packets are lost is not known` };
  const overhead = Number(step.values['lengthBytes']) - bytesOf(large);
  const [passes, lost] = [bounds.passes + overhead, bounds.lost + overhead];
  if (passes > mtu + SLACK_BYTES || lost <= mtu)
    return {
      is: 'absent',
      because: `${passes} bytes pass and ${lost} do not, which is not the MTU ${mtu} of ${device}`,
    };
  const place: Place = step.source.request.place;
  const searched: Evidence = {
    ...{ kind: 'size-search', plane: 'probe', place: large.probe.evidence.place, source: bounds.source },
    values: { passes, lost },
    statement: `on the cable ${passes} bytes pass and ${lost} do not, which fits that MTU`,
  };
  const statement = `${sender.node} sends ${step.values['lengthBytes']} bytes to ${device} of ${place.node}, whose MTU is ${mtu}`;
  return present({
    claims: [],
    evidence: [walkEvidence('mtu', place, step, statement), searched, large.probe.evidence],
    place: { ...place, object: `${device} MTU ${mtu}` },
    fix: {
      summary: `give every node of the network one MTU: set ${device} of ${place.node} to what the others have, or the others, and their CNI, to ${mtu}`,
      commands: [
        `ip link set ${device} mtu ${step.values['lengthBytes']}    # on ${place.node}; and where it is configured`,
      ],
    },
  });
}

function statementOf({ place, device, mtu, lengthBytes, sender, leaf }: SilentSizeDrop): string {
  const what = leaf.end.packet.inner ? 'outer packets' : 'packets';
  return `${sender.place.node} sends ${what} of ${lengthBytes} bytes, and ${device} of ${place.node} has MTU ${mtu}: dropped there, and nobody is told`;
}
