import { answeredBy } from '../../diagnose/answered-by.ts';
import { defineCause } from '../../diagnose/cause.ts';
import { deadEnds, stateEvidence } from '../../diagnose/evidence-of.ts';
import { CLUSTER } from '../../net/place.ts';
import { claimsOf } from '../shared/claims.ts';
import { isClusterDns } from '../shared/cluster-dns.ts';
import { present } from '../shared/present.ts';

/**
 * Names of the cluster resolve, others do not: the server that CoreDNS forwards to does not answer it (SERVFAIL after
 * the forward plug-in's time-outs, or silence). The upstream asked from CoreDNS's own namespace decides.
 */
export const dnsUpstreamUnreachable = defineCause({
  id: 'dns-upstream-unreachable',
  class: 'dns-failure',
  title: 'The cluster’s DNS cannot reach the server that it forwards to',
  gravity: 'fault',
  at: 'question',
  needs: ['question', 'flows', 'api.services', 'api.log'],
  invariant: 'the server that the cluster’s DNS forwards to answers it',
  check(given, _place, ask) {
    const services = given['api.services'].value;
    const failed = given.flows.filter(
      (flow) =>
        flow.purpose === 'dns' &&
        isClusterDns(flow.destination, services) &&
        (flow.probe?.outcome === 'servfail' || flow.probe?.outcome === 'timed-out'),
    );
    if (failed.length === 0) return { is: 'absent', because: 'the cluster’s DNS did not fail on the name' };
    const control = given.flows.filter((flow) => flow.purpose === 'dns-control');
    const upstream = given.flows.filter((flow) => flow.purpose === 'dns-upstream');
    if (control.some((flow) => flow.probe && answeredBy(flow.probe) === 'no'))
      return { is: 'absent', because: 'the cluster’s own names do not resolve either' };
    if (!control.some((flow) => flow.probe && answeredBy(flow.probe) === 'yes'))
      return { is: 'unknown', because: 'no name of the cluster itself was looked up to compare with' };
    // A server of the DNS that still has one that answers would have asked that one.
    const silent = upstream.filter((flow) =>
      upstream.every((other) => other.from?.namespace !== flow.from?.namespace || other.probe?.passed === 'no'),
    );
    if (silent.length === 0 && upstream.some((flow) => flow.probe?.passed !== 'yes'))
      return {
        is: 'unknown',
        because: 'not every server that the cluster’s DNS forwards to could be asked, or only some of them are silent',
      };
    if (upstream.length > 0 && silent.length === 0)
      return { is: 'absent', because: 'every server that the cluster’s DNS forwards to answers from its namespace' };
    if (upstream.length === 0)
      return {
        is: 'unknown',
        because: 'the server that the cluster’s DNS forwards to could not be asked from its namespace',
      };
    const servers = [...new Set(silent.map((flow) => flow.destination))];
    const from = silent[0]!.from ?? CLUSTER;
    const [, namespace = 'kube-system', name = ''] = from.namespace.split('/');
    const log = ask('api.log', CLUSTER, { namespace, pod: name, container: '' });
    const line =
      log.state === 'seen' ? log.value.split('\n').findLast((one) => /i\/o timeout|unreachable/.test(one)) : undefined;
    return present({
      claims: claimsOf(deadEnds(silent)),
      evidence: [
        ...failed.flatMap((flow) => flow.probe!.evidence),
        ...control.flatMap((flow) => (flow.probe?.passed === 'yes' ? [flow.probe.evidence] : [])),
        ...silent.flatMap((flow) => flow.probe!.evidence),
        ...(line && log.state === 'seen'
          ? [stateEvidence('log', from, log, `${from.namespace} logs: ${line.trim()}`)]
          : []),
      ],
      place: { ...from, object: `upstream ${servers.join(', ')}` },
      fix: {
        summary: `get ${servers.join(', ')} to answer the cluster’s DNS pods (UDP and TCP 53), or forward to a server that does`,
        commands: [
          `kubectl -n ${namespace} get configmap coredns -o jsonpath='{.data.Corefile}'    # the forward line`,
          `podtriage diagnose pod/${namespace}/${name} ${silent[0]!.destination}:53 --protocol udp`,
        ],
      },
    });
  },
});
