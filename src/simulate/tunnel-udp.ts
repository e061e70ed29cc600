import { type Address, familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { Link } from '../parse/ip-link.ts';
import { stepsAside } from './aside.ts';
import { type Cursor, go, type Move, prefixed, stop, unknownEnd, type Walk } from './cursor.ts';
import { largestBytes } from './fragments.ts';
import { linkNamed } from './hook-input.ts';
import { keptRoute } from './kept-route.ts';
import { type OutputWay, routeOutput } from './output-route.ts';
import { reachFrom } from './segment.ts';
import { sourceOf } from './steps.ts';
import type { Step } from './trace.ts';
import { chanceOf } from './truth.ts';
import { dropped, OUTER_HOPS, type OuterPlan, outerTos, sentOuter, underlayMtu } from './tunnel-outer.ts';
import { tunnelStep } from './tunnel-step.ts';
import { farEnd, type VxlanRemote, vxlanRemotes } from './vxlan-ends.ts';
import { withError } from './with-error.ts';

/** Outer IPv4 or IPv6, UDP and VXLAN or GENEVE headers, and the inner Ethernet header (RFC 7348 §5, RFC 8926 §3). */
const OVERHEAD_BYTES = { 4: 50, 6: 70 } as const;

/**
 * A VXLAN device wraps the frame (vxlan_xmit): the forwarding table names the remote end for the destination MAC, else
 * the default entries. The outer packet is sent like any other of this host and inherits the mark. It does not set DF
 * unless the device says so, so it may be fragmented.
 */
export function intoVxlan(walk: Walk, cursor: Cursor, link: Link): Move {
  const { snapshot } = walk.world;
  const { vxlan } = link;
  if (!vxlan) return stop(unknownEnd(cursor, `${link.name} was not seen as a VXLAN device`));
  const mac = cursor.packet.macs?.destination;
  if (mac === undefined) return stop(unknownEnd(cursor, `the MAC to send to on ${link.name} is not known`));
  if (vxlan.gpe || vxlan.gbp || vxlan.vniFilter) {
    return stop(unknownEnd(cursor, `${link.name} uses an extension of VXLAN that is not modelled`));
  }
  const found = vxlanRemotes(snapshot, cursor.place, link, mac);
  if (found.state === 'unknown') return stop(unknownEnd(cursor, found.because, found.wants));
  if (found.state === 'none') {
    const text = `${link.name} has no entry that says where ${mac} is: dropped`;
    return dropped(walk, cursor, link, { mac, reason: 'no-fdb-entry', text });
  }
  const remotes = found.remotes.length > 1 ? towardsMac(walk, cursor, found.remotes) : found.remotes;
  const others = found.remotes.filter((remote) => !remotes.includes(remote));
  const copies = others.flatMap((remote) => copySteps(walk, cursor, link, mac, remote));
  if (remotes.length === 0) {
    const text = `${link.name} sends copies to ${found.remotes.length} remotes, and none of them has ${mac}`;
    return prefixed(copies, dropped(walk, cursor, link, { mac, reason: 'no-fdb-entry', text }));
  }
  return prefixed(copies, towardsRemotes(walk, cursor, link, mac, remotes));
}

/** What the rules count of a copy that goes where nobody has the MAC. */
function copySteps(walk: Walk, cursor: Cursor, link: Link, mac: string, remote: VxlanRemote): readonly Step[] {
  const [way] = toVxlanRemote(walk, cursor, link, mac, remote).ways;
  return 'end' in way!.to ? [] : stepsAside(walk, way!.to, `a copy to ${remote.address}`);
}

function towardsRemotes(walk: Walk, cursor: Cursor, link: Link, mac: string, remotes: readonly VxlanRemote[]): Move {
  const moves = remotes.map((remote) => toVxlanRemote(walk, cursor, link, mac, remote));
  if (moves.length === 1) return moves[0]!;
  const ways = moves.flatMap(({ ways: own }) => own.map((way) => ({ ...way, chance: chanceOf(1 / moves.length) })));
  return { fork: 'undecided', ways: ways.map((way) => ({ ...way, chance: { min: 0, max: 1 } })) };
}

/** Of the copies that go to every remote those count that come to who has the MAC, or of which that is not known. */
function towardsMac(walk: Walk, cursor: Cursor, remotes: readonly VxlanRemote[]): readonly VxlanRemote[] {
  const { snapshot } = walk.world;
  const judged = remotes.map((remote) => {
    const end = farEnd(snapshot, cursor.place, remote);
    if (!end) return { remote, has: 'no' as const };
    if ('because' in end) return { remote, has: 'unknown' as const };
    const { source, destination } = cursor.packet.macs!;
    if (end.link.mac === destination) return { remote, has: 'yes' as const };
    const master = linkNamed(snapshot, end.place, end.link.master);
    if (master?.kind !== 'bridge') return { remote, has: 'no' as const };
    if (master.mac === destination) return { remote, has: 'yes' as const };
    const reach = reachFrom(snapshot, { place: end.place, link: master }, { source, destination });
    return {
      remote,
      has:
        reach.arrivals.length > 0 ? ('yes' as const) : reach.gaps.length > 0 ? ('unknown' as const) : ('no' as const),
    };
  });
  const sure = judged.filter(({ has }) => has === 'yes');
  return (sure.length > 0 ? sure : judged.filter(({ has }) => has === 'unknown')).map(({ remote }) => remote);
}

function toVxlanRemote(walk: Walk, cursor: Cursor, link: Link, mac: string, remote: VxlanRemote): Move {
  const { snapshot } = walk.world;
  const vxlan = link.vxlan!;
  if (remote.address === '0.0.0.0' || remote.address === '::') {
    return dropped(walk, cursor, link, { mac, reason: 'no-fdb-entry', text: `the entry for ${mac} names no address` });
  }
  const telling = {
    remote: remote.address,
    port: remote.port,
    vni: remote.vni,
    mac,
    text: `${link.name}: for ${mac} into VXLAN ${remote.vni} to ${remote.address}:${remote.port}`,
    source: sourceOf(snapshot.fact('fdb', cursor.place), remote.text),
  };
  const plan: OuterPlan = {
    ...common(cursor.packet, vxlan, remote.address, remote.port),
    local: vxlan.local,
    header: { kind: 'vxlan', vni: remote.vni },
    device: remote.device,
    telling,
  };
  return bypassed(walk, cursor, link, plan, remote) ?? fitted(walk, cursor, link, plan);
}

function common(
  inner: Packet,
  tunnel: NonNullable<Link['vxlan'] | Link['geneve']>,
  remote: Address,
  port: number,
): Pick<OuterPlan, 'remote' | 'l4' | 'ttl' | 'tos' | 'df' | 'overheadBytes'> {
  const isIpv6 = inner.ip.destination.includes(':');
  return {
    remote,
    l4: { protocol: 'udp', sourcePort: 'ephemeral', destinationPort: port, chosenFor: flowOf(inner) },
    ttl: tunnel.ttlInherit ? inner.ip.ttl : (tunnel.ttl ?? OUTER_HOPS),
    tos: outerTos(tunnel.tos, inner),
    df: tunnel.df === 'set' || (tunnel.df === 'inherit' && (isIpv6 || inner.ip.df)),
    overheadBytes: OVERHEAD_BYTES[familyOf(remote)],
  };
}

/**
 * What udp_flow_src_port makes the outer source port from (flow_hash_from_keys): of ICMP the addresses alone, of ICMPv6 its
 * type as well (skb_get_hash_flowi6). A hash of such stays with the packet through one tunnel into another
 * (skb_clear_hash_if_not_l4).
 */
function flowOf({ ip, l4 }: Packet): string {
  const ends = `${l4.protocol} ${ip.source} ${ip.destination}`;
  if (l4.protocol === 'icmpv6' && 'type' in l4) return `${ends} ports ${l4.type} ${l4.code}`;
  if (!('sourcePort' in l4)) return ends;
  const former = l4.chosenFor;
  return former?.includes(' ports ') ? former : `${ends} ports ${l4.sourcePort} ${l4.destinationPort}`;
}

/** A remote that is an own address: the frame goes to the device of that number here, without a packet (encap_bypass_if_local). */
function bypassed(walk: Walk, cursor: Cursor, link: Link, plan: OuterPlan, remote: VxlanRemote): Move | undefined {
  const { snapshot } = walk.world;
  if (link.vxlan?.localBypass === false || link.peerNamespaceId !== undefined) return undefined;
  const isFour = familyOf(plan.remote) === 4;
  const lookup = routeOutput(snapshot, cursor.place, { destination: plan.remote, tos: 0, mark: cursor.meta.mark });
  // A route of IPv4 by the loopback is a local one (RTCF_LOCAL of __mkroute_output).
  const isLocal = (way: OutputWay): boolean => way.found.type === 'local' || (isFour && way.device === 'lo');
  if (lookup.state !== 'found' || !lookup.ways.every(isLocal)) return undefined;
  const links = snapshot.fact('links', cursor.place);
  const other =
    links.state === 'seen'
      ? links.value.find((one) => one.vxlan?.id === remote.vni && one.vxlan.port === remote.port)
      : undefined;
  if (!other) {
    const text = `${plan.remote} is an own address, and no VXLAN device here has the number ${remote.vni}: dropped`;
    return dropped(walk, cursor, link, { ...plan.telling, reason: 'vni-unknown', text });
  }
  const step = tunnelStep(walk, cursor, link, { ...plan.telling, act: 'encapsulate' });
  return go(
    {
      ...cursor,
      path: { local: false, ...keptRoute(cursor) },
      stage: { name: 'arrive', device: other.name, mine: true },
    },
    [step],
  );
}

/** As a bridge's port the device itself answers what does not fit the underlay (skb_tunnel_check_pmtu); otherwise it sends on. */
function fitted(walk: Walk, cursor: Cursor, link: Link, plan: OuterPlan): Move {
  const { packet } = cursor;
  const isPort = link.bridgePort !== undefined;
  const mtu = isPort ? underlayMtu(walk, cursor, link, plan) : undefined;
  const isAnswered = packet.ip.df || packet.ip.destination.includes(':');
  if (mtu === undefined || !isAnswered || largestBytes(packet) <= mtu - plan.overheadBytes) {
    return sentOuter(walk, cursor, link, plan);
  }
  const text = `${packet.lengthBytes} bytes do not fit into ${mtu - plan.overheadBytes} bytes of the tunnel ${link.name}`;
  const step = tunnelStep(walk, cursor, link, { ...plan.telling, act: 'drop', reason: 'too-big', text });
  return prefixed([step], stop(withError(cursor, 'packet-too-big', 'too-big')));
}

/** geneve_xmit: as VXLAN, with one remote. */
export function intoGeneve(walk: Walk, cursor: Cursor, link: Link): Move {
  const { geneve } = link;
  if (!geneve) return stop(unknownEnd(cursor, `${link.name} was not seen as a GENEVE device`));
  if (geneve.external || geneve.remote === undefined) {
    return stop(unknownEnd(cursor, `${link.name} takes its remote from metadata: not modelled`));
  }
  const { remote, port, id } = geneve;
  const text = `${link.name}: into GENEVE ${id} to ${remote}:${port}`;
  const mac = cursor.packet.macs?.destination;
  return fitted(walk, cursor, link, {
    ...common(cursor.packet, geneve, remote, port),
    header: { kind: 'geneve', vni: id },
    telling: { remote, port, vni: id, mac, text },
  });
}
