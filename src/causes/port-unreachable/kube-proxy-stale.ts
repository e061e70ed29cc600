import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, probeEvidence, stateEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { endsTo } from '../../diagnose/service-flows.ts';
import type { Service } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { backendsOf, usableBackends } from '../../target/service-backends.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { present } from '../shared/present.ts';
import { translationOf } from '../shared/programmed.ts';
import { serviceAt, serviceName } from '../shared/services.ts';

/**
 * The node's rules send the Service to an address that is no endpoint any more, or reject it as having none, while its
 * EndpointSlices say otherwise: kube-proxy runs (or hangs) and does not follow the API.
 */
export const kubeProxyStale = defineCause({
  id: 'kube-proxy-stale',
  class: 'port-unreachable',
  title: 'The node’s Service rules are out of date',
  gravity: 'fault',
  at: 'service',
  needs: ['flows', 'api.services', 'api.endpointslices'],
  refines: ['no-listener'],
  invariant: 'a Service’s rules send to endpoints that its EndpointSlices list',
  check(given, place) {
    const service = serviceAt(place, given['api.services'].value);
    if (!service) return { is: 'absent', because: 'there is no such Service' };
    if (!isComplete(given['api.endpointslices']))
      return { is: 'unknown', because: 'the EndpointSlices were not read wholly' };
    const stale = endsTo(service, given.flows).flatMap((end) => staleEnd(end, service));
    const [first] = stale;
    if (!first)
      return absentFromWalks(
        given.flows,
        `the rules of ${serviceName(service)} on the way send to endpoints that its EndpointSlices list`,
      );
    const nodes = [...new Set(stale.map((one) => one.node))];
    return present({
      claims: claimsOf(stale.map((one) => one.end)),
      evidence: [
        ...distinctBy(stale, (one) => one.statement).flatMap((one) =>
          one.step ? [walkEvidence('service-rule', one.place, one.step, one.statement)] : [],
        ),
        stateEvidence(
          'endpoints',
          place,
          given['api.endpointslices'],
          `the EndpointSlices of ${serviceName(service)} list ${first.listed.length > 0 ? first.listed.join(', ') : 'no address'}`,
        ),
        ...probeEvidence(distinctBy(stale, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: { node: first.node, namespace: 'host', object: `service/${serviceName(service)}` },
      fix: {
        summary: `restart kube-proxy on ${nodes.join(', ')}, and find why it does not follow the API (frozen, cannot reach the API server, no time on the CPU)`,
        commands: nodes.flatMap((node) => [
          `kubectl -n kube-system get pods -l k8s-app=kube-proxy --field-selector spec.nodeName=${node} -o name`,
          `kubectl -n kube-system delete pods -l k8s-app=kube-proxy --field-selector spec.nodeName=${node}`,
        ]),
      },
    });

    function staleEnd(end: DeadEnd, of: Service) {
      if (end.leaf.ref.leg !== 'forward') return [];
      const port = (of.spec.ports ?? []).find(
        (one) =>
          (one.port === end.flow.port || one.nodePort === end.flow.port) &&
          (one.protocol ?? 'TCP').toLowerCase() === end.flow.protocol,
      );
      if (!port) return [];
      const backends = backendsOf(given['api.endpointslices'].value, of, port);
      const usable = usableBackends(backends);
      const listed = backends.map((one) => `${one.address}:${one.port}`);
      const translated = translationOf(end);
      if (translated) {
        // Within a tunnel the outer packet is for the peer's node, and tells nothing of the Service.
        const { packet } = end.leaf.end;
        const { ip, l4 } = packet.inner ?? packet;
        const to = 'destinationPort' in l4 ? `${ip.destination}:${l4.destinationPort}` : undefined;
        if (to === undefined || ip.destination === end.flow.destination || listed.includes(to)) return [];
        const statement = `${translated.place.node} sends ${serviceName(of)} to ${to}, which is no endpoint of it (${translated.step.text})`;
        return [
          { end, node: translated.place.node, place: translated.place, step: translated.step, statement, listed },
        ];
      }
      // Rejected as a Service without endpoints, though it has some that every node may use.
      const isLocalOnly = of.spec.externalTrafficPolicy === 'Local' || of.spec.internalTrafficPolicy === 'Local';
      if (end.leaf.end.end !== 'rejected-by-rule' || usable.length === 0 || isLocalOnly) return [];
      const { node } = end.leaf.end.place;
      return [
        {
          end,
          node,
          place: end.leaf.end.place,
          step: end.step,
          statement: `${node} rejects ${serviceName(of)} as having no endpoints (${end.step?.text ?? 'a REJECT'}), though it has ${usable.length}`,
          listed,
        },
      ];
    }
  },
});
