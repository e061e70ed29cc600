import type { Packet } from '../net/packet.ts';
import { placeKey } from '../net/place.ts';
import type { Socket } from '../parse/ss.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { type Cursor, type End, familyAt, type Move, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { isIcmpError, tcpReset, unreachableCode } from './error-packet.ts';
import { linkNamed } from './hook-input.ts';
import { addressTypeOf } from './routes.ts';
import { findListener, type SocketMatch, type SocketVrf } from './sockets.ts';
import { makeStep, sourceOf } from './steps.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { Step, Truth } from './trace.ts';
import { release } from './tracking.ts';
import { UNDECIDED } from './truth.ts';
import { decapsulate, tunnelAt } from './tunnel-end.ts';
import { formatEnd, reversed, sameTuple, type Tuple, tupleOf } from './tuple.ts';
import { errorAbout } from './with-error.ts';

/** The packet is for this namespace and has passed the input hook: a tunnel, the client's own socket, a listener, the kernel. */
export function deliver(walk: Walk, arrived: Cursor): Move {
  const cursor = { ...arrived, tracking: release(arrived.tracking) };
  if (cursor.path.tproxy) return toProxy(walk, cursor, cursor.path.tproxy);
  if (walk.expect) return deliverAnswer(walk, cursor);
  const { l4 } = cursor.packet;
  const tunnel = tunnelAt(walk, cursor);
  if (tunnel) return decapsulate(walk, cursor, tunnel);
  if (l4.protocol === 'tcp' || l4.protocol === 'udp') return toListener(walk, cursor);
  if (l4.protocol === 'icmp' || l4.protocol === 'icmpv6') return toKernel(walk, cursor);
  return stop(unknownEnd(cursor, `whether something takes ${l4.protocol} here was not collected`));
}

/** The socket was found before routing, whatever the packet is addressed to (nf_tproxy_assign_sock, inet_steal_sock). */
function toProxy(walk: Walk, cursor: Cursor, { address, port }: NonNullable<Cursor['path']['tproxy']>): Move {
  const { packet } = cursor;
  const asked = 'destinationPort' in packet.l4 ? packet.l4.destinationPort : undefined;
  const at = port ?? (typeof asked === 'number' ? asked : undefined);
  const step = makeStep({
    kind: 'socket',
    at: 'socket',
    source: sourceOf(walk.world.snapshot.fact('sockets', cursor.place)),
    values: { protocol: String(packet.l4.protocol), address: packet.ip.destination, port: at, by: 'listener' },
    text: `a transparent proxy on ${formatEnd(address ?? '*', at)} takes it (TPROXY)`,
  });
  const because = 'a transparent proxy takes it (TPROXY)';
  return stop({ end: 'handed-to-userspace', cursor, senderSees: 'nothing', because }, [step]);
}

/** On the way back only the client's socket takes the packet, and only if it bears the tuple that the client used. */
function deliverAnswer(walk: Walk, cursor: Cursor): Move {
  const tunnel = tunnelAt(walk, cursor);
  if (tunnel) return decapsulate(walk, cursor, tunnel);
  const { place, tuple } = walk.expect!;
  const { packet } = cursor;
  const about = 'about' in packet.l4 ? packet.l4.about : undefined;
  const isMine =
    place !== undefined &&
    placeKey(place) === placeKey(cursor.place) &&
    comesToDevice(walk, cursor) &&
    (about ? isAsked(about, tuple) : isAnswer(packet, tuple));
  const ends = 'sourcePort' in packet.l4 ? packet.l4 : undefined;
  const step = makeStep({
    kind: 'socket',
    at: 'socket',
    matched: isMine ? 'yes' : 'no',
    source: sourceOf(walk.world.snapshot.fact('sockets', cursor.place)),
    values: {
      protocol: String(packet.l4.protocol),
      address: packet.ip.destination,
      port: typeof ends?.destinationPort === 'number' ? ends.destinationPort : undefined,
      by: 'connection',
      from: formatEnd(packet.ip.source, ends?.sourcePort),
      expected: formatEnd(tuple.source, ends ? tuple.sourcePort : undefined),
      reason: isMine ? undefined : 'none',
    },
    text: isMine
      ? 'the answer reaches the socket that asked'
      : `no socket waits for an answer from ${formatEnd(packet.ip.source, ends?.sourcePort)}; the client asked ${formatEnd(tuple.source, ends ? tuple.sourcePort : undefined)}`,
  });
  if (isMine) return stop({ end: 'delivered', cursor, senderSees: 'reply' }, [step]);
  const errorPacket = answerOfNobody(cursor);
  return stop({ end: 'reply-not-matched', cursor, senderSees: 'nothing', ...(errorPacket ? { errorPacket } : {}) }, [
    step,
  ]);
}

