import { describe, expect, it } from 'vitest';
import type { L4, Packet } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import { confirm, track } from './conntrack.ts';
import { icmpError } from './error-packet.ts';
import { bind, type OwnAddress, translate } from './nat.ts';
import { answerTo } from './simulate-round-trip.ts';
import { buildPacket, ECHO, tcpSyn, udpTo } from './testing/build-hook-input.ts';
import {
  type Connection,
  NO_CONNECTIONS,
  release,
  type Tracking,
  translationsOf,
  untouched,
  withCurrent,
  withMark,
} from './tracking.ts';

const W1 = hostOf('w1');
const CLIENT = '10.244.0.5';
const SERVICE = '10.96.0.10';
const SYN = buildPacket({ source: CLIENT, destination: SERVICE, l4: tcpSyn(80) });
const NOT_ASKED = () => undefined;

/** The one way in which a translation is bound. */
function boundBy(connection: Connection, nat: Parameters<typeof bind>[1], own: OwnAddress = NOT_ASKED): Connection {
  const binding = bind(connection, nat, own);
  if (binding.kind !== 'bound') throw new Error(binding.because);
  expect(binding.ways).toHaveLength(1);
  return binding.ways[0]!;
}

/** A first packet's way through both nat hooks. */
function translated(
  packet: Packet,
  to?: string,
  port?: number,
  source?: string,
): { tracking: Tracking; packet: Packet } {
  const first = track(W1, packet, untouched(), NO_CONNECTIONS);
  let connection = first.tracking.current!.connection;
  if (to) connection = boundBy(connection, { kind: 'destination', to: { address: to, ...(port ? { port } : {}) } });
  if (source) connection = boundBy(connection, { kind: 'source', to: {}, masquerade: true }, () => source);
  const out = translate(translate(packet, connection, false, 'prerouting'), connection, false, 'postrouting');
  return { tracking: release(confirm(withCurrent(first.tracking, connection), first.meta)), packet: out };
}

describe('track', () => {
  const stateOf = (packet: Packet, tracking = NO_CONNECTIONS) =>
    track(W1, packet, untouched(), tracking).meta.conntrack;
  const tcp = (...flags: string[]): Packet => buildPacket({ l4: { ...tcpSyn(80), flags } as L4 });

  it('begins anew with a SYN on an entry of the kernel’s table that has been closed', () => {
    const packet = buildPacket({ l4: { ...tcpSyn(80), sourcePort: 40_000 } as L4 });
    const { connection } = track(W1, packet, untouched(), NO_CONNECTIONS).tracking.current!;
    const closed: Connection = { ...connection, confirmed: true, seenReply: true, tcp: { state: 'TW', closing: true } };
    const { meta, tracking } = track(W1, packet, untouched(), NO_CONNECTIONS, { existing: () => closed });
    expect([meta.conntrack, tracking.current?.connection.confirmed]).toEqual(['new', false]);
  });

  it('begins a connection with what can begin one', () => {
    expect(stateOf(SYN)).toBe('new');
    expect(stateOf(buildPacket({ l4: udpTo(53) }))).toBe('new');
    expect(stateOf(buildPacket({ l4: ECHO }))).toBe('new');
    expect(stateOf(tcp('ack'))).toBe('new');
  });

  it('calls the rest invalid', () => {
    expect(stateOf(tcp('syn', 'ack'))).toBe('invalid');
    expect(stateOf(tcp('rst', 'ack'))).toBe('invalid');
    expect(stateOf(buildPacket({ l4: { protocol: 'icmp', type: 0, code: 0, id: 7 } }))).toBe('invalid');
  });

  it('leaves an untracked packet alone', () => {
    const meta = { ...untouched(), conntrack: 'untracked' as const };
    expect(track(W1, SYN, meta, NO_CONNECTIONS)).toEqual({ tracking: NO_CONNECTIONS, meta });
  });

  it('knows the answer, and from then on both directions as established', () => {
    const { tracking } = translated(SYN);
    const reply = track(W1, answerTo(SYN), untouched(), tracking);
    expect(reply.meta.conntrack).toBe('established');
    expect(reply.tracking.current!.reply).toBe(true);
    expect(stateOf(SYN, tracking)).toBe('new');
    expect(stateOf(SYN, release(confirm(reply.tracking, reply.meta)))).toBe('established');
  });

  it('keeps namespaces and zones apart', () => {
    const { tracking } = translated(SYN);
    expect(track(hostOf('w2'), answerTo(SYN), untouched(), tracking).meta.conntrack).toBe('invalid');
    expect(track(W1, answerTo(SYN), { ...untouched(), zone: 5 }, tracking).meta.conntrack).toBe('invalid');
  });

  it('keeps the connection’s mark', () => {
    const first = track(W1, SYN, untouched(), NO_CONNECTIONS);
    const tracking = release(confirm(first.tracking, { ...first.meta, connmark: 0x80 }));
    expect(track(W1, answerTo(SYN), untouched(), tracking).meta.connmark).toBe(0x80);
  });
});

