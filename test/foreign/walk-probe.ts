/** Holds the walk of a packet through a fixture against what the kernel did with the same packet. */
import type { L4 } from '../../src/net/packet.ts';
import type { DatapathGate } from '../../src/simulate/datapath.ts';
import { buildPacket } from '../../src/simulate/testing/build-hook-input.ts';
import type { Chance, LeafEnd, Segment, Step, Trace } from '../../src/simulate/trace.ts';
import { both, CERTAIN } from '../../src/simulate/truth.ts';
import { simulateTrace } from '../../src/simulate/walk.ts';
import { type Fixture, HERE } from './fixture.ts';
import type { Probe, Probed } from './probe.ts';

const GATE: DatapathGate = { parts: [], podAddressesRoutable: 'unknown' };

/** The addresses of make/scene.sh, for probes that do not say theirs. */
const ADDRESSES: Readonly<Record<string, readonly [four: string, six: string]>> = {
  client: ['10.244.0.4', 'fd44::4'],
  web: ['10.244.0.10', 'fd44::10'],
  outside: ['10.80.0.1', 'fd80::1'],
  node: ['10.80.0.11', 'fd80::11'],
};

/** One way through the trace: the rules that it met on the node, and its end. */
export interface WalkedWay {
  /** As probe.ts names them; `unsure` are those that the walk could not decide. */
  readonly rules: ReadonlySet<string>;
  readonly unsure: ReadonlySet<string>;
  readonly leaf: LeafEnd;
  /** The device by which it left the last namespace that it was in. */
  readonly output?: string;
  readonly chance: Chance;
}

export function walkProbe(fixture: Fixture, probe: Probe & Partial<Probed>): readonly WalkedWay[] {
  return waysOf(traceProbe(fixture, probe));
}

/** `record`: with every rule that was passed over. */
export function traceProbe(fixture: Fixture, probe: Probe & Partial<Probed>, record?: 'all'): Trace {
  const source = probe.source ?? ADDRESSES[probe.from]![probe.to.includes(':') ? 1 : 0];
  const packet = buildPacket({
    source,
    destination: probe.to,
    l4: l4Of(probe),
    lengthBytes: probe.protocol === 'udp' ? 29 : 60,
    df: probe.protocol !== 'icmp',
    ...macsOf(fixture, probe, source),
  });
  const owner = { uid: probe.user ?? 0, gid: 0 };
  const start = {
    from: HERE,
    packet,
    ...(probe.from === 'node' ? { owner, mark: probe.mark ?? 0 } : { arrivesBy: deviceOf(fixture, probe) }),
  };
  return simulateTrace({ snapshot: fixture.snapshot, gate: GATE, ...(record && { record }) }, start);
}

/** The device by which what that namespace sends comes in: any of the real packets tells. */
function deviceOf({ probes }: Fixture, { from }: Probe): string {
  return probes.find((probed) => probed.from === from)?.device ?? (from === 'outside' ? 'eth0' : `veth-${from}`);
}

/** The frame that a pod, or the host outside, puts on the wire: to its gateway, or to a neighbour of its own network. */
function macsOf(fixture: Fixture, probe: Probe, source: string): { macs?: { source: string; destination: string } } {
  const { from, to } = probe;
  if (from === 'node') return {};
  const links = fixture.snapshot.fact('links', HERE);
  const neighbours = fixture.snapshot.fact('neighbours', HERE);
  if (links.state !== 'seen' || neighbours.state !== 'seen') return {};
  const entrance = links.value.find((link) => link.name === deviceOf(fixture, probe));
  const gateway = links.value.find((link) => link.name === entrance?.master) ?? entrance;
  const macOf = (address: string) =>
    neighbours.value.find((one) => one.address === address && one.device === gateway?.name)?.mac;
  const own = macOf(source) ?? '02:00:00:00:00:01';
  const destination = multicastMac(to) ?? (from === 'outside' ? undefined : macOf(to)) ?? gateway?.mac;
  return destination === undefined ? {} : { macs: { source: own, destination } };
}

