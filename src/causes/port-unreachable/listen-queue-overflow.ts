import { defineCause } from '../../diagnose/cause.ts';
import { counterRise } from '../../diagnose/counter-rise.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { counterEvidence, type DeadEnd, deadEnds, probeEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { Counters } from '../../parse/counters.ts';
import type { Observed, SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { askedPort, placeWords } from '../shared/listeners.ts';
import { present } from '../shared/present.ts';

/**
 * A process listens, and does not call accept(2): its queue of connections (listen(2)'s backlog, at most net.core.somaxconn)
 * is full, and the kernel drops every SYN that comes (sk_acceptq_is_full in tcp_conn_request, net/ipv4/tcp_input.c).
 */
export const listenQueueOverflow = defineCause({
  id: 'listen-queue-overflow',
  class: 'port-unreachable',
  title: 'The application listens, but does not accept connections: its queue is full',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['counters'],
  check({ flows }, _place, ask) {
    const dead = deadEnds(flows, { ends: ['accept-queue-full'] });
    if (dead.length === 0) return absentFromWalks(flows, 'no listener that a walk came to has a full queue');
    const sockets = distinctBy(dead, ({ leaf, step }) => `${placeKey(leaf.end.place)} ${step?.source.text ?? ''}`);
    const first = sockets[0]!;
    const { place } = first.leaf.end;
    const port = askedPort(first)?.port ?? 0;
    const places = distinctBy(dead, ({ leaf }) => placeKey(leaf.end.place)).map(({ leaf }) => leaf.end.place);
    return present({
      claims: claimsOf(dead),
      evidence: [
        ...sockets.flatMap((one) =>
          one.step ? [walkEvidence('socket', one.leaf.end.place, one.step, `${one.step.text} (Recv-Q, Send-Q)`)] : [],
        ),
        ...places.flatMap((one) => overflows(ask('counters', one), ask.after('counters', one), one)),
        ...probeEvidence(distinctBy(dead, (one) => one.flow.id).map((one) => one.flow)),
      ],
      place: { node: place.node, namespace: place.namespace, object: `tcp port ${port}` },
      change: sockets.flatMap(emptied),
      fix: {
        summary: `see why ${processOf(first)} in ${placeWords(place)} does not accept: it hangs, has no free worker or no free file descriptors; a liveness probe that connects restarts it`,
        commands:
          place.namespace === 'host'
            ? [`ss -lntp 'sport = :${port}'    # on ${place.node}: Recv-Q above Send-Q`]
            : [
                `kubectl -n ${place.namespace.split('/')[1]} logs ${place.namespace.split('/')[2]} --tail=50`,
                `kubectl -n ${place.namespace.split('/')[1]} delete pod ${place.namespace.split('/')[2]}    # where its owner makes it anew`,
              ],
      },
    });
  },
});

/** TcpExtListenOverflows: counted for every SYN that is dropped so, whoever sends it (snmp_counter.rst). */
function overflows(before: Observed<Counters>, after: Observed<Counters>, { node, namespace }: Place): Evidence[] {
  const rose = before.state === 'seen' ? counterRise(before, after, 'TcpExtListenOverflows') : undefined;
  return rose ? [counterEvidence('counter', { node, namespace }, rose.after, 'ListenOverflows', rose.by)] : [];
}

function processOf({ step }: DeadEnd): string {
  const name = step?.values['process'];
  return name === undefined ? 'the application' : String(name);
}

/** The same socket with nobody waiting. */
function emptied({ leaf, step }: DeadEnd): SnapshotChange[] {
  const line = step?.source.text?.replace(/^(tcp LISTEN) \d+/, '$1 0');
  if (line === undefined) return [];
  const { node, namespace } = leaf.end.place;
  return [{ op: 'socket', place: { node, namespace }, act: 'add', line, text: 'an empty queue of connections' }];
}
