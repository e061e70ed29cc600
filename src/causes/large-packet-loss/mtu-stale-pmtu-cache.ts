import { defineCause } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { stateEvidence } from '../../diagnose/evidence-of.ts';
import { familyOf } from '../../net/address.ts';
import { interpretSyn } from '../../probe/interpret.ts';
import { synBeyondLearnt } from '../../probe/syn-beyond-learnt.ts';
import { present } from '../shared/present.ts';

/**
 * The sender's kernel keeps a path MTU of the destination (RFC 1191 §6.3: ten minutes, net.ipv4.route.mtu_expires) that is
 * smaller than what the path has now: the route was changed, or the ICMP error was not true. TCP then sends small segments, and
 * datagrams that may not be fragmented are refused before they leave. Learnt and right is no fault at all, so a full-sized SYN
 * that does not heed it must have got through.
 */
export const mtuStalePmtuCache = defineCause({
  id: 'mtu-stale-pmtu-cache',
  class: 'large-packet-loss',
  title: 'The sender’s kernel keeps a smaller path MTU than the path has',
  gravity: 'risk',
  at: 'question',
  needs: ['flows'],
  optional: ['route-exceptions', 'probe.syn'],
  invariant: 'what a kernel has learnt of a path is what the path has',
  check({ flows }, _place, ask) {
    const large = flows.find(({ purpose }) => purpose === 'large');
    if (!large?.from) return { is: 'unknown', because: 'no large packet was sent from a place of the cluster' };
    if (large.probe?.passed === 'yes') return { is: 'absent', because: 'packets of the pod’s own MTU get through' };
    const { from, destination } = large;
    const learnt = ask('route-exceptions', from, { family: familyOf(destination) });
    if (learnt.state === 'unseen')
      return { is: 'unknown', because: `what the kernel of ${from.namespace} on ${from.node} has learnt was not seen` };
    const { packet } = large.trip.forward;
    const kept = learnt.value.find(
      ({ destination: { address }, mtu }) => address === destination && mtu !== undefined && mtu < packet.lengthBytes,
    );
    if (!kept) return { is: 'absent', because: `its kernel has learnt no smaller MTU for ${destination}` };
    const main = flows.find(({ purpose }) => purpose === 'main');
    const port = main?.destination === destination && main.protocol === 'tcp' ? main.port : undefined;
    const request = synBeyondLearnt({
      ...{ from, source: packet.ip.source, destination, sizeBytes: packet.lengthBytes },
      ...(port === undefined ? {} : { port }),
    });
    const syn = ask('probe.syn', from, request.args);
    if (syn.state === 'unseen')
      return {
        is: 'unknown',
        because: `whether the path has more than the learnt ${kept.mtu} bytes was not tried: ${syn.detail}`,
      };
    const { passed, statement } = interpretSyn(request.args, syn.value);
    if (passed === 'unknown') return { is: 'unknown', because: `whether the path has more was not seen: ${statement}` };
    if (passed === 'no')
      return { is: 'absent', because: `the path has no more than what was learnt, as far as was seen: ${statement}` };
    const beyond: Evidence = {
      ...{ kind: 'probe.syn', plane: 'probe', place: from, source: syn.source, statement },
      values: { sizeBytes: packet.lengthBytes, answered: syn.value.answered },
    };
    const until = kept.expiresS === undefined ? '' : `, for another ${kept.expiresS} s`;
    return present({
      claims: large.dead.filter(({ end }) => end.end === 'packet-too-big').map(({ ref }) => ref),
      evidence: [
        stateEvidence(
          'learnt-mtu',
          from,
          learnt,
          `the kernel keeps ${kept.mtu} bytes as the path MTU of ${destination}${until}`,
          { mtu: kept.mtu! },
          { text: kept.text },
        ),
        beyond,
      ],
      place: { ...from, object: `path MTU ${kept.mtu} learnt for ${destination}` },
      fix: {
        summary: `forget it, or wait until it expires; if it comes back, find who sends the ICMP error that teaches it`,
        commands: [
          `ip route flush cache    # in ${from.namespace} on ${from.node}`,
          `tcpdump -pni any 'icmp[0] == 3 and icmp[1] == 4'    # there: who says so`,
        ],
      },
    });
  },
});