describe('entries', () => {
  const tcp = (...flags: string[]): Packet => buildPacket({ l4: { ...tcpSyn(80), flags } as L4 });
  const met = (packet: Packet, tracking: Tracking, meta = untouched()) => track(W1, packet, meta, tracking);
  const left = (tracked: ReturnType<typeof track>): Tracking => release(confirm(tracked.tracking, tracked.meta));
  const began = left(met(tcp('syn'), NO_CONNECTIONS));
  const turned = (packet: Packet, ...flags: string[]): Packet => {
    const answer = answerTo(packet);
    return { ...answer, l4: { ...answer.l4, flags } as L4 };
  };

  it('pick up an ACK in mid-stream only where that is allowed', () => {
    expect(track(W1, tcp('ack'), untouched(), NO_CONNECTIONS, { loose: false }).meta.conntrack).toBe('invalid');
    expect(track(W1, tcp('syn'), untouched(), NO_CONNECTIONS, { loose: false }).meta.conntrack).toBe('new');
  });

  it('are forgotten with a reset that is the only answer', () => {
    const reset = met(turned(tcp('syn'), 'rst', 'ack'), began);
    expect(reset.meta.conntrack).toBe('established');
    expect(left(reset).connections).toEqual([]);
  });

  it('stay with an answer, and know what does not belong to them', () => {
    const answered = left(met(turned(tcp('syn'), 'syn', 'ack'), began));
    expect(met(tcp('ack'), answered).meta.conntrack).toBe('established');
    expect(met(tcp('ack'), began).meta.conntrack).toBe('invalid');
    // A second SYN is let through.
    expect(met(tcp('syn'), answered).meta.conntrack).toBe('established');
    expect(met(tcp('syn'), began).meta.conntrack).toBe('new');
  });

  it('are not made by what was attached to them, nor by what never passed all hooks', () => {
    const first = met(tcp('syn'), NO_CONNECTIONS);
    const error = { ...first.tracking, current: { connection: first.tracking.current!.connection, reply: true } };
    expect(confirm(error, first.meta).connections).toEqual([]);
    expect(release(first.tracking).connections).toEqual([]);
  });

  it('have their mark at once when they are in the table', () => {
    const again = met(tcp('syn'), began);
    const marked = withMark(again.tracking, { ...again.meta, connmark: 5 });
    expect(release(marked).connections.map((one) => one.mark)).toEqual([5]);
    const fresh = met(tcp('syn'), NO_CONNECTIONS);
    expect(release(withMark(fresh.tracking, { ...fresh.meta, connmark: 5 })).connections).toEqual([]);
  });

  it('are of a zone for one direction, where it was given for one', () => {
    const meta = { ...untouched(), zone: 5, zoneDirection: 'original' as const };
    const zoned = left(met(SYN, NO_CONNECTIONS, meta));
    expect(met(SYN, zoned, meta).meta.conntrack).toBe('new');
    expect(zoned.connections.map((one) => one.zones)).toEqual([{ original: 5, answer: 0 }]);
    // The answer needs no zone; the client's next packet does.
    expect(met(answerTo(SYN), zoned).meta.conntrack).toBe('established');
    expect(met(tcp('ack'), zoned).tracking.current!.connection.confirmed).toBe(false);
  });

  it('tell an echo request from the other side from an answer', () => {
    const echo = buildPacket({ source: CLIENT, destination: '10.244.1.7', l4: ECHO });
    const known = left(met(echo, NO_CONNECTIONS));
    expect(met(answerTo(echo), known).meta.conntrack).toBe('established');
    const other = { ...answerTo(echo), l4: ECHO };
    expect(met(other, known).meta.conntrack).toBe('new');
  });

  it('are not made of neighbour discovery, and of no ICMPv6 but requests', () => {
    const six = (type: number): Packet =>
      buildPacket({ source: 'fd00::1', destination: 'fd00::2', l4: { protocol: 'icmpv6', type, code: 0 } });
    expect([135, 136, 133, 143].map((type) => met(six(type), NO_CONNECTIONS).meta.conntrack)).toEqual(
      Array.from({ length: 4 }, () => 'untracked'),
    );
    expect(met(six(128), NO_CONNECTIONS).meta.conntrack).toBe('new');
    expect(met(six(129), NO_CONNECTIONS).meta.conntrack).toBe('invalid');
  });

  it('take an error only if it goes to their own end', () => {
    const error = icmpError(tcp('syn'), 3, 1)!;
    expect(met(error, began).meta.conntrack).toBe('related');
    const elsewhere = { ...error, ip: { ...error.ip, destination: '10.9.9.9' } };
    expect(met(elsewhere, began).meta.conntrack).toBe('invalid');
  });
});

