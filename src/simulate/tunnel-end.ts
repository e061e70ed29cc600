import { familyOf } from '../net/address.ts';
import type { Packet, TunnelHeader } from '../net/packet.ts';
import type { Link } from '../parse/ip-link.ts';
import { type Cursor, go, type Move, stop, unknownEnd, type Walk } from './cursor.ts';
import { release, untouched } from './tracking.ts';
import { type IpTunnelMatch, ipTunnelFor } from './tunnel-match.ts';
import { dropped } from './tunnel-outer.ts';
import { type TunnelTelling, tunnelStep } from './tunnel-step.ts';
import { peerFor, wireguardDevice } from './tunnel-wireguard.ts';

/** The tunnel devices that this packet is for, by its kind and port; undefined where it is none, or nothing here takes it. */
export function tunnelAt(walk: Walk, cursor: Cursor): readonly Link[] | undefined {
  const { l4, inner, tunnel } = cursor.packet;
  if (!inner || !tunnel) return undefined;
  const links = walk.world.snapshot.fact('links', cursor.place);
  if (links.state === 'unseen') return undefined;
  const port = 'destinationPort' in l4 ? l4.destinationPort : undefined;
  const devices = links.value.filter((link) => link.flags.includes('UP') && takes(link, tunnel, port));
  return devices.length > 0 ? devices : undefined;
}

function takes(link: Link, tunnel: TunnelHeader, port: unknown): boolean {
  switch (tunnel.kind) {
    case 'vxlan':
      return link.vxlan !== undefined && link.vxlan.port === port;
    case 'geneve':
      return link.geneve !== undefined && link.geneve.port === port;
    case 'sit':
      return link.kind === 'sit' || link.kind === 'ipip';
    default:
      return link.kind === tunnel.kind;
  }
}

/** The receiving end of a tunnel: the device that the packet belongs to takes out what it carries. */
export function decapsulate(walk: Walk, cursor: Cursor, devices: readonly Link[]): Move {
  const { tunnel } = cursor.packet;
  switch (tunnel!.kind) {
    case 'vxlan':
      return outOfVxlan(walk, cursor, devices, tunnel!.vni);
    case 'geneve':
      return outOfGeneve(walk, cursor, devices, tunnel!.vni);
    case 'wireguard':
      return outOfWireguard(walk, cursor, devices, tunnel!);
    default:
      return outOfIpTunnel(walk, cursor, ipTunnelFor(devices, cursor.packet), devices[0]!);
  }
}

type Telling = Omit<TunnelTelling, 'act'>;

/** The mark stays with what comes out, the connection does not. */
function unwrapped(walk: Walk, cursor: Cursor, link: Link, telling: Telling, mark = cursor.meta.mark): Move {
  const step = tunnelStep(walk, cursor, link, { ...telling, act: 'decapsulate' });
  return go(
    {
      ...cursor,
      packet: cursor.packet.inner!,
      meta: untouched(mark),
      tracking: release(cursor.tracking),
      path: { local: false },
      stage: { name: 'arrive', device: link.name },
    },
    [step],
  );
}

/**
 * vxlan_rcv: the device of this VNI takes the frame; a frame with its own MAC as source is a loop, and one of a MAC that a
 * fixed entry has elsewhere is dropped (vxlan_snoop). Whether the inner destination MAC is its own, its arrival decides.
 */
function outOfVxlan(walk: Walk, cursor: Cursor, devices: readonly Link[], vni: number): Move {
  const { packet } = cursor;
  const inner = packet.inner!;
  const family = familyOf(packet.ip.destination);
  const link = devices.find(({ vxlan }) => {
    return vxlan!.external || (vxlan!.id === vni && familyOfVxlan(vxlan!) === family);
  });
  if (!link) {
    const text = `no VXLAN device here has the VNI ${vni}: dropped`;
    return dropped(walk, cursor, devices[0]!, { vni, reason: 'vni-unknown', text });
  }
  if (link.vxlan!.gpe || link.vxlan!.gbp || link.vxlan!.vniFilter) {
    return stop(unknownEnd(cursor, `${link.name} uses an extension of VXLAN that is not modelled`));
  }
  const source = inner.macs?.source;
  const telling = { remote: packet.ip.source, mac: inner.macs?.destination, vni };
  if (source !== undefined && source === link.mac) {
    const text = `the frame bears the MAC of ${link.name} itself as its source: dropped`;
    return dropped(walk, cursor, link, { ...telling, reason: 'own-source-mac', text });
  }
  const fixed = link.vxlan!.learning && source !== undefined ? movedFrom(walk, cursor, link, source) : undefined;
  if (fixed !== undefined) {
    const text = `${source} sends from ${packet.ip.source}, and a fixed entry of ${link.name} has it at ${fixed}: dropped`;
    return dropped(walk, cursor, link, { ...telling, reason: 'source-moved', text });
  }
  return unwrapped(walk, cursor, link, { ...telling, text: `${link.name} unwraps VXLAN ${vni}` });
}

