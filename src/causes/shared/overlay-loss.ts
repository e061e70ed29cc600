import type { Ask } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { hopsTo } from '../../diagnose/evidence-of.ts';
import { hostOf, type Place } from '../../net/place.ts';
import type { Link } from '../../parse/ip-link.ts';

/** A tunnel from one node to another, as a walk used it. */
interface Tunnel {
  readonly from: string;
  readonly to: string;
  readonly vni: number;
}

/** Flows whose probes got no answer although every walk delivers them: what is lost is lost between the nodes. */
export function lostOnTheWay(flows: readonly Flow[]): Flow[] {
  return flows.filter(
    (flow) =>
      ['main', 'icmp', 'endpoint'].includes(flow.purpose) &&
      flow.probe?.passed === 'no' &&
      ['timed-out', 'silent', 'unreachable'].includes(flow.probe.outcome) &&
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
      if (step && to) found.set(to, { from: place.node, to, vni: Number(step.values['vni']) });
    });
  }
  return [...found.values()];
}

/**
 * Kernel evidence that what this node puts into the tunnel never comes out at the other: while the probes ran the
 * sender's device sent, and the receiver's received nothing at all, from nobody. Undefined where the counters were not
 * read twice, or where others' traffic arrives there, so that they tell nothing.
 */
export function tunnelLoss(tunnel: Tunnel, ask: Ask<'links'>): Evidence[] | undefined {
  const sent = rise(tunnel.from, tunnel.vni, ask, (link) => link.statistics?.txPackets);
  const received = rise(tunnel.to, tunnel.vni, ask, (link) => link.statistics?.rxPackets);
  if (!sent || !received || sent.by <= 0 || received.by !== 0) return undefined;
  return [
    {
      kind: 'tunnel-counter',
      plane: 'kernel',
      place: hostOf(tunnel.from),
      source: sent.source,
      values: { device: sent.device, rose: sent.by },
      statement: `${sent.device} of ${tunnel.from} sent ${sent.by} packets while the probes ran`,
    },
    {
      kind: 'tunnel-counter',
      plane: 'kernel',
      place: hostOf(tunnel.to),
      source: received.source,
      values: { device: received.device, rose: 0 },
      statement: `${received.device} of ${tunnel.to} received none in that time`,
    },
  ];
}

function rise(node: string, vni: number, ask: Ask<'links'>, count: (link: Link) => number | undefined) {
  const before = ask('links', hostOf(node));
  const after = ask.after('links', hostOf(node));
  if (before.state === 'unseen' || after.state === 'unseen') return undefined;
  const device = (links: readonly Link[]): Link | undefined =>
    links.find((link) => link.kind === 'vxlan' && link.vxlan?.id === vni);
  const from = device(before.value);
  const to = device(after.value);
  const [a, b] = [from && count(from), to && count(to)];
  if (from === undefined || a === undefined || b === undefined) return undefined;
  return { device: from.name, by: b - a, source: after.source };
}