/** RFC 1112, 6.4: the lower 23 bits of the group. */
function multicastMac(to: string): string | undefined {
  const bytes = to.split('.').map(Number);
  if (bytes.length !== 4 || bytes[0]! < 224 || bytes[0]! > 239) return undefined;
  return [0x01, 0x00, 0x5e, bytes[1]! & 0x7f, ...bytes.slice(2)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(':');
}

function l4Of({ protocol = 'tcp', port = 0, sourcePort = 40_000, to }: Probe): L4 {
  if (protocol === 'icmp')
    return { protocol: to.includes(':') ? 'icmpv6' : 'icmp', type: to.includes(':') ? 128 : 8, code: 0, id: 7 };
  const ports = { protocol, sourcePort, destinationPort: port };
  return protocol === 'tcp' ? { ...ports, flags: ['syn'], mss: 1460 } : ports;
}

export function waysOf(trace: Trace): readonly WalkedWay[] {
  const ways: WalkedWay[] = [];
  const follow = (index: number, before: readonly Step[], chance: Chance): void => {
    const segment = trace.segments[index]!;
    const steps = [...before, ...stepsHere(segment)];
    const { then } = segment;
    const output = segment.hops.at(-1)?.output;
    if ('fork' in then) {
      for (const to of then.to) follow(to.segment, steps, both(chance, to.chance));
      return;
    }
    const errors = then.errorTrace ? waysOf(then.errorTrace) : [undefined];
    for (const error of errors) {
      const own = named(steps.filter((step) => step.matched === 'yes'));
      const unsure = named(steps.filter((step) => step.matched === 'unknown'));
      ways.push({
        rules: new Set([...own, ...(error?.rules ?? [])]),
        unsure: new Set([...unsure, ...(error?.unsure ?? [])]),
        leaf: then,
        ...(output === undefined ? {} : { output }),
        chance,
      });
    }
  };
  follow(0, [], CERTAIN);
  return ways;
}

function stepsHere(segment: Segment): Step[] {
  return segment.hops
    .filter((hop) => hop.place.node === HERE.node && hop.place.namespace === HERE.namespace)
    .flatMap((hop) => hop.steps);
}

function named(steps: readonly Step[]): string[] {
  return steps
    .filter((step) => step.kind === 'rule' && String(step.values.backend).startsWith('iptables'))
    .map(({ values }) => `${values.table}-${String(values.backend).slice(9)} ${values.chain}#${values.ruleNumber}`);
}

const LET_NOT_THROUGH = new Set(['dropped-by-rule', 'rejected-by-rule', 'bridge-blocked', 'no-route', 'martian']);

/** What of a way is not as the kernel did it; undefined where all is. */
export function difference(way: WalkedWay, probed: Probed): string | undefined {
  const missing = probed.rose.filter((rule) => !way.rules.has(rule) && !way.unsure.has(rule));
  // Ways that stand alike behind an undecided rule are one, with the rules of both.
  const extra = way.unsure.size > 0 ? [] : [...way.rules].filter((rule) => !probed.rose.includes(rule));
  if (missing.length > 0 || extra.length > 0)
    return `kernel only: ${missing.join(', ')}; walk only: ${extra.join(', ')}`;
  const { end, packet } = way.leaf;
  if (probed.entry === undefined) {
    // A reset ends the entry at once; and there is none where no rule asks for connections, and of what is not tracked.
    const hasNone =
      end === 'no-listener' || ['none', 'untracked'].includes(way.leaf.meta.conntrack) || probed.protocol === 'icmp';
    return LET_NOT_THROUGH.has(end) || hasNone ? undefined : `the kernel let it not through, the walk: ${end}`;
  }
  if (LET_NOT_THROUGH.has(end)) return `the kernel let it through, the walk: ${end}`;
  const port = 'destinationPort' in packet.l4 ? packet.l4.destinationPort : undefined;
  const walked = `${packet.ip.source} to ${packet.ip.destination}:${port}`;
  const real = `${probed.entry.source} to ${probed.entry.to}:${probed.entry.port}`;
  return walked === real ? undefined : `kernel: ${real}; walk: ${walked}`;
}

/**
 * Ends in short, equal ones as one: `1/2 sent 10.244.0.4 > 10.244.0.10:8080`. `sent`: it left the node by a device, and
 * who is behind that is no part of a fixture. `?` where the walk could not decide.
 */
export function summaryOf(ways: readonly WalkedWay[]): string[] {
  const ends = Map.groupBy(ways, endOf);
  return [...ends].map(([end, same]) => `${shareOf(same)}${end}`).toSorted();
}

function endOf({ leaf, output }: WalkedWay): string {
  const { ip, l4 } = leaf.packet;
  const isOut = leaf.end === 'insufficient-information' && output !== undefined;
  const end = isOut ? 'sent' : leaf.end === 'insufficient-information' ? `unknown (${leaf.because})` : leaf.end;
  return `${end} ${ip.source} > ${ip.destination}${'destinationPort' in l4 ? `:${l4.destinationPort}` : ''}`;
}

function shareOf(ways: readonly WalkedWay[]): string {
  const min = ways.reduce((sum, way) => sum + way.chance.min, 0);
  const max = ways.reduce((sum, way) => sum + way.chance.max, 0);
  if (max - min > 1e-6) return '? ';
  return min > 1 - 1e-6 ? '' : `1/${Number((1 / min).toFixed(3))} `;
}
