import { defineCause } from '../../diagnose/cause.ts';
import { stateEvidence } from '../../diagnose/evidence-of.ts';
import { CLUSTER } from '../../net/place.ts';
import type { Service } from '../../snapshot/objects.ts';
import { nearNames } from '../../target/near-names.ts';
import { serviceOfHost } from '../../target/service-ports.ts';
import { isClusterDns } from '../shared/cluster-dns.ts';
import { present } from '../shared/present.ts';
import { serviceName } from '../shared/services.ts';

/** NXDOMAIN, and rightly so: the cluster's DNS works, and the name is misspelt, of another namespace, or nobody's (RFC 2308). */
export const dnsNameNotFound = defineCause({
  id: 'dns-name-not-found',
  class: 'dns-failure',
  title: 'The name does not exist',
  gravity: 'fault',
  at: 'question',
  needs: ['question', 'flows', 'api.services'],
  invariant: 'the name that was asked for exists',
  check(given) {
    const { destination, source } = given.question;
    if (destination.kind !== 'name') return { is: 'absent', because: 'no name was asked for' };
    const asked = given.flows.filter((flow) => flow.purpose === 'dns' && flow.probe);
    const denied = asked.filter((flow) => flow.probe?.outcome === 'nxdomain');
    if (denied.length === 0) return { is: 'absent', because: 'no nameserver says that the name does not exist' };
    const services = given['api.services'].value;
    const right = denied.filter((flow) => isClusterDns(flow.destination, services));
    if (right.length === 0)
      return { is: 'absent', because: 'only a nameserver that is not the cluster’s denies the name' };
    const namespace = source.kind === 'pod' ? source.namespace : 'default';
    const existing = serviceOfHost(destination.host, namespace, services);
    if (existing)
      return {
        is: 'unknown',
        because: `the cluster’s DNS denies ${destination.host}, though the API has the Service ${serviceName(existing)}`,
      };
    const near = nearServices(destination.host, namespace, services);
    return present({
      claims: [],
      evidence: [
        ...right.flatMap((flow) => flow.probe!.evidence),
        ...(near.length > 0
          ? [stateEvidence('services', CLUSTER, given['api.services'], `near names that exist: ${near.join(', ')}`)]
          : []),
      ],
      place: { ...CLUSTER, object: destination.host },
      fix: {
        summary:
          near.length > 0
            ? `ask for ${near[0]}`
            : 'correct the name; a Service of another namespace needs it in the name: SERVICE.NAMESPACE',
        commands: ['kubectl get services --all-namespaces'],
      },
    });
  },
});

/** The same Service in other namespaces first, then names that differ by a letter or two. */
function nearServices(host: string, namespace: string, services: readonly Service[]): string[] {
  const [name = '', wanted] = host.replace(/\.$/, '').split('.');
  const same = services.filter(
    (service) => service.metadata.name === name && service.metadata.namespace !== (wanted ?? namespace),
  );
  const names = [...new Set(services.map((service) => service.metadata.name))];
  const similar = nearNames(name, names).flatMap((near) =>
    services.filter((service) => service.metadata.name === near),
  );
  return [
    ...new Set([...same, ...similar].map((service) => `${service.metadata.name}.${service.metadata.namespace}`)),
  ].slice(0, 3);
}
