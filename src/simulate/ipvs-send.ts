import { familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { confirm } from './conntrack.ts';
import {
  type AtHook,
  type Cursor,
  type Move,
  prefixed,
  stop,
  unknownEnd,
  unseenEnd,
  type Walk,
  type Way,
} from './cursor.ts';
import type { IpvsConnection } from './ipvs-connection.ts';
import { deviceOf } from './output.ts';
import { routeStep } from './route-step.ts';
import { keyOfPacket, lookupRoute, type RouteFound } from './routes.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { Step } from './trace.ts';
import { release, withCurrent } from './tracking.ts';
import { withDestination } from './tuple.ts';
import { withError } from './with-error.ts';

/** net.ipv4.vs.conntrack: connections of ipvs stay tracked, so that rules can masquerade them. */
export function tracksIpvs(walk: Walk, cursor: Cursor): boolean {
  return switchedOn(readSysctl(walk.world.snapshot, cursor.place, 'net.ipv4.vs.conntrack')) === 'yes';
}

/** The packet forgoes its connection (ip_vs_notrack). */
export function untrackedCursor<C extends Cursor>(cursor: C): C {
  return { ...cursor, tracking: release(cursor.tracking), meta: { ...cursor.meta, conntrack: 'untracked' } };
}

/**
 * Sends a packet to its real server (ip_vs_xmit.c): to one on this host the packet goes on with what remains of the hook,
 * any other is routed anew and goes through the output hook, without a socket, and postrouting.
 */
export function ipvsSend(walk: Walk, cursor: AtHook, connection: IpvsConnection, step: Step): Move {
  const { snapshot } = walk.world;
  const { real } = connection;
  const { source: _own, ...key } = keyOfPacket(withDestination(cursor.packet, real.address), 0, {});
  const lookup = lookupRoute(snapshot, cursor.place, { ...key, tos: 0 });
  if (lookup.state === 'unseen') return stop(unseenEnd(cursor, lookup.unseen), [step]);
  const ways = lookup.ways.map(({ found, chance, doubt }): Way => {
    const route = routeStep(snapshot, cursor.place, key, found, 'output', doubt);
    const to = found.type === 'local' ? sentHere(walk, cursor, connection) : sentOn(walk, cursor, connection, found);
    return { chance, steps: [route], to };
  });
  const fork = lookup.ways.some((way) => way.fork === 'undecided') ? 'undecided' : 'multipath';
  return prefixed([step], ways.length > 1 ? { fork, ways } : { ways });
}

/** What the packet and its connection are after ipvs has dealt with them. */
function dealtWith(walk: Walk, cursor: AtHook, connection: IpvsConnection): AtHook {
  const { packet, path } = cursor;
  const { real, forwarding } = connection;
  const isExchanged = forwarding === 'masquerading';
  const next: AtHook = {
    ...cursor,
    packet: isExchanged ? withDestination(packet, real.address, real.port) : packet,
    path: { ...path, ipvs: true },
  };
  if (!tracksIpvs(walk, cursor)) return untrackedCursor(next);
  const { current } = next.tracking;
  // The first packet's entry learns whose answers are to come (ip_vs_update_conntrack); no status bit tells of it.
  if (!isExchanged || !current || current.reply || current.connection.confirmed) return next;
  const { answer } = current.connection;
  const port = answer.type === undefined ? { sourcePort: real.port } : {};
  const bound = { ...current.connection, answer: { ...answer, source: real.address, ...port }, byIpvs: true };
  return { ...next, tracking: withCurrent(next.tracking, bound) };
}

function sentHere(walk: Walk, cursor: AtHook, connection: IpvsConnection): Way['to'] {
  if (connection.forwarding === 'tunnel') return unknownEnd(cursor, 'ipvs sends by a tunnel to this host itself');
  return dealtWith(walk, cursor, connection);
}

function sentOn(walk: Walk, cursor: AtHook, connection: IpvsConnection, found: RouteFound): Way['to'] {
  if (found.type !== 'unicast') return withError(cursor, 'no-route', 'network');
  if (cursor.packet.ip.ttl <= 1) return withError(cursor, 'ttl-exceeded', 'ttl');
  const { address } = connection.real;
  const dealt = dealtWith(walk, cursor, connection);
  const { ip } = dealt.packet;
  const packet = { ...dealt.packet, ip: { ...ip, ttl: ip.ttl - 1 } };
  // Routed on unchanged, the packet goes to the server's MAC though it bears the service's address.
  const hop = { ...found.hop!, via: found.hop?.via ?? address };
  const path = { local: false, ipvs: true, route: { ...found, hop }, output: deviceOf(found) } as const;
  const stage = { name: 'hook', hook: 'output', next: 0, after: { name: 'reroute' } } as const;
  const sent = { ...dealt, packet, path, stage };
  return connection.forwarding === 'tunnel' ? wrapped(sent, connection) : sent;
}

const IPIP_BYTES = { 4: 20, 6: 40 } as const;

/** By IPIP (ip_vs_tunnel_xmit); what GUE and GRE add is not modelled. */
function wrapped(cursor: AtHook, { real, tunnel }: IpvsConnection): Way['to'] {
  if (tunnel !== undefined && tunnel !== 'ipip') {
    return unknownEnd(cursor, `ipvs's tunnels of type ${tunnel} are not modelled`);
  }
  const { packet } = cursor;
  const family = familyOf(real.address);
  const source = cursor.path.route?.route?.preferredSource;
  if (source === undefined) return unknownEnd(cursor, 'the address that ipvs sends its tunnel from is not known');
  const outer: Packet = {
    ip: { source, destination: real.address, ttl: packet.ip.ttl, tos: packet.ip.tos, df: packet.ip.df },
    l4: { protocol: familyOf(packet.ip.source) === 4 ? 4 : 41 },
    lengthBytes: packet.lengthBytes + IPIP_BYTES[family],
    inner: packet,
    tunnel: { kind: family === 6 ? 'ip6tnl' : familyOf(packet.ip.source) === 4 ? 'ipip' : 'sit' },
  };
  const meta = { ...cursor.meta, conntrack: 'none' as const, zone: 0, connmark: 0, nat: [] };
  return { ...cursor, packet: outer, tracking: release(confirm(cursor.tracking, cursor.meta)), meta };
}