/** Its socket is of the family of its addresses, IPv4 where it has none. */
function familyOfVxlan({ remote, local, group }: NonNullable<Link['vxlan']>): 4 | 6 {
  const address = remote ?? local ?? group;
  return address === undefined ? 4 : familyOf(address);
}

function movedFrom(walk: Walk, cursor: Cursor, link: Link, mac: string): string | undefined {
  const fdb = walk.world.snapshot.fact('fdb', cursor.place);
  const entries = fdb.state === 'seen' ? fdb.value : [];
  const own = entries.filter((one) => one.device === link.name && one.mac === mac && one.remote !== undefined);
  const entry = own.find((one) => one.remote === cursor.packet.ip.source) ?? own[0];
  const isFixed = entry?.state === 'permanent' || entry?.state === 'static';
  return isFixed && entry.remote !== cursor.packet.ip.source ? entry.remote : undefined;
}

/** geneve_rx: the device of this VNI whose remote is the sender. */
function outOfGeneve(walk: Walk, cursor: Cursor, devices: readonly Link[], vni: number): Move {
  const { packet } = cursor;
  const link =
    devices.find(({ geneve }) => geneve!.id === vni && geneve!.remote === packet.ip.source) ??
    devices.find(({ geneve }) => geneve!.external);
  const telling = { remote: packet.ip.source, mac: packet.inner!.macs?.destination, vni };
  if (!link) {
    const text = `no GENEVE device here has the VNI ${vni} and the remote ${packet.ip.source}: dropped`;
    return dropped(walk, cursor, devices[0]!, { ...telling, reason: 'vni-unknown', text });
  }
  const source = packet.inner!.macs?.source;
  if (source !== undefined && source === link.mac) {
    const text = `the frame bears the MAC of ${link.name} itself as its source: dropped`;
    return dropped(walk, cursor, link, { ...telling, reason: 'own-source-mac', text });
  }
  return unwrapped(walk, cursor, link, { ...telling, text: `${link.name} unwraps GENEVE ${vni}` });
}

function outOfIpTunnel(walk: Walk, cursor: Cursor, found: IpTunnelMatch, any: Link): Move {
  const { packet } = cursor;
  const key = packet.tunnel && 'key' in packet.tunnel ? packet.tunnel.key : undefined;
  if (found.state === 'unknown') return stop(unknownEnd(cursor, found.because));
  if (found.state === 'none') {
    const text = `no tunnel here is between ${packet.ip.source} and ${packet.ip.destination}${key === undefined ? '' : ` with the key ${key}`}: dropped`;
    return dropped(walk, cursor, any, { remote: packet.ip.source, key, reason: 'no-tunnel', text });
  }
  const text = `${found.link.name} unwraps ${found.link.kind}${found.isFallback ? ' (it takes what no other tunnel does)' : ''}`;
  return unwrapped(walk, cursor, found.link, { remote: packet.ip.source, key, text });
}

/** wg_packet_receive: only the peer that may have the inner source address gets its packet through. */
function outOfWireguard(
  walk: Walk,
  cursor: Cursor,
  devices: readonly Link[],
  header: Extract<TunnelHeader, { kind: 'wireguard' }>,
): Move {
  const inner: Packet = cursor.packet.inner!;
  for (const link of devices) {
    const device = wireguardDevice(walk, cursor, link.name);
    if ('end' in device) return stop(device);
    if (device.publicKey !== header.to) continue;
    const telling = { remote: cursor.packet.ip.source, peer: header.from };
    if (!device.peers.some((peer) => peer.publicKey === header.from)) {
      const text = `${link.name} has no peer with the key ${header.from}: no handshake, dropped`;
      return dropped(walk, cursor, link, { ...telling, reason: 'peer-unknown', text });
    }
    if (peerFor(device, inner.ip.source)?.publicKey !== header.from) {
      const text = `the peer ${header.from} may not send from ${inner.ip.source} (allowed-ips of ${link.name}): dropped`;
      return dropped(walk, cursor, link, { ...telling, reason: 'source-not-allowed', text });
    }
    return unwrapped(walk, cursor, link, { ...telling, text: `${link.name} unwraps the peer's packet` }, 0);
  }
  const text = `no WireGuard device here has the key ${header.to} that the packet is meant for: dropped`;
  return dropped(walk, cursor, devices[0]!, { peer: header.to, reason: 'peer-unknown', text });
}
