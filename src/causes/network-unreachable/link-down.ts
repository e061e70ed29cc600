import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/** A device of the node on the way is down or has no carrier (netdevice(7), IFF_UP, IFF_LOWER_UP). */
export const linkDown = defineCause({
  id: 'link-down',
  class: 'network-unreachable',
  title: 'A network device on the way is down',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  check({ flows }, place) {
    const dead = deadEnds(flows, { ends: ['link-down'], at: place });
    if (dead.length === 0) return { is: 'absent', because: `every device of ${place.node} on the way is up` };
    const devices = distinctBy(
      dead.filter((end) => end.step),
      deviceOf,
    );
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...devices.map((end) => walkEvidence('link', place, end.step!, statementOf(end))),
        ...probeEvidence(dead.map((end) => end.flow)),
      ],
      place: { ...place, object: devices.map(deviceOf).join(', ') },
      change: devices.map((end) => ({
        op: 'link',
        place,
        device: deviceOf(end),
        set: { up: true },
        text: `${deviceOf(end)} up`,
      })),
      fix: {
        summary: fixSummary(devices, place),
        commands: devices.flatMap((end) =>
          end.step!.values['up'] === false
            ? [`ip link set ${deviceOf(end)} up    # on ${place.node}`]
            : [
                `ip -d link show ${deviceOf(end)}    # on ${place.node}`,
                `ethtool ${deviceOf(end)}    # on ${place.node}: "Link detected"`,
              ],
        ),
      },
    });
  },
});

function deviceOf(end: DeadEnd): string {
  return String(end.step?.values['device'] ?? end.hop?.output ?? '');
}

function statementOf(end: DeadEnd): string {
  const { values } = end.step!;
  if (values['reason'] === 'peer-missing') return `${deviceOf(end)} has no peer any more`;
  if (values['up'] === false) return `${deviceOf(end)} is set down`;
  return `${deviceOf(end)} is up but has no carrier (operstate ${values['operstate'] ?? 'unknown'}): its other end is down or gone`;
}

function fixSummary(devices: readonly DeadEnd[], place: Place): string {
  const names = devices.map(deviceOf).join(', ');
  return devices.some((end) => end.step!.values['up'] === false)
    ? `set ${names} up on ${place.node}, and find what set it down (a restart of the CNI's agent makes its own devices anew, with their routes)`
    : `mend the other end of ${names} on ${place.node}: cable, switch port, virtual NIC or peer device`;
}
