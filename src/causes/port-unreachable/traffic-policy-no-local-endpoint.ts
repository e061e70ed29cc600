import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, probeEvidence, stateEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { deadEndsTo } from '../../diagnose/service-flows.ts';
import { parsePrefix, prefixContains } from '../../net/prefix.ts';
import type { Node, Service } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { backendsOf, usableBackends } from '../../target/service-backends.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { isForeign } from '../shared/is-foreign.ts';
import { present } from '../shared/present.ts';
import { serviceAt, serviceName, servicePlace } from '../shared/services.ts';

/**
 * externalTrafficPolicy or internalTrafficPolicy is Local, and the node at which the packet came in has no endpoint of
 * the Service: the proxy drops it there by design, while other nodes answer (KEP-1138, KEP-2086; kubernetes#65387).
 */
export const trafficPolicyNoLocalEndpoint = defineCause({
  id: 'traffic-policy-no-local-endpoint',
  class: 'port-unreachable',
  title: 'The Service’s traffic policy is Local, and this node has no endpoint of it',
  gravity: 'fault',
  at: 'service',
  needs: ['flows', 'api.services', 'api.endpointslices', 'api.nodes'],
  check(given, place) {
    const service = serviceAt(place, given['api.services'].value);
    if (!service) return { is: 'absent', because: 'there is no such Service' };
    const policies = (['externalTrafficPolicy', 'internalTrafficPolicy'] as const).filter(
      (field) => service.spec[field] === 'Local',
    );
    if (policies.length === 0)
      return { is: 'absent', because: `${serviceName(service)} sends to the endpoints of every node` };
    if (!isComplete(given['api.endpointslices']))
      return { is: 'unknown', because: 'the EndpointSlices were not read wholly' };
    const dead = deadEndsTo(service, given.flows).filter((end) => end.leaf.ref.leg === 'forward' && isByProxy(end));
    const empty = dead.flatMap((end) => {
      const node = proxyNode(end);
      const field = isFromCluster(end, service, given['api.nodes'].value)
        ? 'internalTrafficPolicy'
        : 'externalTrafficPolicy';
      if (service.spec[field] !== 'Local') return [];
      const port = (service.spec.ports ?? []).find(
        (one) => one.port === end.flow.port || one.nodePort === end.flow.port,
      );
      const usable = port ? usableBackends(backendsOf(given['api.endpointslices'].value, service, port)) : [];
      return usable.length > 0 && !usable.some((one) => one.node === node)
        ? [{ end, node, field, elsewhere: usable }]
        : [];
    });
    const [first] = empty;
    if (!first)
      return { is: 'absent', because: 'the node that got the packet has an endpoint of its own, or no node has' };
    const nodes = [...new Set(first.elsewhere.flatMap((one) => one.node ?? []))];
    return present({
      claims: claimsOf(empty.map((one) => one.end)),
      evidence: [
        ...distinctBy(empty, (one) => one.node).flatMap((one) =>
          one.end.step
            ? [walkEvidence('rule', one.end.leaf.end.place, one.end.step, `${one.node} drops it: ${one.end.step.text}`)]
            : [],
        ),
        stateEvidence(
          'traffic-policy',
          place,
          given['api.services'],
          `${serviceName(service)} has ${first.field}: Local`,
        ),
        stateEvidence(
          'endpoints',
          place,
          given['api.endpointslices'],
          `its endpoints are on ${nodes.join(', ')}, none is on ${first.node}`,
        ),
        ...probeEvidence(distinctBy(empty, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: { ...servicePlace(service), node: first.node },
      fix: {
        summary: `ask a node that has an endpoint (${nodes.join(', ')}), run an endpoint on every node that gets traffic, or set ${first.field} to Cluster (the client's address is then lost)`,
        commands: [
          `kubectl -n ${service.metadata.namespace} patch service ${service.metadata.name} -p '{"spec":{"${first.field}":"Cluster"}}'`,
        ],
      },
    });
  },
});

/** A rule of the proxy's own refuses it: a firewall, or a way that is broken before the proxy's node, is no policy. */
function isByProxy({ leaf, step }: DeadEnd): boolean {
  const { end, place } = leaf.end;
  if ((end !== 'dropped-by-rule' && end !== 'rejected-by-rule') || place.namespace !== 'host') return false;
  return step?.kind === 'rule' && !isForeign(step);
}

/** The node whose proxy rules judged the packet: where it died, or the last host before. */
function proxyNode(end: DeadEnd): string {
  return end.leaf.end.place.node;
}

/** Asked by its cluster address, from a pod or a node: the internal policy counts; otherwise the external one. */
function isFromCluster(end: DeadEnd, service: Service, nodes: readonly Node[]): boolean {
  if (!(service.spec.clusterIPs ?? []).includes(end.flow.destination)) return false;
  const source = end.flow.source ?? '';
  const podCidrs = nodes.flatMap((node) => node.spec.podCIDRs ?? []).flatMap((text) => parsePrefix(text) ?? []);
  return end.flow.from !== undefined || podCidrs.some((prefix) => prefixContains(prefix, source));
}
