import { defineCause } from '../../diagnose/cause.ts';
import { counterRise } from '../../diagnose/counter-rise.ts';
import { counterEvidence, type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * Reverse-path filtering drops the packet: strict (1) and the route back to its source leaves by another interface, or
 * loose (2) and there is no route back at all. The larger of `all` and the interface counts
 * (Documentation/networking/ip-sysctl.rst, rp_filter; RFC 3704).
 */
export const rpFilterDrop = defineCause({
  id: 'rp-filter-drop',
  class: 'network-unreachable',
  title: 'Reverse-path filtering drops the packet',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  optional: ['counters'],
  check({ flows, counters }, place, ask) {
    const dead = deadEnds(flows, { ends: ['reverse-path-filtered'], at: place });
    if (dead.length === 0) return absentFromWalks(flows, `no packet ended at the reverse-path check of ${place.node}`);
    const devices = distinctBy(
      dead.filter((end) => end.step),
      deviceOf,
    );
    const rose =
      counters?.state === 'seen'
        ? counterRise(counters, ask.after('counters', place), 'TcpExtIPReversePathFilter')
        : undefined;
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...devices.map((end) => walkEvidence('sysctl', place, end.step!, statementOf(end))),
        ...(rose ? [counterEvidence('counter', place, rose.after, 'IPReversePathFilter', rose.by)] : []),
        ...probeEvidence(distinctBy(dead, (end) => end.flow.id).map((end) => end.flow)),
      ],
      place: { ...place, object: devices.map((end) => `rp_filter of ${deviceOf(end)}`).join(', ') },
      change: devices.flatMap((end) => switchedOff(end, place)),
      fix: {
        summary: `set rp_filter to 0 or 2 on ${place.node}, for the interface and for "all" (the larger of the two counts), and look why the route back leaves elsewhere`,
        commands: [
          ...devices.flatMap((end) => [
            `sysctl -w net.ipv4.conf.all.rp_filter=${needed(end)} net.ipv4.conf.${deviceOf(end)}.rp_filter=${needed(end)}    # on ${place.node}`,
          ]),
          ...devices.map(
            (end) =>
              `ip route get ${end.leaf.end.packet.ip.source}    # on ${place.node}: must leave by ${deviceOf(end)}`,
          ),
        ],
      },
    });
  },
});

function deviceOf(end: DeadEnd): string {
  return String(end.step?.values['device'] ?? end.hop?.input ?? '');
}

function effective(end: DeadEnd): number {
  return Number(end.step?.values['effective'] ?? end.step?.values['value'] ?? 1);
}

/** Loose is enough where a route back exists; without any route only 0 lets the packet in. */
function needed(end: DeadEnd): 0 | 2 {
  return effective(end) === 1 && end.step?.values['routeDevice'] ? 2 : 0;
}

function statementOf(end: DeadEnd): string {
  const { source } = end.leaf.end.packet.ip;
  const { routeDevice: by, routeText } = end.step?.values ?? {};
  const back = by
    ? `the route back to ${source} leaves by ${by}`
    : routeText
      ? `the route back to ${source} is “${routeText}”`
      : `there is no route back to ${source}`;
  return `a packet from ${source} arrives on ${deviceOf(end)}, whose effective rp_filter is ${effective(end)}, but ${back}`;
}

function switchedOff(end: DeadEnd, place: Place): SnapshotChange[] {
  return ['all', deviceOf(end)].map((name) => ({
    op: 'sysctl',
    place,
    key: `net.ipv4.conf.${name.replaceAll('.', '/')}.rp_filter`,
    value: '0',
    text: `rp_filter of ${name} = 0`,
  }));
}
