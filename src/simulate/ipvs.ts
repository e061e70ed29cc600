import type { Packet } from '../net/packet.ts';
import { placeKey } from '../net/place.ts';
import type { IpvsService } from '../parse/ipvsadm.ts';
import { type AtHook, type End, familyAt, go, type Move, prefixed, stop, type Walk, type Way } from './cursor.ts';
import { icmpError, unreachableCode } from './error-packet.ts';
import { connectionIn, connectionOut, endsOf, type IpvsConnection } from './ipvs-connection.ts';
import { ipvsSend, tracksIpvs, untrackedCursor } from './ipvs-send.ts';
import { type IpvsChoice, ipvsAt, ipvsChoices, serviceFor } from './ipvs-services.ts';
import { natChanges } from './nat.ts';
import { keyOfPacket, lookupRoute } from './routes.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';
import { both } from './truth.ts';
import { formatEnd, withDestination, withSource } from './tuple.ts';

/**
 * What comes from a client, or from this host itself, to a virtual service: a real server is chosen, and the packet sent
 * there (ip_vs_in in net/netfilter/ipvs/ip_vs_core.c, at local input and at output).
 */
export function ipvsIn(walk: Walk, cursor: AtHook): Move {
  if (cursor.path.ipvs) return go(cursor);
  const { packet, tracking, place } = cursor;
  if ('about' in packet.l4 && packet.l4.about) return errorIn(walk, cursor, packet.l4.about);
  const known = connectionIn(tracking.ipvs ?? [], place, packet);
  if (known) return ipvsSend(walk, cursor, known, serviceStep(walk, cursor, known, undefined));
  const { services } = ipvsAt(walk.world.snapshot, place);
  const service = serviceFor(services, packet, cursor.meta.mark, familyAt(cursor));
  if (!service || !canBegin(packet)) return go(cursor);
  const choices = ipvsChoices(service);
  if (choices.length === 0) return noServer(walk, cursor, service);
  const moves = choices.map((choice) => ({ choice, move: scheduled(walk, cursor, service, choice) }));
  if (moves.length === 1) return moves[0]!.move;
  const ways = moves.flatMap(({ choice, move }) =>
    move.ways.map((way): Way => ({ ...way, chance: both(choice.chance, way.chance) })),
  );
  return { fork: choices.some((one) => one.fork === 'undecided') ? 'undecided' : 'random', ways };
}

/** Only a SYN begins a connection of TCP (tcp_conn_schedule; net.ipv4.vs.sloppy_tcp is off). */
function canBegin({ l4 }: Packet): boolean {
  if (l4.protocol !== 'tcp' || !('sourcePort' in l4)) return true;
  const flags = l4.flags ?? ['syn'];
  return flags.includes('syn') && !flags.includes('rst');
}

function scheduled(walk: Walk, cursor: AtHook, service: IpvsService, { destination }: IpvsChoice): Move {
  const ends = endsOf(cursor.packet)!;
  const port = destination.port === 0 ? ends.destination.port : destination.port;
  const connection: IpvsConnection = {
    table: placeKey(cursor.place),
    protocol: String(cursor.packet.l4.protocol),
    client: ends.source,
    virtual: ends.destination,
    real: { address: destination.address, port },
    forwarding: destination.forwarding,
    ...(destination.tunnel === undefined ? {} : { tunnel: destination.tunnel }),
  };
  const kept = service.onePacket ? [] : [connection];
  const tracking = { ...cursor.tracking, ipvs: [...(cursor.tracking.ipvs ?? []), ...kept] };
  const step = serviceStep(walk, cursor, connection, service, destination.text);
  return ipvsSend(walk, { ...cursor, tracking }, connection, step);
}

/** A service whose servers are all gone, or of weight 0, says that its port can't be reached (ip_vs_leave). */
function noServer(walk: Walk, cursor: AtHook, service: IpvsService): Move {
  const step = makeStep({
    kind: 'nat',
    at: `${cursor.stage.hook} ipvs`,
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('ipvs', cursor.place), service.text),
    values: { by: 'ipvs', service: service.text, scheduler: service.scheduler, reason: 'no-server' },
    text: `the ipvs service (${service.text}) has no server that takes connections`,
    features: ['ipvs'],
  });
  const [type, code] = unreachableCode(cursor.packet, 'port');
  const errorPacket = icmpError(cursor.packet, type, code);
  const end: End = {
    end: 'rejected-by-rule',
    cursor,
    senderSees: `icmp ${type}/${code}`,
    ...(errorPacket ? { errorPacket } : {}),
  };
  return stop(end, [step]);
}

