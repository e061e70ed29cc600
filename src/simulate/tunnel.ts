import { familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { FdbEntry } from '../parse/bridge-fdb.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { release, untouched } from './conntrack.ts';
import { type Cursor, go, type Move, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { linkNamed } from './hook-input.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';

/** Outer IPv4 or IPv6, UDP and VXLAN headers, and the inner Ethernet header (RFC 7348 §5). */
const OVERHEAD_BYTES = { 4: 50, 6: 70 } as const;
const OUTER_HOPS = 64;
const ANY_MAC = '00:00:00:00:00:00';

/**
 * A VXLAN device wraps the frame (vxlan_xmit): the forwarding table names the remote end for the destination MAC, else
 * the default entries. The outer packet is sent like any other of this host and inherits the mark. It does not set DF
 * unless the device says so, so it may be fragmented.
 */
export function encapsulate(walk: Walk, cursor: Cursor): Move {
  if (cursor.stage.name !== 'encapsulate') throw new Error('not at a tunnel');
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, cursor.stage.device);
  if (!link?.vxlan) return stop(unknownEnd(cursor, `${cursor.stage.device} was not seen as a VXLAN device`));
  if (link.vxlan.external) return stop(unknownEnd(cursor, `${link.name} takes its remote from metadata: not modelled`));
  const mac = cursor.packet.macs?.destination;
  if (mac === undefined) return stop(unknownEnd(cursor, `the MAC to send to on ${link.name} is not known`));
  if (cursor.packet.inner?.inner) return circular(walk, cursor, link, mac);
  const fdb = snapshot.fact('fdb', cursor.place);
  if (fdb.state === 'unseen') return stop(unseenEnd(cursor, fdb));
  const entry = entryFor(fdb.value, link, mac);
  const remote = entry?.remote ?? link.vxlan.remote;
  if (remote === undefined) {
    if (link.vxlan.group !== undefined)
      return stop(unknownEnd(cursor, `${link.name} floods to a multicast group: not modelled`));
    if (!isComplete(fdb)) return stop(unknownEnd(cursor, `the forwarding table of ${link.name} was not seen wholly`));
    return noRemote(walk, cursor, link, mac);
  }
  const port = entry?.port ?? link.vxlan.port;
  const outer = outerPacket(cursor.packet, link, remote, port);
  const step = tunnelStep(walk, cursor, link, {
    act: 'encapsulate',
    remote,
    port,
    mac,
    text: `${link.name}: for ${mac} into VXLAN ${link.vxlan.id} to ${remote}:${port}`,
    line: entry?.text,
  });
  return go(
    {
      ...cursor,
      packet: outer,
      meta: untouched(cursor.meta.mark),
      tracking: release(cursor.tracking),
      path: { local: true },
      stage: { name: 'output' },
    },
    [step],
  );
}

function entryFor(fdb: readonly FdbEntry[], link: Link, mac: string): FdbEntry | undefined {
  const own = fdb.filter((entry) => entry.device === link.name && entry.remote !== undefined);
  return own.find((entry) => entry.mac === mac) ?? own.find((entry) => entry.mac === ANY_MAC);
}

function outerPacket(inner: Packet, link: Link, remote: string, port: number): Packet {
  const family = familyOf(remote);
  return {
    ip: {
      source: link.vxlan!.local ?? (family === 4 ? '0.0.0.0' : '::'),
      destination: remote,
      ttl: link.vxlan!.ttl || OUTER_HOPS,
      tos: 0,
      df: false,
    },
    l4: { protocol: 'udp', sourcePort: 'ephemeral', destinationPort: port },
    lengthBytes: inner.lengthBytes + OVERHEAD_BYTES[family],
    inner,
    tunnel: { kind: 'vxlan', vni: link.vxlan!.id },
  };
}

function noRemote(walk: Walk, cursor: Cursor, link: Link, mac: string): Move {
  const step = tunnelStep(walk, cursor, link, {
    act: 'drop',
    mac,
    reason: 'no-fdb-entry',
    text: `${link.name} has no entry that says where ${mac} is: dropped`,
  });
  return stop({ end: 'tunnel-dropped', cursor, senderSees: 'nothing' }, [step]);
}

/** The outer packet's own route leads into the device again (the kernel's ELOOP and recursion limit). */
function circular(walk: Walk, cursor: Cursor, link: Link, mac: string): Move {
  const text = `the way to the remote end of ${link.name} leads through ${link.name} itself: dropped`;
  const step = tunnelStep(walk, cursor, link, { act: 'drop', mac, reason: 'circular', text });
  return stop({ end: 'tunnel-dropped', cursor, senderSees: 'nothing' }, [step]);
}

/** The VXLAN devices whose UDP port this packet reaches; undefined where it is no such packet. */
export function tunnelAt(walk: Walk, cursor: Cursor): readonly Link[] | undefined {
  const { l4, inner } = cursor.packet;
  if (!inner || l4.protocol !== 'udp' || !('destinationPort' in l4)) return undefined;
  const links = walk.world.snapshot.fact('links', cursor.place);
  if (links.state === 'unseen') return undefined;
  const devices = links.value.filter((link) => {
    return link.vxlan?.port === l4.destinationPort && link.flags.includes('UP');
  });
  return devices.length > 0 ? devices : undefined;
}

/**
 * The receiving end (vxlan_rcv): the device of this VNI takes the frame; a frame with its own MAC as source is a loop.
 * Whether the inner destination MAC is its own, the device's arrival decides. The mark stays.
 */
export function decapsulate(walk: Walk, cursor: Cursor, devices: readonly Link[]): Move {
  const inner = cursor.packet.inner!;
  const vni = cursor.packet.tunnel?.vni;
  const link = vni === undefined ? devices[0]! : devices.find((one) => one.vxlan!.id === vni);
  if (!link) {
    const step = tunnelStep(walk, cursor, devices[0]!, {
      act: 'drop',
      vni,
      reason: 'vni-unknown',
      text: `no VXLAN device here has the VNI ${vni}: dropped`,
    });
    return stop({ end: 'tunnel-dropped', cursor, senderSees: 'nothing' }, [step]);
  }
  const isOwnLoop = inner.macs?.source !== undefined && inner.macs.source === link.mac;
  const step = tunnelStep(walk, cursor, link, {
    act: isOwnLoop ? 'drop' : 'decapsulate',
    remote: cursor.packet.ip.source,
    mac: inner.macs?.destination,
    reason: isOwnLoop ? 'own-source-mac' : undefined,
    text: isOwnLoop
      ? `the frame bears the MAC of ${link.name} itself as its source: dropped`
      : `${link.name} unwraps VXLAN ${link.vxlan!.id}`,
  });
  if (isOwnLoop) return stop({ end: 'tunnel-dropped', cursor, senderSees: 'nothing' }, [step]);
  return go(
    {
      ...cursor,
      packet: inner,
      meta: untouched(cursor.meta.mark),
      tracking: release(cursor.tracking),
      path: { local: false },
      stage: { name: 'arrive', device: link.name },
    },
    [step],
  );
}

interface TunnelTelling {
  readonly act: 'encapsulate' | 'decapsulate' | 'drop';
  readonly text: string;
  readonly vni?: number;
  readonly remote?: string;
  readonly port?: number;
  readonly mac?: string;
  readonly reason?: string;
  readonly line?: string;
}

function tunnelStep(walk: Walk, cursor: Cursor, link: Link, telling: TunnelTelling): Step {
  const fdb = walk.world.snapshot.fact('fdb', cursor.place);
  return makeStep({
    kind: 'tunnel',
    at: `vxlan ${link.name}`,
    matched: telling.act === 'drop' ? 'no' : 'yes',
    source: sourceOf(telling.line === undefined ? walk.world.snapshot.fact('links', cursor.place) : fdb, telling.line),
    values: {
      tunnel: 'vxlan',
      device: link.name,
      act: telling.act,
      vni: telling.vni ?? link.vxlan?.id,
      port: telling.port ?? link.vxlan?.port,
      local: link.vxlan?.local,
      remote: telling.remote,
      mac: telling.mac,
      ownMac: link.mac,
      reason: telling.reason,
    },
    text: telling.text,
    features: ['vxlan'],
  });
}
