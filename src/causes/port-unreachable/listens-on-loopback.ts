import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { placeKey } from '../../net/place.ts';
import type { Socket } from '../../parse/ss.ts';
import { isComplete, type SnapshotChange } from '../../snapshot/snapshot.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { askedPort, isLoopback, placeWords, processText, socketsOn } from '../shared/listeners.ts';
import { present } from '../shared/present.ts';

/** A process listens on the port, but bound to the loopback address or to another one than the packet is for (ip(7), bind(2)). */
export const listensOnLoopback = defineCause({
  id: 'listens-on-loopback',
  class: 'port-unreachable',
  title: 'The application listens on another address, mostly only on localhost',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['sockets'],
  refines: ['no-listener', 'wrong-target-port'],
  check({ flows }, _place, ask) {
    const dead = deadEnds(flows, { ends: ['no-listener'] }).flatMap((end) => {
      const sockets = ask('sockets', bare(end));
      const asked = askedPort(end);
      if (!isComplete(sockets) || !asked) return [];
      const bound = socketsOn(sockets.value, asked).filter((socket) => socket.address !== undefined);
      return bound.length > 0 ? [{ end, sockets, asked, bound }] : [];
    });
    if (dead.length === 0)
      return absentFromWalks(flows, 'no process listens on the asked port at another address only');
    const places = distinctBy(dead, (one) => `${placeKey(one.end.leaf.end.place)} ${one.asked.port}`);
    const first = places[0]!;
    const where = first.end.leaf.end.place;
    return present({
      claims: claimsOf(dead.map((one) => one.end)),
      evidence: [
        ...places.flatMap((one) =>
          one.bound.map((socket) =>
            stateEvidence(
              'socket',
              one.end.leaf.end.place,
              one.sockets,
              statementOf(socket, one.end),
              { address: socket.address ?? '', port: socket.port },
              { text: socket.text },
            ),
          ),
        ),
        ...probeEvidence(distinctBy(dead, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: { node: where.node, namespace: where.namespace, object: `${first.bound[0]!.address}:${first.asked.port}` },
      change: places.map((one) => boundToAll(one.end, one.asked)),
      fix: {
        summary: `have the application bind to 0.0.0.0 (or ::) instead of ${first.bound[0]!.address}: an option such as --host, --bind or listen_addresses`,
        commands:
          where.namespace === 'host'
            ? [`ss -lntup 'sport = :${first.asked.port}'    # on ${where.node}`]
            : [
                `kubectl -n ${where.namespace.split('/')[1]} port-forward ${where.namespace.split('/')[2]} ${first.asked.port}    # works meanwhile, since it enters by localhost`,
              ],
      },
    });
  },
});

function bare(end: DeadEnd) {
  return { node: end.leaf.end.place.node, namespace: end.leaf.end.place.namespace };
}

function statementOf(socket: Socket, end: DeadEnd): string {
  const only = isLoopback(socket.address ?? '')
    ? 'which only the pod itself can reach'
    : `while the packet is for ${end.leaf.end.packet.ip.destination}`;
  return `in ${placeWords(end.leaf.end.place)} port ${socket.port} is bound to ${socket.address}${processText(socket)}, ${only}`;
}

function boundToAll(end: DeadEnd, asked: { readonly protocol: string; readonly port: number }): SnapshotChange {
  const state = asked.protocol === 'tcp' ? 'LISTEN' : 'UNCONN';
  return {
    op: 'socket',
    place: bare(end),
    act: 'add',
    line: `${asked.protocol} ${state} 0 128 *:${asked.port} *:*`,
    text: `port ${asked.port} bound to every address`,
  };
}
