import { answeredBy } from '../../diagnose/answered-by.ts';
import { defineCause } from '../../diagnose/cause.ts';
import { stateEvidence } from '../../diagnose/evidence-of.ts';
import { CLUSTER, podPlace } from '../../net/place.ts';
import type { Service } from '../../snapshot/objects.ts';
import { serviceOfHost } from '../../target/service-ports.ts';
import { dnsServices, isClusterDns } from '../shared/cluster-dns.ts';
import { present } from '../shared/present.ts';

/**
 * The pod asks a nameserver that is not the cluster's: its dnsPolicy is Default or None, it uses the host's network
 * without ClusterFirstWithHostNet, or the kubelet's clusterDNS is wrong ("DNS for Services and Pods", kubernetes.io).
 */
export const dnsWrongNameserver = defineCause({
  id: 'dns-wrong-nameserver',
  class: 'dns-failure',
  title: 'The pod does not use the cluster’s DNS',
  gravity: 'fault',
  at: 'question',
  needs: ['question', 'flows', 'api.services', 'api.pods'],
  optional: ['resolv-conf'],
  invariant: 'a pod that looks up cluster names asks the cluster’s DNS',
  check(given, _place, ask) {
    const { source, destination } = given.question;
    if (destination.kind !== 'name') return { is: 'absent', because: 'no name was asked for' };
    if (source.kind !== 'pod' || !source.node) return { is: 'absent', because: 'the source is no running pod' };
    const asked = given.flows.filter((flow) => flow.purpose === 'dns' && flow.probe);
    const failed = asked.filter((flow) => flow.probe && answeredBy(flow.probe) === 'no');
    if (asked.length === 0 || failed.length < asked.length)
      return { is: 'absent', because: 'no look-up of this question failed at every nameserver' };
    const place = podPlace(source.node, source.namespace, source.name);
    const file = ask('resolv-conf', place);
    if (file.state === 'unseen') return { is: 'unknown', because: `resolv.conf of ${place.namespace}: ${file.detail}` };
    const services = given['api.services'].value;
    if (!isClusterName(destination.host, source.namespace, services))
      return {
        is: 'absent',
        because: `${destination.host} is no name that only the cluster’s DNS knows, as far as was seen`,
      };
    const servers = file.value.nameservers;
    if (servers.some((server) => isClusterDns(server, services)))
      return { is: 'absent', because: `${place.namespace} asks the cluster’s DNS (${servers.join(', ')})` };
    const right = dnsServices(services).flatMap((service) => service.spec.clusterIPs ?? []);
    if (right.length === 0)
      return { is: 'unknown', because: 'no Service of the cluster’s DNS was found to compare with' };
    const pod = given['api.pods'].value.find(
      (one) => one.metadata.namespace === source.namespace && one.metadata.name === source.name,
    );
    const policy = pod?.spec.dnsPolicy ?? 'ClusterFirst';
    return present({
      claims: [],
      evidence: [
        stateEvidence(
          'resolv-conf',
          place,
          file,
          `${place.namespace} asks ${servers.join(', ') || 'no nameserver'}; the cluster’s DNS is ${right.join(', ')}`,
        ),
        stateEvidence(
          'dns-policy',
          { ...CLUSTER, object: place.namespace },
          given['api.pods'],
          `its dnsPolicy is ${policy}${pod?.spec.hostNetwork ? ', and it uses the host’s network' : ''}`,
        ),
        ...failed.flatMap((flow) => flow.probe!.evidence),
      ],
      place: { ...place, object: 'resolv.conf' },
      fix: {
        summary: fixFor(policy, pod?.spec.hostNetwork === true),
        commands: [
          `kubectl -n ${source.namespace} get pod ${source.name} -o jsonpath='{.spec.dnsPolicy} {.spec.dnsConfig}{"\\n"}'`,
        ],
      },
    });
  },
});

/** A Service's name, or one of the cluster's domain; any other name another nameserver may know as well. */
function isClusterName(host: string, namespace: string, services: readonly Service[]): boolean {
  return host.split('.')[2] === 'svc' || serviceOfHost(host, namespace, services) !== undefined;
}

function fixFor(policy: string, hostNetwork: boolean): string {
  if (hostNetwork && policy === 'ClusterFirst')
    return 'set dnsPolicy: ClusterFirstWithHostNet in the pod’s template: with hostNetwork, ClusterFirst means the node’s own resolver';
  if (policy === 'Default' || policy === 'None')
    return `set dnsPolicy: ClusterFirst in the pod’s template (it is ${policy})`;
  return 'correct clusterDNS in the kubelet’s configuration of this node, then recreate the pod';
}
