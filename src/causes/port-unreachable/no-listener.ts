import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, stateEvidence, walkEvidence } from '../../diagnose/evidence-of.ts';
import { placeKey } from '../../net/place.ts';
import type { Socket } from '../../parse/ss.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { askedPort, placeWords, processText, reachableSockets, socketsOn } from '../shared/listeners.ts';
import { present } from '../shared/present.ts';

/** The packet arrives, and no socket there listens on its port at any address: the kernel answers RST (RFC 9293 §3.5.2) or, for UDP, ICMP 3/3. */
export const noListener = defineCause({
  id: 'no-listener',
  class: 'port-unreachable',
  title: 'Nothing listens on the port',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['sockets'],
  check({ flows }, _place, ask) {
    const seen = deadEnds(flows, { ends: ['no-listener'] }).map((end) => ({
      end,
      sockets: ask('sockets', bare(end)),
      asked: askedPort(end),
    }));
    if (seen.length === 0) return absentFromWalks(flows, 'a process listens wherever a walk ended');
    const unseen = seen.find((one) => !isComplete(one.sockets));
    if (unseen)
      return { is: 'unknown', because: `the sockets of ${placeWords(unseen.end.leaf.end.place)} were not read wholly` };
    const dead = seen.flatMap((one) =>
      isComplete(one.sockets) && one.asked && socketsOn(one.sockets.value, one.asked).length === 0
        ? [{ ...one, sockets: one.sockets, asked: one.asked }]
        : [],
    );
    if (dead.length === 0) return { is: 'absent', because: 'a process listens on the port, at another address' };
    const places = distinctBy(dead, (one) => `${placeKey(one.end.leaf.end.place)} ${one.asked.port}`);
    const first = places[0]!;
    const where = first.end.leaf.end.place;
    return present({
      claims: claimsOf(dead.map((one) => one.end)),
      evidence: [
        ...places.flatMap((one) =>
          one.end.step
            ? [
                walkEvidence(
                  'socket',
                  one.end.leaf.end.place,
                  one.end.step,
                  `the packet reaches ${placeWords(one.end.leaf.end.place)}, and no socket there listens on ${one.asked.protocol} port ${one.asked.port}`,
                ),
              ]
            : [],
        ),
        ...places.map((one) =>
          stateEvidence(
            'sockets',
            one.end.leaf.end.place,
            one.sockets,
            listening(one.sockets.value, one.asked.protocol),
          ),
        ),
        ...probeEvidence(distinctBy(dead, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: {
        node: where.node,
        namespace: where.namespace,
        object: `${first.asked.protocol} port ${first.asked.port}`,
      },
      change: places.map((one) => opened(one.end, one.asked)),
      fix: {
        summary: `start the application on ${first.asked.protocol} port ${first.asked.port}, or ask for the port that it listens on; see its log for why it does not listen`,
        commands:
          where.namespace === 'host'
            ? [`ss -lntup    # on ${where.node}`]
            : [`kubectl -n ${where.namespace.split('/')[1]} logs ${where.namespace.split('/')[2]} --tail=50`],
      },
    });
  },
});

function bare(end: DeadEnd) {
  return { node: end.leaf.end.place.node, namespace: end.leaf.end.place.namespace };
}

function listening(sockets: readonly Socket[], protocol: string): string {
  const open = reachableSockets(sockets, protocol);
  if (open.length === 0) return `nothing listens there on any ${protocol} port`;
  return `listening there: ${distinctBy(open, (socket) => `${socket.port}`)
    .slice(0, 8)
    .map((socket) => `${socket.port}${processText(socket)}`)
    .join(', ')}`;
}

function opened(end: DeadEnd, asked: { readonly protocol: string; readonly port: number }): SnapshotChange {
  const state = asked.protocol === 'tcp' ? 'LISTEN' : 'UNCONN';
  return {
    op: 'socket',
    place: bare(end),
    act: 'add',
    line: `${asked.protocol} ${state} 0 128 *:${asked.port} *:*`,
    text: `a listener on ${asked.protocol} port ${asked.port}`,
  };
}
