import { defineCause } from '../../diagnose/cause.ts';
import { deadEnds, stateEvidence } from '../../diagnose/evidence-of.ts';
import { CLUSTER } from '../../net/place.ts';
import { claimsOf } from '../shared/claims.ts';
import { dnsServices } from '../shared/cluster-dns.ts';
import { present } from '../shared/present.ts';
import { serviceName, servicePlace } from '../shared/services.ts';

/**
 * A DNS server answers by its own address, and the Service address that the pod uses for it does not: the chain from a
 * broken Service path to "names do not resolve". The path's own cause, where one is named, explains this one.
 */
export const dnsServiceUnreachable = defineCause({
  id: 'dns-service-unreachable',
  class: 'dns-failure',
  title: 'The cluster’s DNS servers answer, but not by their Service address',
  gravity: 'fault',
  at: 'question',
  needs: ['flows', 'api.services'],
  check(given) {
    const service = dnsServices(given['api.services'].value)[0];
    if (!service) return { is: 'absent', because: 'no Service serves the cluster’s DNS' };
    const addresses = new Set(service.spec.clusterIPs ?? []);
    const byService = given.flows.filter((flow) => flow.purpose === 'dns' && addresses.has(flow.destination));
    const failed = byService.filter((flow) => flow.probe?.passed === 'no' && isSilent(flow.probe.outcome));
    const direct = given.flows.filter((flow) => flow.purpose === 'dns-endpoint' && flow.probe?.passed === 'yes');
    if (failed.length === 0) return { is: 'absent', because: 'the DNS Service answers, or was not asked' };
    if (direct.length === 0)
      return { is: 'absent', because: 'no DNS server answers by its own address either, or none was asked' };
    return present({
      claims: claimsOf(deadEnds(failed)),
      evidence: [
        ...failed.flatMap((flow) => flow.probe!.evidence),
        ...direct.slice(0, 2).flatMap((flow) => flow.probe!.evidence),
        stateEvidence(
          'service',
          CLUSTER,
          given['api.services'],
          `${[...addresses].join(', ')} is the address of ${serviceName(service)}`,
        ),
      ],
      place: servicePlace(service),
      fix: {
        summary: 'mend the Service path on the pod’s node (kube-proxy there), see the cause named beside this one',
        commands: [
          `kubectl -n ${service.metadata.namespace} get endpointslices -l kubernetes.io/service-name=${service.metadata.name}`,
        ],
      },
    });
  },
});

function isSilent(outcome: string): boolean {
  return outcome === 'timed-out' || outcome === 'unreachable' || outcome === 'refused';
}
