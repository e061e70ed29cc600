import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * A pod asks its own Service, which picks the pod itself: the bridge must send the frame back by the port that it came by,
 * and a port does so in hairpin mode only (should_deliver in net/bridge/br_forward.c; bridge(8), `hairpin`).
 */
export const hairpinDisabled = defineCause({
  id: 'hairpin-disabled',
  class: 'port-unreachable',
  title: 'The bridge does not send a pod’s packet back to the same pod: hairpin mode is off',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'links'],
  check({ flows, links }, place) {
    const dead = deadEnds(flows, { ends: ['bridge-blocked'], at: place }).filter(isToItself);
    if (dead.length === 0)
      return absentFromWalks(flows, 'no packet that was walked goes back by the port that it came by');
    const ports = distinctBy(dead, portOf);
    // A promiscuous bridge takes every frame up as well, and what becomes of it there is not walked.
    const bridges = ports.map(({ step }) => links.value.find(({ name }) => name === step?.values['bridge']));
    if (bridges.some((bridge) => bridge?.flags.includes('PROMISC')))
      return { is: 'unknown', because: `the bridge at ${place.node} is promiscuous: the host may answer for the port` };
    const port = portOf(ports[0]!);
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...ports.flatMap((end) => (end.step ? [walkEvidence('bridge-port', place, end.step, end.step.text)] : [])),
        ...probeEvidence(distinctBy(dead, ({ flow }) => flow.id).map(({ flow }) => flow)),
      ],
      place: { ...place, object: `hairpin of ${ports.map(portOf).join(', ')}` },
      change: ports.map(
        (end): SnapshotChange => ({
          op: 'link',
          place,
          device: portOf(end),
          set: { hairpin: true },
          text: `${portOf(end)}: hairpin on`,
        }),
      ),
      fix: {
        summary:
          'set hairpinMode in the CNI’s configuration (bridge plugin, flannel’s delegate) on every node, and make the pods anew; or switch it on for this port',
        commands: [
          `bridge link set dev ${port} hairpin on    # on ${place.node}; lasts until the pod is made anew`,
          `grep -rn hairpinMode /etc/cni/net.d    # on ${place.node}: "hairpinMode": true is wanted`,
        ],
      },
    });
  },
});

/** Another's frame that goes back by its port was led there by a wrong entry of the forwarding table. */
function isToItself({ flow, leaf, step }: DeadEnd): boolean {
  return step?.values['reason'] === 'hairpin-off' && leaf.end.packet.ip.destination === flow.source;
}

function portOf({ step }: DeadEnd): string {
  return String(step?.values['port']);
}
