import { defineCause } from '../../diagnose/cause.ts';
import {
  type DeadEnd,
  deadEnds,
  hopsTo,
  probeEvidence,
  stateEvidence,
  walkEvidence,
} from '../../diagnose/evidence-of.ts';
import { familyOf } from '../../net/address.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { Hop } from '../../simulate/trace.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * A node translates what a pod sends to a Service, and the answer of a pod beside it goes over the bridge alone, where
 * br_netfilter does not hand it to iptables and connection tracking: the client gets it from the pod's address and refuses it.
 * (br_nf_pre_routing in net/bridge/br_netfilter_hooks.c: bridge-nf-call-iptables, or the bridge's own nf_call_iptables;
 * Documentation/networking/ip-sysctl.rst.)
 */
export const bridgeNfCallDisabled = defineCause({
  id: 'bridge-nf-call-disabled',
  class: 'network-unreachable',
  title: 'Answers between pods of one node are not translated back: the bridge bypasses iptables',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows', 'links', 'sysctls'],
  check({ flows, links, sysctls }, place) {
    const dead = deadEnds(flows, { ends: ['reply-not-matched'] }).flatMap((end) => {
      const bridge = bypassedBy(end, place, links.value);
      return bridge && isTranslatedAt(end, place) ? [{ end, bridge }] : [];
    });
    const [first] = dead;
    if (!first) return absentFromWalks(flows, `no answer that was walked goes past the translations of ${place.node}`);
    const ends = dead.map(({ end }) => end);
    const key = `net.bridge.bridge-nf-call-ip${familyOf(first.end.leaf.end.packet.ip.source) === 6 ? '6' : ''}tables`;
    const value = sysctls.value[key];
    // Its own switch, or a tag, would be another reason.
    if (value === '1' || (value === undefined && !sysctls.complete))
      return {
        is: 'unknown',
        because: `${key} at ${place.node} is ${value ?? 'not seen'}, and ${first.bridge} bypasses iptables all the same`,
      };
    const said =
      value === undefined
        ? `${key} is not there: br_netfilter is not loaded`
        : `${key} = ${value}, and nf_call_iptables of ${first.bridge} is off: what goes from port to port is not translated back`;
    return present({
      claims: claimsOf(ends),
      evidence: [
        stateEvidence('sysctl', place, sysctls, said, { key, value: value ?? null }),
        ...distinctBy(ends, ({ flow }) => flow.id).flatMap(({ leaf, step }) =>
          step ? [walkEvidence('socket', leaf.end.place, step, step.text)] : [],
        ),
        ...probeEvidence(distinctBy(ends, ({ flow }) => flow.id).map(({ flow }) => flow)),
      ],
      place: { ...place, object: key },
      change: [{ op: 'sysctl', place, key, value: '1', text: `sysctl ${key}=1` }],
      fix: {
        summary: `load br_netfilter on ${place.node} and switch it on, also over a reboot`,
        commands: [
          ...(value === undefined ? [`modprobe br_netfilter    # on ${place.node}`] : []),
          `sysctl -w ${key}=1    # on ${place.node}`,
          `echo br_netfilter > /etc/modules-load.d/kubernetes.conf; echo '${key} = 1' > /etc/sysctl.d/99-kubernetes-bridge.conf    # on ${place.node}`,
        ],
      },
    });
  },
});

/** The bridge by which the answer crosses this node without being routed there. */
function bypassedBy({ leaf }: DeadEnd, place: Place, links: readonly Link[]): string | undefined {
  if (leaf.ref.leg === 'forward') return undefined;
  const bridged = hopsTo(leaf).filter((hop) => isAt(hop, place) && !hop.steps.some(({ kind }) => kind === 'route'));
  const names = bridged.flatMap(({ steps }) =>
    steps.filter(({ kind }) => kind === 'bridge').map(({ values }) => values['bridge']),
  );
  return links.find(({ name, kind }) => kind === 'bridge' && names.includes(name))?.name;
}

/** Whether the node led the connection to another destination, which only it can take back. */
function isTranslatedAt({ flow }: DeadEnd, place: Place): boolean {
  const hops = flow.trip.forward.segments.flatMap((segment) => segment.hops);
  return hops.some(
    (hop) =>
      isAt(hop, place) && hop.steps.some(({ kind, values }) => kind === 'nat' && values['nat'] === 'destination'),
  );
}

function isAt(hop: Hop, place: Place): boolean {
  return placeKey(hop.place) === placeKey({ node: place.node, namespace: place.namespace });
}
