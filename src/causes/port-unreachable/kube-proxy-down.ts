import { defineCause } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { type DeadEnd, probeEvidence, stateEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { type Place, placeKey } from '../../net/place.ts';
import { unmodelledAt } from '../../simulate/datapath.ts';
import type { Pod, Service } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { backendsOf, usableBackends } from '../../target/service-backends.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';
import { untranslatedAt } from '../shared/programmed.ts';
import { isReadyPod, podName, serviceName } from '../shared/services.ts';

/**
 * The Service is not programmed on this node by any known implementation, though its EndpointSlices have usable
 * addresses: mostly every ClusterIP, DNS included, fails there while pod addresses work. The state of kube-proxy's pod
 * explains it and does not decide it: a crashed proxy leaves working rules behind (kubernetes#71071).
 */
export const kubeProxyDown = defineCause({
  id: 'kube-proxy-down',
  class: 'port-unreachable',
  title: 'Services are not programmed on this node',
  gravity: 'fault',
  at: 'path-node',
  needs: [
    'flows',
    'gate',
    'iptables.nft',
    'iptables.legacy',
    'nft.tables',
    'api.services',
    'api.endpointslices',
    'api.pods',
  ],
  refines: ['no-listener'],
  explains: ['dns-service-unreachable'],
  invariant: 'every Service with usable endpoints is programmed on every node',
  check(given, place) {
    const opaque =
      unmodelledAt(given.gate, place) ??
      given.gate.parts.find(
        (part) =>
          part.role === 'services' &&
          (!part.modelled || part.mode?.includes('ipvs')) &&
          (part.node === undefined || part.node === place.node),
      );
    if (opaque)
      return { is: 'unknown', because: `Services are implemented by ${opaque.by} here, whose tables are not read` };
    const missing = given['api.services'].value.flatMap((service) => {
      const dead = untranslatedAt(service, given.flows, place).filter((end) => hasUsableEndpoints(service, end));
      return dead.length > 0 ? [{ service, dead }] : [];
    });
    const [first] = missing;
    if (!first)
      return absentFromWalks(
        given.flows,
        `${place.node} translates every Service that was asked about and has endpoints`,
      );
    const read = [given['iptables.nft'], given['iptables.legacy'], given['nft.tables'], given['api.endpointslices']];
    if (read.some((one) => !isComplete<unknown>(one)))
      return {
        is: 'unknown',
        because: `the rules of ${place.node} were not read wholly: the Service may be among them`,
      };
    const proxy = proxyPods(given['api.pods'].value, place);
    return present({
      claims: claimsOf(missing.flatMap((one) => one.dead)),
      evidence: [
        ...missing.flatMap((one) =>
          one.dead[0]!.step
            ? [
                walkEvidence(
                  'service-rules',
                  place,
                  one.dead[0]!.step,
                  `no rule of ${place.node} translates ${one.dead[0]!.flow.destination}:${one.dead[0]!.flow.port}, the address of ${serviceName(one.service)}: the packet leaves as it is`,
                ),
              ]
            : [],
        ),
        stateEvidence('service-rules', place, given['iptables.nft'], programmedText()),
        ...proxyEvidence(proxy),
        ...probeEvidence(
          distinctBy(
            missing.flatMap((one) => one.dead),
            (end) => end.flow.id,
          ).map((end) => end.flow),
        ),
      ],
      place: { ...place, object: proxy[0] ? `pod/${podName(proxy[0])}` : 'kube-proxy' },
      fix: {
        summary: proxySummary(proxy),
        commands: [
          `kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide --field-selector spec.nodeName=${place.node}`,
          `kubectl -n kube-system get daemonset kube-proxy -o jsonpath='{.spec.template.spec.priorityClassName}{"\\n"}'    # must be system-node-critical, or it can be displaced`,
          ...(proxy[0] ? [`kubectl -n ${proxy[0].metadata.namespace} logs ${proxy[0].metadata.name} --tail=50`] : []),
        ],
      },
    });

    /** The very port that was asked for, in its protocol: no proxy programs a port that the Service does not have. */
    function hasUsableEndpoints(service: Service, end: DeadEnd): boolean {
      const { flow } = end;
      const isByClusterIp = (service.spec.clusterIPs ?? []).includes(flow.destination);
      if (!isByClusterIp && !isUnservedNodePort(end)) return false;
      const port = (service.spec.ports ?? []).find(
        (one) =>
          (isByClusterIp ? one.port : one.nodePort) === flow.port &&
          (one.protocol ?? 'TCP').toLowerCase() === flow.protocol,
      );
      return (
        port !== undefined && usableBackends(backendsOf(given['api.endpointslices'].value, service, port)).length > 0
      );
    }

    /** A NodePort is translated by the node that has the address, and by some on the addresses of --nodeport-addresses only. */
    function isUnservedNodePort({ leaf }: DeadEnd): boolean {
      const { services, table } = programmed();
      return leaf.end.end === 'no-listener' && placeKey(leaf.end.place) === placeKey(place) && services === 0 && !table;
    }

    function programmed() {
      const chains = [given['iptables.nft'], given['iptables.legacy']]
        .flatMap((one) => one.value.tables)
        .flatMap((table) => table.chains);
      return {
        services: chains.filter((chain) => chain.name.startsWith('KUBE-SVC-')).length,
        table: given['nft.tables'].value.some((one) => one.name === 'kube-proxy'),
      };
    }

    function programmedText(): string {
      const { services, table } = programmed();
      return services === 0 && !table
        ? `${place.node} has no Service rules at all, in either iptables backend or in nftables`
        : `${place.node} has rules for ${table ? 'some Services (nftables table kube-proxy)' : `${services} Service ports`}, not for this one`;
    }

    function proxyEvidence(pods: readonly Pod[]): Evidence[] {
      const none = `no kube-proxy pod is on ${place.node}`;
      const waiting = given['api.pods'].value.filter((pod) => !pod.spec.nodeName && isProxyPod(pod));
      if (pods.length === 0)
        return [
          stateEvidence('kube-proxy-pod', place, given['api.pods'], none),
          ...waiting
            .slice(0, 2)
            .map((pod) =>
              stateEvidence(
                'kube-proxy-pod',
                place,
                given['api.pods'],
                `${podName(pod)} is not scheduled: ${unscheduledBecause(pod)}`,
              ),
            ),
        ];
      return pods.map((pod) =>
        stateEvidence(
          'kube-proxy-pod',
          place,
          given['api.pods'],
          `${podName(pod)} is ${isReadyPod(pod) ? 'ready' : `not ready (${pod.status.phase ?? 'unknown'}${reasonOf(pod)})`}`,
        ),
      );
    }
  },
});

function proxyPods(pods: readonly Pod[], place: Place): Pod[] {
  return pods.filter((pod) => pod.spec.nodeName === place.node && isProxyPod(pod));
}

function isProxyPod(pod: Pod): boolean {
  return pod.metadata.labels?.['k8s-app'] === 'kube-proxy' || pod.metadata.name.startsWith('kube-proxy');
}

function unscheduledBecause(pod: Pod): string {
  const scheduled = pod.status.conditions?.find(
    (condition) => condition.type === 'PodScheduled' && condition.status === 'False',
  );
  return scheduled?.message ?? pod.status.phase ?? 'unknown';
}

function reasonOf(pod: Pod): string {
  const waiting = pod.status.containerStatuses?.find((status) => status.state?.waiting)?.state?.waiting?.reason;
  return waiting ? `, ${waiting}` : '';
}

function proxySummary(proxy: readonly Pod[]): string {
  if (proxy.length === 0)
    return 'get kube-proxy to run on this node again (is its DaemonSet there, does it tolerate the node, was it displaced?)';
  return proxy.some(isReadyPod)
    ? 'kube-proxy runs but has programmed nothing: read its log, then restart it'
    : 'mend kube-proxy’s pod on this node';
}