/** An error is for whoever sent what it quotes; of what pings, the id alone counts (ping_err in net/ipv4/ping.c). */
function isAsked(about: Packet, tuple: Tuple): boolean {
  const quoted = tupleOf(about);
  const asked = reversed(tuple);
  if (asked.type === undefined) return sameTuple(quoted, asked);
  return quoted.protocol === asked.protocol && quoted.type === asked.type && quoted.sourcePort === asked.sourcePort;
}

/** A socket that pings takes answers by their id, whoever sends them (ping_lookup in net/ipv4/ping.c). */
function isAnswer(packet: Packet, tuple: Tuple): boolean {
  const answer = tupleOf(packet);
  const { type } = answer;
  if (type === undefined) return sameTuple(answer, tuple);
  return type === tuple.type && answer.sourcePort === tuple.sourcePort;
}

/**
 * A bound socket takes what comes by its device; what comes by lo bears the device that has the address (inet_iif, the
 * `iif` of IP6CB).
 */
function comesToDevice({ expect }: Walk, { path }: Cursor): boolean {
  return expect?.device === undefined || path.input === 'lo' || path.input === expect.device;
}

/** What no socket waits for is told to whoever sent it, as anywhere. */
function answerOfNobody(cursor: Cursor): Packet | undefined {
  const { packet } = cursor;
  if (packet.l4.protocol === 'tcp') return tcpReset(packet);
  if (packet.l4.protocol !== 'udp') return undefined;
  const [type, code] = unreachableCode(packet, 'port');
  return errorAbout(cursor, type, code);
}

function toListener(walk: Walk, cursor: Cursor): Move {
  const { snapshot } = walk.world;
  const sockets = snapshot.fact('sockets', cursor.place);
  if (sockets.state === 'unseen') return stop(unseenEnd(cursor, sockets));
  const isGroup = isToGroup(walk, cursor);
  const vrf = vrfOf(walk, cursor);
  // TCP speaks to one host alone (tcp_v4_rcv, tcp_v6_conn_request).
  const match: SocketMatch =
    isGroup && cursor.packet.l4.protocol === 'tcp'
      ? { found: 'none', reason: 'none' }
      : findListener(sockets.value, cursor.packet, cursor.path.input, vrf);
  const step = listenerStep(walk, cursor, match);
  if (match.found === 'listener') {
    const boundTo = boundDevice(match.socket, cursor, vrf);
    const device = boundTo === undefined ? {} : { boundTo };
    const taken: End = { end: 'delivered', cursor, senderSees: 'reply', ...device };
    const full: End = { end: 'accept-queue-full', cursor, senderSees: 'nothing' };
    const ends = match.isFull === 'unknown' ? [taken, full] : [match.isFull === 'yes' ? full : taken];
    return oneOf(match.isSure ? ends : [...ends, takenByNobody(cursor, isGroup)], step);
  }
  if (!isComplete(sockets)) {
    return stop(unknownEnd(cursor, 'the sockets of this namespace were not seen wholly'), [step]);
  }
  return stop(takenByNobody(cursor, isGroup), [step]);
}

