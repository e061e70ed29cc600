import { defineCause } from '../../diagnose/cause.ts';
import type { Flow, FlowProbe } from '../../diagnose/derived.ts';
import { stateEvidence } from '../../diagnose/evidence-of.ts';
import { CLUSTER } from '../../net/place.ts';
import type { Service } from '../../snapshot/objects.ts';
import { isComplete, type Seen } from '../../snapshot/snapshot.ts';
import { type MayNotPing, mayNotPing } from '../shared/may-not-ping.ts';
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
  needs: ['flows', 'gate', 'question', 'api.services', 'api.pods'],
  optional: ['sysctls'],
  check(given, _place, ask) {
    const { flows, question } = given;
    const own = question.protocol === 'icmp' ? mayNotPing(question, given['api.pods'].value, ask) : undefined;
    if (own) return ownFinding(own, given['api.pods']);
    const ping = flows.find((flow) => flow.protocol === 'icmp' && (flow.purpose === 'main' || flow.purpose === 'icmp'));
    if (!ping) return { is: 'absent', because: 'nothing was pinged' };
    const { probe } = ping;
    if (probe?.passed === 'yes') return { is: 'absent', because: 'ping gets through' };
    if (probe?.outcome === 'not-permitted') return permissionFinding(ping, probe);
    const services = given['api.services'];
    const service = services.value.find((one) => (one.spec.clusterIPs ?? []).includes(ping.destination));
    if (service && answersNoPing(given.gate.parts, ping)) return serviceFinding(ping, service, services);
    const answered = flows.find((flow) => isAnsweredBy(flow, ping));
    if (answered?.probe && probe?.passed === 'no') return filteredFinding(ping, probe, answered.probe);
    if (!service && !isComplete(services))
      return { is: 'unknown', because: `whether ${ping.destination} is a ClusterIP is not known: not all were listed` };
    if (probe?.passed !== 'no') return { is: 'unknown', because: probe?.statement ?? 'no ping was sent' };
    return { is: 'absent', because: 'nothing says that ping alone is refused' };
  },
});

/** Another host's answer, that of another backend of the Service, says nothing of this one. */
function isAnsweredBy(flow: Flow, ping: Flow): boolean {
  return flow.protocol !== 'icmp' && flow.destination === ping.destination && flow.probe?.passed === 'yes';
}

/** kube-proxy in ipvs mode puts the ClusterIP on a device, and it answers; the other modes do not. */
function answersNoPing(
  parts: readonly { readonly role: string; readonly mode?: string; readonly node?: string }[],
  ping: Flow,
): boolean {
  const own = parts.filter(
    (part) => part.role === 'services' && (part.node === undefined || part.node === ping.from?.node),
  );
  return own.length > 0 && own.every((part) => part.mode === 'iptables' || part.mode === 'nftables');
}

/** podtriage's ping says nothing of the pod's own, which its kernel refuses. */
function ownFinding({ place, container, range, sysctls }: MayNotPing, pods: Pick<Seen<unknown>, 'source'>) {
  return present({
    claims: [],
    evidence: [
      stateEvidence('capabilities', place, pods, `the container ${container} of ${place.namespace} drops NET_RAW`),
      {
        kind: 'sysctl',
        plane: 'kernel',
        place,
        source: sysctls.source,
        values: { range },
        statement: `net.ipv4.ping_group_range is ${range} there: the kernel lets no process of it ping, while podtriage, with its own rights, may`,
      },
    ],
    place: { ...place, object: 'ping' },
    fix: PERMIT,
  });
}

const PERMIT = {
  summary: 'test the port instead; to let the pod ping, give it NET_RAW or widen net.ipv4.ping_group_range',
  commands: ['# spec.securityContext.sysctls: [{name: net.ipv4.ping_group_range, value: "0 2147483647"}]'],
};

function permissionFinding(ping: Flow, probe: FlowProbe) {
  return present({
    claims: [],
    evidence: [probe.evidence],
    place: { ...(ping.from ?? CLUSTER), object: 'ping' },
    fix: PERMIT,
  });
}

function serviceFinding(ping: Flow, service: Service, services: Seen<readonly Service[]>) {
  const { name, namespace } = service.metadata;
  const port = service.spec.ports?.[0]?.port;
  return present({
    claims: ping.dead.map((leaf) => leaf.ref),
    evidence: [
      ...(ping.probe ? [ping.probe.evidence] : []),
      stateEvidence(
        'service',
        CLUSTER,
        services,
        `${ping.destination} is the ClusterIP of ${namespace}/${name}: a translation of its ports only, which never answers ping`,
        { address: ping.destination },
      ),
    ],
    place: { ...CLUSTER, object: `service/${namespace}/${name}` },
    fix: {
      summary: 'ask for the Service’s port instead of ping',
      commands: [`podtriage diagnose SOURCE svc/${namespace}/${name}${port === undefined ? '' : `:${port}`}`],
    },
  });
}

function filteredFinding(ping: Flow, probe: FlowProbe, answered: FlowProbe) {
  return present({
    claims: ping.dead.map((leaf) => leaf.ref),
    evidence: [probe.evidence, answered.evidence],
    place: { ...(ping.from ?? CLUSTER), object: `ping to ${ping.destination}` },
    fix: { summary: 'nothing to mend: the port answers, only ICMP is filtered or not answered', commands: [] },
  });
}
