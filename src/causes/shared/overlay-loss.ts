import type { Ask } from '../../diagnose/cause.ts';
import type { CaptureDevice, Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { hopsTo } from '../../diagnose/evidence-of.ts';
import type { Address } from '../../net/address.ts';
import { hostOf, type Place } from '../../net/place.ts';
import type { Link, LinkStatistics } from '../../parse/ip-link.ts';
import type { Step } from '../../simulate/trace.ts';
import type { Source } from '../../snapshot/snapshot.ts';

/** A tunnel from one node to another, as a walk used it. */
export interface Tunnel {
  readonly from: string;
  readonly to: string;
  readonly device: string;
  readonly vni: number;
  /** The outer packet's destination and UDP port. */
  readonly remote: Address;
  readonly port: number;
}

/** Flows whose probes heard nothing at all although every walk delivers them: what is lost is lost between the nodes. */
export function lostOnTheWay(flows: readonly Flow[]): Flow[] {
  return flows.filter(
    (flow) =>
      ['main', 'icmp', 'endpoint'].includes(flow.purpose) &&
      flow.probe?.passed === 'no' &&
      ['timed-out', 'silent'].includes(flow.probe.outcome) &&
      flow.dead.length === 0 &&
      flow.unknown.length === 0,
  );
}

/** The tunnels that these flows' walks, there and back, enter at this node. */
export function tunnelsFrom(flows: readonly Flow[], place: Place): Tunnel[] {
  const found = new Map<string, Tunnel>();
  for (const leaf of flows.flatMap((flow) => flow.leaves)) {
    const hops = hopsTo(leaf);
    hops.forEach((hop, index) => {
      if (hop.place.node !== place.node) return;
      const step = hop.steps.find((one) => one.kind === 'tunnel' && one.values['act'] === 'encapsulate');
      const to = hops.slice(index + 1).find((next) => next.place.node !== place.node)?.place.node;
      if (step && to) found.set(to, tunnelOf(step, place.node, to));
    });
  }
  return [...found.values()];
}

function tunnelOf({ values }: Step, from: string, to: string): Tunnel {
  return {
    from,
    to,
    device: String(values['device']),
    vni: Number(values['vni']),
    remote: String(values['remote']),
    port: Number(values['port']),
  };
}

export type TunnelFate =
  | { readonly is: 'lost'; readonly evidence: readonly Evidence[] }
  | { readonly is: 'arrives' | 'unknown'; readonly because: string };

/**
 * Whether what this node puts into the tunnel comes out at the other end, by the kernel's own counters over the probes'
 * time. *Lost*: the sender's device sent and refused nothing, the receiver's received nothing from anybody, and the
 * receiver's UDP refused nothing either, so that the outer packets did not come to it (a bad checksum or a closed port
 * counts there). Counters that were not read twice, or that others' traffic moves, tell nothing.
 */
export function tunnelFate(tunnel: Tunnel, ask: Ask<'links' | 'counters'>): TunnelFate {
  const sent = deltaOf(tunnel.from, tunnel, ask);
  const received = deltaOf(tunnel.to, tunnel, ask);
  const refused = refusals(tunnel.to, ask);
  if (!sent || !received || !refused)
    return { is: 'unknown', because: `the counters of ${tunnel.from} and ${tunnel.to} were not both read twice` };
  if (sent.txPackets <= 0 || sent.txDropped > 0 || sent.txErrors > 0)
    return { is: 'unknown', because: `${sent.device} of ${tunnel.from} did not send, or not all` };
  if (received.rxPackets > 0)
    return { is: 'arrives', because: `${received.device} of ${tunnel.to} received packets while the probes ran` };
  if (received.rxPackets < 0 || received.rxDropped > 0 || received.rxErrors > 0)
    return { is: 'unknown', because: `${received.device} of ${tunnel.to} dropped packets while the probes ran` };
  if (refused.names.length > 0)
    return { is: 'unknown', because: `${refused.names.join(', ')} rose at ${tunnel.to}: the packets may have arrived` };
  return {
    is: 'lost',
    evidence: [
      counted(tunnel.from, sent, sent.txPackets, `sent ${sent.txPackets} packets while the probes ran`, tunnel),
      counted(tunnel.to, received, 0, 'received none in that time', tunnel),
    ],
  };
}

/** A capture saw the outer packets leave the one node, and none of them come to the other: whatever else passes there. */
export function capturedFate({ from, to, port }: Tunnel, flows: readonly Flow[]): TunnelFate | undefined {
  const seen = flows.filter(({ capture }) =>
    capture?.losses.some(
      ({ after, before }) =>
        isHost(after, from) &&
        after.way === 'out' &&
        after.tunnel?.port === port &&
        before.every((device) => isHost(device, to) && device.tunnel?.port === port),
    ),
  );
  const [first] = seen;
  return first?.capture && { is: 'lost', evidence: [first.capture.evidence] };
}

function isHost({ place }: CaptureDevice, node: string): boolean {
  return place.node === node && place.namespace === 'host';
}

function counted(node: string, delta: Delta, rose: number, did: string, tunnel: Tunnel): Evidence {
  return {
    kind: 'tunnel-counter',
    plane: 'kernel',
    place: hostOf(node),
    source: delta.source,
    values: { device: delta.device, rose, port: tunnel.port },
    statement: `${delta.device} of ${node} (UDP port ${tunnel.port}) ${did}`,
  };
}

type Delta = LinkStatistics & { readonly device: string; readonly source: Source };

function deltaOf(node: string, tunnel: Tunnel, ask: Ask<'links' | 'counters'>): Delta | undefined {
  const before = ask('links', hostOf(node));
  const after = ask.after('links', hostOf(node));
  if (before.state === 'unseen' || after.state === 'unseen') return undefined;
  const from = vxlanOf(before.value, tunnel);
  const to = after.value.find((link) => link.name === from?.name && link.index === from.index);
  if (!from?.statistics || !to?.statistics) return undefined;
  const names = Object.keys(from.statistics) as (keyof LinkStatistics)[];
  const rises = names.map((name) => [name, to.statistics![name] - from.statistics![name]]);
  return { ...(Object.fromEntries(rises) as unknown as LinkStatistics), device: from.name, source: after.source };
}

/** Devices of both families may have one VNI: the same name first, else the only one. */
function vxlanOf(links: readonly Link[], { device, vni }: Tunnel): Link | undefined {
  const same = links.filter((link) => link.kind === 'vxlan' && link.vxlan?.id === vni);
  return same.find((link) => link.name === device) ?? (same.length === 1 ? same[0] : undefined);
}

/** Counters of UDP that rise where an outer packet arrives and is not handed to the tunnel (snmp(5), net/ipv4/udp.c). */
const UDP_REFUSALS = ['UdpInCsumErrors', 'UdpInErrors', 'UdpNoPorts', 'UdpRcvbufErrors'];

function refusals(node: string, ask: Ask<'links' | 'counters'>): { readonly names: readonly string[] } | undefined {
  const before = ask('counters', hostOf(node));
  const after = ask.after('counters', hostOf(node));
  if (before.state === 'unseen' || after.state === 'unseen') return undefined;
  const known = UDP_REFUSALS.filter((name) => name in before.value && name in after.value);
  if (!known.includes('UdpInCsumErrors')) return undefined;
  return { names: known.filter((name) => after.value[name]! > before.value[name]!) };
}