describe('translation', () => {
  it('of destination and source, and the answer turned back by both', () => {
    const { tracking, packet } = translated(SYN, '10.244.1.7', 8080, '10.78.0.11');
    expect(packet).toMatchObject({
      ip: { source: '10.78.0.11', destination: '10.244.1.7' },
      l4: { destinationPort: 8080 },
    });
    const reply = track(W1, answerTo(packet), untouched(), tracking);
    expect(reply.meta.nat).toEqual(['source', 'destination']);
    const { connection } = reply.tracking.current!;
    const back = translate(
      translate(answerTo(packet), connection, true, 'prerouting'),
      connection,
      true,
      'postrouting',
    );
    expect(back).toMatchObject({ ip: { source: SERVICE, destination: CLIENT }, l4: { sourcePort: 80 } });
  });

  it('of an ICMP error: its own source and what it quotes', () => {
    const { tracking, packet } = translated(SYN, '10.244.1.7', 8080);
    const error = icmpError(packet, 3, 1)!;
    const { meta, tracking: found } = track(
      W1,
      { ...error, ip: { ...error.ip, source: '10.78.0.12' } },
      untouched(),
      tracking,
    );
    expect(meta.conntrack).toBe('related');
    const back = translate(error, found.current!.connection, found.current!.reply, 'postrouting');
    expect(back.l4).toMatchObject({
      about: { ip: { source: CLIENT, destination: SERVICE }, l4: { destinationPort: 80 } },
    });
  });

  it('keeps a source port that lies in the range, else the kernel chooses', () => {
    const { connection } = track(
      W1,
      buildPacket({ l4: { protocol: 'udp', sourcePort: 40000, destinationPort: 53 } }),
      untouched(),
      NO_CONNECTIONS,
    ).tracking.current!;
    const portOf = (port: number, portTo: number) =>
      boundBy(connection, { kind: 'source', to: { address: '10.0.0.9', port, portTo } }).answer.destinationPort;
    expect(portOf(1024, 65535)).toBe(40000);
    expect(portOf(1024, 2048)).toBe('ephemeral');
    expect(portOf(5000, 5000)).toBe(5000);
  });

  it('is not made up where the address is not known', () => {
    const { connection } = track(W1, SYN, untouched(), NO_CONNECTIONS).tracking.current!;
    expect(bind(connection, { kind: 'source', to: {}, masquerade: true }, NOT_ASKED).kind).toBe('unknown');
    expect(bind(connection, { kind: 'source', to: {}, masquerade: true }, () => 'none').kind).toBe('dropped');
    expect(translationsOf(connection)).toEqual([]);
  });
});
