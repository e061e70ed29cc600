import { defineCause } from '../../diagnose/cause.ts';
import { counterRise } from '../../diagnose/counter-rise.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { counterEvidence, type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';

/**
 * The node does not forward: `net.ipv4.ip_forward`, or the arriving interface's own `forwarding`, is 0
 * (Documentation/networking/ip-sysctl.rst; ip_route_input_slow in net/ipv4/route.c drops before the FORWARD hook and
 * counts IpInAddrErrors).
 */
export const ipForwardDisabled = defineCause({
  id: 'ip-forward-disabled',
  class: 'network-unreachable',
  title: 'IP forwarding is switched off',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  optional: ['counters'],
  check({ flows, counters }, place, ask) {
    const dead = deadEnds(flows, { ends: ['forwarding-disabled'], at: place });
    if (dead.length === 0) return absentFromWalks(flows, `${place.node} forwards every packet that was walked`);
    const switches = distinctBy(
      dead.filter((end) => end.step),
      keyOf,
    );
    const rose =
      counters?.state === 'seen' ? counterRise(counters, ask.after('counters', place), 'IpInAddrErrors') : undefined;
    const evidence: Evidence[] = [
      ...switches.map((end) =>
        walkEvidence(
          'sysctl',
          place,
          end.step!,
          `${keyOf(end)} = ${end.step!.values['value'] ?? 0}: the packet is dropped before the FORWARD chain`,
        ),
      ),
      ...(rose ? [counterEvidence('counter', place, rose.after, 'IpInAddrErrors', rose.by)] : []),
      ...probeEvidence(dead.map((end) => end.flow)),
    ];
    const [first, ...rest] = evidence;
    if (!first) return { is: 'unknown', because: 'the walk ended in forwarding-disabled without naming the switch' };
    return {
      is: 'present',
      claims: claimsOf(dead),
      evidence: [first, ...rest],
      place: { ...place, object: switches.map(keyOf).join(', ') },
      change: switches.map((end) => switchedOn(end, place)),
      fix: {
        summary: `switch forwarding on at ${place.node}, and keep it on over a reboot; find out what switched it off (a sysctl.d file, a hardening script)`,
        commands: [
          ...switches.map((end) => `sysctl -w ${keyOf(end)}=1    # on ${place.node}`),
          `grep -rs 'forward' /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d    # on ${place.node}`,
          `printf '${switches.map((end) => `${keyOf(end)} = 1\\n`).join('')}' > /etc/sysctl.d/99-kubernetes-forward.conf    # on ${place.node}`,
        ],
      },
    };
  },
});

function keyOf(end: DeadEnd): string {
  return String(end.step?.values['key'] ?? 'net.ipv4.ip_forward');
}

function switchedOn(end: DeadEnd, place: Place): SnapshotChange {
  return { op: 'sysctl', place, key: keyOf(end), value: '1', text: `sysctl ${keyOf(end)}=1` };
}