function serviceStep(
  walk: Walk,
  cursor: AtHook,
  connection: IpvsConnection,
  service: IpvsService | undefined,
  text?: string,
): Step {
  const { real, virtual, forwarding } = connection;
  const [from, to] = [formatEnd(virtual.address, virtual.port), formatEnd(real.address, real.port)];
  const how = { masquerading: 'becomes', routing: 'is routed to', tunnel: 'is sent by a tunnel to' }[forwarding];
  const isExchanged = forwarding === 'masquerading';
  return makeStep({
    kind: 'nat',
    at: `${cursor.stage.hook} ipvs`,
    source: sourceOf(walk.world.snapshot.fact('ipvs', cursor.place), text),
    values: { nat: 'destination', from, to, by: 'ipvs', scheduler: service?.scheduler, forwarding },
    text: service ? `destination ${from} ${how} ${to} (ipvs, ${service.scheduler})` : `${from} ${how} ${to} (ipvs)`,
    changes: isExchanged ? [{ field: 'destination', from, to }] : [],
    features: ['ipvs'],
  });
}

/** An error about an answer of the service goes to the server that sent it (ip_vs_in_icmp, ip_vs_nat_icmp). */
function errorIn(walk: Walk, cursor: AtHook, about: Packet): Move {
  const { packet, tracking, place } = cursor;
  const turned = withDestination(withSource(about, about.ip.destination), about.ip.source);
  const ends = endsOf(about);
  const asked = ends && exchanged(turned, ends.destination.port, ends.source.port);
  const connection = asked && connectionIn(tracking.ipvs ?? [], place, asked);
  if (connection?.forwarding !== 'masquerading') return go(cursor);
  const inner = withSource(about, connection.real.address, connection.real.port);
  const next = { ...packet, l4: { ...packet.l4, about: inner } as Packet['l4'] };
  return ipvsSend(walk, { ...cursor, packet: next }, connection, changeStep(walk, cursor, packet, next));
}

function exchanged(
  packet: Packet,
  sourcePort: IpvsConnection['real']['port'],
  destinationPort: typeof sourcePort,
): Packet {
  const { ip } = packet;
  return withDestination(withSource(packet, ip.source, sourcePort), ip.destination, destinationPort);
}

/** What comes from a real server bears the service's address again (ip_vs_out, at local input, forward and output). */
export function ipvsOut(walk: Walk, cursor: AtHook): Move {
  if (cursor.path.ipvs) return go(cursor);
  const { packet, tracking, place } = cursor;
  const connections = tracking.ipvs ?? [];
  if (connections.length === 0) return go(cursor);
  const about = 'about' in packet.l4 ? packet.l4.about : undefined;
  const answered = about ? answerTo(about) : packet;
  const connection = connectionOut(connections, place, answered);
  if (connection?.forwarding !== 'masquerading') return go(cursor);
  const { virtual } = connection;
  const next = about
    ? withQuoted(withSource(packet, virtual.address), withDestination(about, virtual.address, virtual.port))
    : withSource(packet, virtual.address, virtual.port);
  const step = changeStep(walk, cursor, packet, next);
  const path = { ...cursor.path, ipvs: true };
  const kept: AtHook = { ...cursor, packet: next, path };
  const tracked = tracksIpvs(walk, kept) ? kept : untrackedCursor(kept);
  return prefixed([step], reroutedAnswer(walk, tracked));
}

function answerTo(packet: Packet): Packet {
  const ends = endsOf(packet);
  const turned = withDestination(withSource(packet, packet.ip.destination), packet.ip.source);
  return ends ? exchanged(turned, ends.destination.port, ends.source.port) : turned;
}

function withQuoted(packet: Packet, about: Packet): Packet {
  return { ...packet, l4: { ...packet.l4, about } as Packet['l4'] };
}

function changeStep(walk: Walk, cursor: AtHook, before: Packet, after: Packet): Step {
  const { changes, text } = natChanges(before, after);
  return makeStep({
    kind: 'nat',
    at: `${cursor.stage.hook} ipvs`,
    source: sourceOf(walk.world.snapshot.fact('ipvs', cursor.place)),
    values: { nat: 'source', from: changes[0]?.from, to: changes[0]?.to, by: 'ipvs' },
    text: `${text} (ipvs, turned)`,
    changes,
    features: ['ipvs'],
  });
}

/** An answer is routed as what this host itself would send from the service's address (net.ipv4.vs.snat_reroute). */
function reroutedAnswer(walk: Walk, cursor: AtHook): Move {
  const { stage, packet, meta, path } = cursor;
  if (stage.hook === 'input') return go(cursor);
  if (stage.hook === 'output') return go({ ...cursor, path: { ...path, reroute: { packet, mark: meta.mark } } });
  const lookup = lookupRoute(walk.world.snapshot, cursor.place, keyOfPacket(packet, meta.mark, {}));
  const only = lookup.state === 'found' && lookup.ways.length === 1 ? lookup.ways[0]!.found : undefined;
  if (only?.type !== 'unicast' || only.hop?.device === undefined) return go(cursor);
  return go({ ...cursor, path: { ...path, route: only, output: only.hop.device } });
}
