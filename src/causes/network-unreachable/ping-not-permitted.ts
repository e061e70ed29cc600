import { defineCause } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import { CLUSTER } from '../../net/place.ts';
import type { Service } from '../../snapshot/objects.ts';
import { present } from '../shared/present.ts';

/**
 * Ping fails and the network is well: the pod may not send it (no NET_RAW and its group outside
 * net.ipv4.ping_group_range, icmp(7)), or the address is a ClusterIP, which in kube-proxy's iptables and nftables modes
 * is only a DNAT for its ports and never answers ping.
 */
export const pingNotPermitted = defineCause({
  id: 'ping-not-permitted',
  class: 'network-unreachable',
  title: 'Ping is not answered here by design; it says nothing about the network',
  gravity: 'by-design',
  at: 'question',
  needs: ['flows', 'gate', 'question', 'api.services'],
  check(given) {
    const ping = given.flows.find((flow) => flow.protocol === 'icmp' && flow.purpose !== 'large');
    if (!ping) return { is: 'absent', because: 'nothing was pinged' };
    if (ping.probe?.passed === 'yes') return { is: 'absent', because: 'ping gets through' };
    const service = given['api.services'].value.find((one) => (one.spec.clusterIPs ?? []).includes(ping.destination));
    const main = given.flows.find((flow) => flow.purpose === 'main');
    if (ping.probe?.outcome === 'not-permitted') return permissionFinding(ping);
    if (service && answersNoPing(given.gate.parts)) return serviceFinding(ping, service);
    if (main && main !== ping && main.probe?.passed === 'yes' && ping.probe?.passed === 'no')
      return filteredFinding(ping, main);
    return { is: 'absent', because: 'nothing says that ping alone is refused' };
  },
});

/** kube-proxy in ipvs mode puts the ClusterIP on a device, and it answers; the other modes do not. */
function answersNoPing(
  parts: readonly { readonly role: string; readonly by: string; readonly mode?: string }[],
): boolean {
  return parts.some((part) => part.role === 'services' && (part.mode === 'iptables' || part.mode === 'nftables'));
}

function permissionFinding(ping: Flow) {
  return present({
    claims: [],
    evidence: ping.probe ? [ping.probe.evidence] : [],
    place: { ...(ping.from ?? CLUSTER), object: 'ping' },
    fix: {
      summary: 'test the port instead; to let the pod ping, give it NET_RAW or widen net.ipv4.ping_group_range',
      commands: ['# spec.securityContext.sysctls: [{name: net.ipv4.ping_group_range, value: "0 2147483647"}]'],
    },
  });
}

function serviceFinding(ping: Flow, service: Service) {
  const { name, namespace } = service.metadata;
  const port = service.spec.ports?.[0]?.port;
  return present({
    claims: ping.dead.map((leaf) => leaf.ref),
    evidence: [
      ...(ping.probe ? [ping.probe.evidence] : []),
      {
        kind: 'service',
        plane: 'state',
        place: CLUSTER,
        source: { request: { action: 'api.services', place: CLUSTER, args: {}, round: 0 } },
        values: { address: ping.destination },
        statement: `${ping.destination} is the ClusterIP of ${namespace}/${name}: a translation of its ports only, which never answers ping`,
      },
    ],
    place: { ...CLUSTER, object: `service/${namespace}/${name}` },
    fix: {
      summary: 'ask for the Service’s port instead of ping',
      commands: [`podtriage diagnose SOURCE svc/${namespace}/${name}${port === undefined ? '' : `:${port}`}`],
    },
  });
}

function filteredFinding(ping: Flow, main: Flow) {
  return present({
    claims: ping.dead.map((leaf) => leaf.ref),
    evidence: [...(ping.probe ? [ping.probe.evidence] : []), ...(main.probe ? [main.probe.evidence] : [])],
    place: { ...(ping.from ?? CLUSTER), object: `ping to ${ping.destination}` },
    fix: { summary: 'nothing to mend: the port answers, only ICMP is filtered or not answered', commands: [] },
  });
}