function oneOf(ends: readonly End[], step: Step): Move {
  if (ends.length === 1) return stop(ends[0]!, [step]);
  const steps = [{ ...step, matched: 'unknown' as const }];
  return { fork: 'undecided', ways: ends.map((to) => ({ chance: UNDECIDED, steps, to })) };
}

/** What no socket takes is answered by a reset or an ICMP error. What was sent to many is not (__udp4_lib_mcast_deliver). */
function takenByNobody(cursor: Cursor, isGroup: boolean): End {
  const { packet } = cursor;
  if (isGroup) return { end: 'no-listener', cursor, senderSees: 'nothing' };
  const [type, code] = unreachableCode(packet, 'port');
  const isTcp = packet.l4.protocol === 'tcp';
  const errorPacket = isTcp ? tcpReset(packet) : errorAbout(cursor, type, code);
  if (!errorPacket) return { end: 'no-listener', cursor, senderSees: 'nothing' };
  return { end: 'no-listener', cursor, senderSees: isTcp ? 'reset' : `icmp ${type}/${code}`, errorPacket };
}

/** TCP's answers of a socket that serves every VRF are the VRF's (inet_request_bound_dev_if). */
function boundDevice({ device }: Socket, { packet }: Cursor, vrf: SocketVrf | undefined): string | undefined {
  return device ?? (packet.l4.protocol === 'tcp' ? vrf?.name : undefined);
}

function isToGroup(walk: Walk, cursor: Cursor): boolean {
  const type = addressTypeOf(walk.world.snapshot, cursor.place, cursor.packet.ip.destination);
  return type === 'broadcast' || type === 'multicast';
}

function vrfOf(walk: Walk, cursor: Cursor): SocketVrf | undefined {
  const { snapshot } = walk.world;
  const device = linkNamed(snapshot, cursor.place, cursor.path.input);
  const master = device?.master === undefined ? undefined : linkNamed(snapshot, cursor.place, device.master);
  if (master?.kind !== 'vrf') return undefined;
  const key = `net.ipv4.${String(cursor.packet.l4.protocol)}_l3mdev_accept`;
  return { name: master.name, isOpen: switchedOn(readSysctl(snapshot, cursor.place, key)) };
}

function listenerStep(walk: Walk, cursor: Cursor, match: SocketMatch): Step {
  const { packet } = cursor;
  const port = 'destinationPort' in packet.l4 ? packet.l4.destinationPort : undefined;
  const socket = match.found === 'listener' ? match.socket : match.nearest;
  const isTaken = match.found === 'listener' && match.isFull !== 'yes';
  const process = socket?.processes[0];
  const wanted = formatEnd(packet.ip.destination, port);
  return makeStep({
    kind: 'socket',
    at: 'socket',
    matched: isTaken ? 'yes' : 'no',
    source: sourceOf(walk.world.snapshot.fact('sockets', cursor.place), socket?.text),
    values: {
      protocol: String(packet.l4.protocol),
      address: packet.ip.destination,
      port: typeof port === 'number' ? port : undefined,
      boundTo: socket && (socket.address ?? '*'),
      process: process?.name,
      pid: process?.pid,
      by: 'listener',
      reason: match.found === 'none' ? match.reason : match.isFull === 'yes' ? 'accept-queue-full' : undefined,
      ...(match.found === 'listener' && match.isFull !== 'no' && { waiting: socket?.receiveQueue }),
      ...(match.found === 'listener' && match.isFull === 'yes' && { waitingMax: socket?.sendQueue }),
    },
    text:
      match.found === 'listener'
        ? `${process?.name ?? 'a socket'} listens on ${formatEnd(socket!.address ?? '*', socket!.port)}${queueOf(match)}${doubtOf(match)}`
        : socket
          ? `nothing listens on ${wanted}: ${process?.name ?? 'a socket'} is bound to ${socket.address ?? '*'}`
          : `nothing listens on ${wanted}`,
  });
}

