import { defineCause } from '../../diagnose/cause.ts';
import { probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { deadEndsTo, flowsTo } from '../../diagnose/service-flows.ts';
import { CLUSTER } from '../../net/place.ts';
import type { Service, ServicePort } from '../../snapshot/objects.ts';
import type { Question } from '../../target/question.ts';
import { claimsOf } from '../shared/claims.ts';
import { present } from '../shared/present.ts';
import { serviceName, servicePlace } from '../shared/services.ts';

/** The Service has no port of that number, name or protocol: nothing of a ClusterIP is translated but its ports. */
export const serviceMissingPort = defineCause({
  id: 'service-missing-port',
  class: 'port-unreachable',
  title: 'The Service has no such port',
  gravity: 'fault',
  at: 'question',
  needs: ['flows', 'question', 'api.services'],
  invariant: 'the port that was asked for is one of the Service’s',
  check(given) {
    const { question } = given;
    const service = serviceOf(
      question,
      given['api.services'].value,
      given.flows.find((flow) => flow.purpose === 'main')?.destination,
    );
    if (!service) return { is: 'absent', because: 'no Service was asked about' };
    if (question.protocol === 'icmp') return { is: 'absent', because: 'no port was asked for' };
    const wanted =
      question.destination.kind === 'service'
        ? (question.destination.portAsked ?? String(question.port ?? ''))
        : String(question.port ?? '');
    if (wanted === '') return { is: 'absent', because: 'no port was asked for' };
    const ports = service.spec.ports ?? [];
    const same = ports.filter((port) => String(port.port) === wanted || port.name === wanted);
    if (same.some((port) => protocolOf(port) === question.protocol))
      return { is: 'absent', because: `${serviceName(service)} has the port ${wanted}/${question.protocol}` };
    if (service.spec.type === 'ExternalName')
      return {
        is: 'absent',
        because: `${serviceName(service)} is another name of ${service.spec.externalName}: it has no ports`,
      };
    const isHeadless = service.spec.clusterIP === 'None';
    if (isHeadless) return { is: 'absent', because: `${serviceName(service)} is headless: it translates no port` };
    return present({
      claims: claimsOf(deadEndsTo(service, given.flows)),
      evidence: [
        stateEvidence('service-ports', CLUSTER, given['api.services'], statementOf(service, wanted, question, same)),
        ...probeEvidence(flowsTo(service, given.flows)),
      ],
      place: servicePlace(service),
      fix: {
        summary: `use a port that the Service has (${portsText(ports)}), or add this one to it`,
        commands: [
          `kubectl -n ${service.metadata.namespace} get service ${service.metadata.name} -o jsonpath='{.spec.ports}'`,
        ],
      },
    });
  },
});

function serviceOf(
  question: Question,
  services: readonly Service[],
  destination: string | undefined,
): Service | undefined {
  const end = question.destination;
  if (end.kind === 'service')
    return services.find(
      (service) => service.metadata.namespace === end.namespace && service.metadata.name === end.name,
    );
  return destination === undefined
    ? undefined
    : services.find((service) => (service.spec.clusterIPs ?? []).includes(destination));
}

function protocolOf(port: ServicePort): string {
  return (port.protocol ?? 'TCP').toLowerCase();
}

function portsText(ports: readonly ServicePort[]): string {
  return (
    ports.map((port) => `${port.port}/${protocolOf(port)}${port.name ? ` "${port.name}"` : ''}`).join(', ') || 'none'
  );
}

function statementOf(service: Service, wanted: string, question: Question, same: readonly ServicePort[]): string {
  if (same.length > 0)
    return `${serviceName(service)} has the port ${wanted} for ${same.map(protocolOf).join(', ')} only, and ${question.protocol} was asked for`;
  return `${serviceName(service)} has no port ${wanted}; it has ${portsText(service.spec.ports ?? [])}`;
}
