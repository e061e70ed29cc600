import { answeredBy } from '../../diagnose/answered-by.ts';
import { defineCause } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import { deadEnds } from '../../diagnose/evidence-of.ts';
import { CLUSTER } from '../../net/place.ts';
import { claimsOf } from '../shared/claims.ts';
import { present } from '../shared/present.ts';

/**
 * An answer that does not fit UDP comes cut, with the TC bit (RFC 1035, 4.2.1), and is asked for again over TCP (RFC 7766, 5), which
 * somebody does not let through: small answers come, large ones never. The look-up over TCP at the same server decides; where the server
 * behind it is the silent one, that is the place.
 */
export const dnsTruncation = defineCause({
  id: 'dns-truncation',
  class: 'dns-failure',
  title: 'A large DNS answer is cut to fit UDP, and TCP port 53 does not bring it either',
  gravity: 'fault',
  at: 'question',
  needs: ['question', 'flows'],
  invariant: 'an answer that does not fit UDP can be fetched over TCP',
  check(given) {
    const cut = given.flows.filter((flow) => flow.purpose === 'dns' && flow.probe?.truncated);
    const isUntried = !given.flows.some((flow) => flow.purpose === 'dns' && flow.probe);
    if (isUntried && given.question.destination.kind === 'name')
      return { is: 'unknown', because: 'the name was not looked up' };
    if (cut.length === 0) return { is: 'absent', because: 'no answer that was seen was cut to fit UDP' };
    const overTcp = given.flows.filter((flow) => flow.purpose === 'dns-tcp' && flow.probe);
    const failed = overTcp.filter(({ probe }) => probe && answeredBy(probe) === 'no' && FAILURES.has(probe.outcome));
    if (failed.length === 0)
      return overTcp.some(({ probe }) => probe && answeredBy(probe) === 'yes')
        ? { is: 'absent', because: 'the whole answer came over TCP' }
        : { is: 'unknown', because: 'an answer was cut to fit UDP, and whether it comes over TCP was not seen' };
    // What the server behind fails at the server in front cannot give.
    const above = silentAbove(given.flows);
    // A server that is silent over TCP on this name alone waits for another one.
    const deaf = failed.filter((flow) => isDeaf(flow, given.flows));
    const decisive = above.length > 0 ? above : deaf;
    if (decisive.length === 0)
      return { is: 'unknown', because: 'over TCP the server fails on the name, and why was not seen' };
    const place = decisive[0]!.from ?? CLUSTER;
    const servers = [...new Set(decisive.map(({ destination }) => destination))].join(', ');
    return present({
      claims: claimsOf(deadEnds(decisive)),
      evidence: [...cut, ...failed, ...given.flows.filter(isControl), ...above].flatMap(
        (flow) => flow.probe?.evidence ?? [],
      ),
      place: { ...place, object: `TCP port ${decisive[0]!.port ?? 53} of ${servers}` },
      fix: {
        summary: `let TCP port ${decisive[0]!.port ?? 53} to ${servers} through, as UDP is (firewalls, NetworkPolicies, the server itself)`,
        commands: [`podtriage probe tcp ${wordOf(place)} ${servers.split(', ')[0]}:${decisive[0]!.port ?? 53}`],
      },
    });
  },
});

/** How a look-up over TCP fails; that a name does not exist is an answer. */
const FAILURES: ReadonlySet<string> = new Set(['timed-out', 'unreachable', 'servfail', 'failed']);

function isControl({ purpose }: Flow): boolean {
  return purpose === 'dns-tcp-control';
}

/** Nothing comes over TCP, not even a small answer that the server has by itself. */
function isDeaf({ destination, probe }: Flow, flows: readonly Flow[]): boolean {
  const control = flows.filter((flow) => isControl(flow) && flow.destination === destination);
  return probe?.passed === 'no' && control.some((flow) => flow.probe?.passed === 'no');
}

/** Servers that the cluster's DNS forwards to and that answer it by UDP and not by TCP, asked from its own network. */
function silentAbove(flows: readonly Flow[]): readonly Flow[] {
  const byUdp = flows.filter((flow) => flow.purpose === 'dns-upstream' && flow.probe?.passed === 'yes');
  return flows.filter(
    (flow) =>
      flow.purpose === 'dns-upstream-tcp' &&
      flow.probe?.passed === 'no' &&
      byUdp.some((one) => one.destination === flow.destination && one.from?.namespace === flow.from?.namespace),
  );
}

function wordOf({ node, namespace }: { readonly node: string; readonly namespace: string }): string {
  return namespace === 'host' ? `node/${node}` : namespace;
}