function queueOf({ isFull, socket }: Extract<SocketMatch, { found: 'listener' }>): string {
  if (isFull === 'no') return '';
  const waiting = `${socket.receiveQueue} ${socket.receiveQueue === 1 ? 'connection waits' : 'connections wait'} there to be accepted`;
  if (isFull === 'unknown') return `; ${waiting}: whether its queue is full was not seen`;
  return `, but ${waiting}, more than its queue takes (${socket.sendQueue ?? 0}): a SYN is dropped`;
}

function doubtOf({ isSure, socket }: Extract<SocketMatch, { found: 'listener' }>): string {
  if (isSure) return '';
  return `; whether it takes this packet was not seen (${socket.mayBeV6only ? 'IPV6_V6ONLY' : 'l3mdev_accept'})`;
}

/** The kernel answers echo requests unless told not to, and takes errors for its sockets. */
function toKernel(walk: Walk, cursor: Cursor): Move {
  const { packet } = cursor;
  const isEcho = 'type' in packet.l4 && (packet.l4.type === 8 || packet.l4.type === 128) && !isIcmpError(packet);
  const { snapshot } = walk.world;
  const sysctls = snapshot.fact('sysctls', cursor.place);
  const ignoring = isEcho ? ignoredBy(walk, cursor) : undefined;
  const step = makeStep({
    kind: 'socket',
    at: 'icmp',
    source: sourceOf(sysctls),
    values: { protocol: String(packet.l4.protocol), address: packet.ip.destination, by: 'kernel' },
    text: isEcho ? 'the kernel answers the echo request' : 'the kernel takes it',
  });
  const taken: End = { end: 'delivered', cursor, senderSees: isEcho ? 'reply' : 'nothing' };
  if (!ignoring) return stop(taken, [step]);
  const { key, check, isOn } = ignoring;
  const refused: End = { end: 'no-listener', cursor, senderSees: 'nothing' };
  if (isOn === 'unknown')
    return oneOf([taken, refused], { ...step, text: `${step.text}, unless ${key} is 1: not seen` });
  const ignored = makeStep({
    kind: 'sysctl',
    at: 'icmp',
    matched: 'no',
    source: sourceOf(sysctls, `${key} = 1`),
    values: { check, key, value: '1', needed: '0' },
    text: `${key} is 1: echo requests are not answered here`,
  });
  return stop(refused, [ignored]);
}

interface Ignoring {
  readonly key: string;
  readonly check: string;
  readonly isOn: Truth;
}

/** The setting by which an echo request has no answer (icmp_echo in net/ipv4/icmp.c, icmpv6_echo_reply). */
function ignoredBy(walk: Walk, cursor: Cursor): Ignoring | undefined {
  const { snapshot } = walk.world;
  const isV4 = familyAt(cursor) === 4;
  const type = addressTypeOf(snapshot, cursor.place, cursor.packet.ip.destination);
  const setting = (key: string, check: string): Ignoring => {
    return { key, check, isOn: switchedOn(readSysctl(snapshot, cursor.place, key)) };
  };
  const all = isV4 ? 'net.ipv4.icmp_echo_ignore_all' : 'net.ipv6.icmp.echo_ignore_all';
  const settings = [setting(all, 'icmp_echo_ignore_all')];
  if (type === 'broadcast' || type === 'multicast') {
    const group = isV4 ? 'net.ipv4.icmp_echo_ignore_broadcasts' : 'net.ipv6.icmp.echo_ignore_multicast';
    settings.push(setting(group, 'icmp_echo_ignore_broadcasts'));
  }
  if (type === 'anycast') settings.push(setting('net.ipv6.icmp.echo_ignore_anycast', 'icmp_echo_ignore_anycast'));
  return settings.find(({ isOn }) => isOn === 'yes') ?? settings.find(({ isOn }) => isOn === 'unknown');
}
