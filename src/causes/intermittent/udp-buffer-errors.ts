import { type Ask, defineCause, type Finding } from '../../diagnose/cause.ts';
import { counterRise } from '../../diagnose/counter-rise.ts';
import type { Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { counterEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { lostByKernel } from '../../diagnose/kernel-drops.ts';
import { type Place, placeKey } from '../../net/place.ts';
import type { Socket } from '../../parse/ss.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { distinctBy } from '../shared/claims.ts';
import { placeWords } from '../shared/listeners.ts';
import { present } from '../shared/present.ts';

/** What the kernel counts when a datagram finds no room in its receiver's buffer, or no memory at all (__udp_enqueue_schedule_skb, net/ipv4/udp.c; snmp_counter.rst). */
const COUNTERS = ['UdpRcvbufErrors', 'Udp6RcvbufErrors', 'UdpMemErrors', 'Udp6MemErrors'];
/** The kernel's own names for the same (include/net/dropreason-core.h). */
const REASONS: ReadonlySet<string> = new Set(['SOCKET_RCVBUFF', 'PROTO_MEM']);
/** Nothing came back. */
const SILENT: ReadonlySet<string> = new Set(['silent', 'timed-out']);

/** A datagram arrives, and its receiver does not read, or too slowly: the socket's buffer is full, and the kernel drops it without a word. */
export const udpBufferErrors = defineCause({
  id: 'udp-buffer-errors',
  class: 'intermittent',
  title: 'The receiver does not read its datagrams: its socket’s buffer is full',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['counters', 'sockets'],
  invariant: 'what arrives at a socket of UDP finds room in its buffer',
  check({ flows }, _place, ask) {
    const silent = flows.filter(isSilent);
    const receivers = distinctBy(silent.flatMap(receiversOf), ({ place, port }) => `${placeKey(place)} ${port}`);
    const looks = receivers.map((receiver) => lookAt(receiver, ask));
    const full = looks.find((look) => look.is === 'full');
    if (full?.is !== 'full') return notShown(flows, looks);
    const { place, port } = full.receiver;
    return present({
      claims: [],
      evidence: [...full.evidence, ...silent.flatMap(({ probe }) => probe?.evidence ?? [])],
      place: { node: place.node, namespace: place.namespace, object: `udp port ${port}` },
      fix: {
        summary: `see why the application in ${placeWords(place)} does not read udp port ${port} fast enough: it hangs, is throttled or has too little processor; a larger buffer (SO_RCVBUF, net.core.rmem_max) helps against bursts only`,
        commands: [
          `ss -uanpm 'sport = :${port}'    # in ${placeWords(place)}: Recv-Q stays large; d… in skmem counts what was dropped`,
          `nstat -az UdpRcvbufErrors    # in ${placeWords(place)}: rises with every datagram`,
        ],
      },
    });
  },
});

interface Receiver {
  readonly flow: Flow;
  readonly place: Place;
  readonly port: number;
}

type Look =
  | { readonly is: 'full'; readonly receiver: Receiver; readonly evidence: readonly Evidence[] }
  | { readonly is: 'unsure' | 'unseen'; readonly because: string }
  | { readonly is: 'roomy' };

/** The walks deliver it, and nothing came back. */
function isSilent({ protocol, probe, dead, unknown }: Flow): boolean {
  return (
    protocol === 'udp' && probe !== undefined && SILENT.has(probe.outcome) && dead.length === 0 && unknown.length === 0
  );
}

function receiversOf(flow: Flow): Receiver[] {
  return flow.leaves.flatMap(({ ref, end }) => {
    const { l4 } = end.packet;
    if (ref.leg !== 'forward' || end.end !== 'delivered' || l4.protocol !== 'udp') return [];
    const { node, namespace } = end.place;
    return typeof l4.destinationPort === 'number'
      ? [{ flow, place: { node, namespace }, port: l4.destinationPort }]
      : [];
  });
}

/** The counter is the whole namespace's: only where this socket alone has something waiting, or where the kernel said so, it was this one. */
function lookAt(receiver: Receiver, ask: Ask<'counters' | 'sockets'>): Look {
  const { flow, place, port } = receiver;
  const [before, after] = [ask('counters', place), ask.after('counters', place)];
  if (before.state === 'unseen' || after.state === 'unseen')
    return { is: 'unseen', because: `the counters of ${placeWords(place)} were not read before and after the probes` };
  const rises = COUNTERS.flatMap((name) => {
    const rise = counterRise(before, after, name);
    return rise ? [counterEvidence('counter', place, rise.after, name, rise.by)] : [];
  });
  if (rises.length === 0) return { is: 'roomy' };
  const isSaid = lostByKernel(flow).some(
    (drop) => REASONS.has(drop.reason) && placeKey(drop.place) === placeKey(place),
  );
  const sockets = ask('sockets', place);
  const waiting = sockets.state === 'seen' ? sockets.value.filter(hasWaiting) : [];
  const own = waiting.find((socket) => socket.port === port);
  const isAlone = own !== undefined && waiting.every((socket) => socket.port === port);
  if (!isSaid && !isAlone)
    return {
      is: 'unsure',
      because: `${rises[0]!.statement} in ${placeWords(place)}; whether these were datagrams to port ${port} nothing tells`,
    };
  const said =
    own && sockets.state === 'seen'
      ? [
          stateEvidence(
            'socket',
            place,
            sockets,
            waitingWords(own),
            { port, waiting: own.receiveQueue },
            { text: own.text },
          ),
        ]
      : [];
  return { is: 'full', receiver, evidence: [...rises, ...said] };
}

/** Recv-Q of a socket of UDP: bytes that wait to be read, with what the kernel needs to keep them (udp_rqueue_get). */
function hasWaiting({ protocol, receiveQueue }: Socket): boolean {
  return protocol === 'udp' && receiveQueue > 0;
}

function waitingWords({ receiveQueue, port, processes }: Socket): string {
  const who = processes[0]?.name ?? 'a process';
  return `${who} has ${receiveQueue} bytes waiting at udp port ${port} that it does not read (Recv-Q)`;
}

function notShown(flows: readonly Flow[], looks: readonly Look[]): Finding {
  const unsure = looks.find((look) => look.is === 'unsure') ?? looks.find((look) => look.is === 'unseen');
  if (unsure && 'because' in unsure) return { is: 'unknown', because: unsure.because };
  return absentFromWalks(flows, 'no datagram that was sent found its receiver’s buffer full');
}
