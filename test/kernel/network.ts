import type { Family } from '../../src/net/address.ts';
import type { CaseBackend, CaseItem, CaseNamespace, CasePacket, KernelCase } from './case.ts';
import type { Draw } from './draw.ts';

/** One end of a cable as the generator keeps it. */
export interface Device {
  readonly ns: string;
  readonly name: string;
  readonly mac: string;
  /** The device at the other end. */
  readonly peer: { readonly ns: string; readonly name: string };
  /** The bridge of its own namespace that it is a port of. */
  readonly bridge?: string;
}

export interface Host {
  readonly ns: string;
  readonly node: string;
  readonly pod: boolean;
  readonly address: Readonly<Record<Family, string>>;
}

export type HookPoint = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';

/** A hook that a packet meets on its planned way, with the devices as a rule there sees them. */
export interface Stop {
  readonly ns: string;
  readonly hook: HookPoint;
  readonly input?: string;
  readonly output?: string;
  /** On the way of the answer, where source and destination have changed places. */
  readonly isReply: boolean;
  /** TTL there, if nothing else changes it. */
  readonly ttl: number;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type NewItem = DistributiveOmit<CaseItem, 'feature'> & { readonly feature?: string };

/** A network in the making: topology.ts lays it out, features add to it. */
export class Network {
  readonly draw: Draw;
  readonly hosts: Host[] = [];
  readonly devices: Device[] = [];
  readonly items: CaseItem[] = [];
  readonly packets: CasePacket[] = [];
  /** Neighbours are found by asking instead of being known. */
  realNeighbours = false;
  settleMs = 0;
  /** For things that must be named once. */
  private counter = 0;
  private readonly chains = new Set<string>();
  private readonly last: (() => void)[] = [];
  private readonly aimed = new WeakMap<CasePacket, number>();

  constructor(draw: Draw) {
    this.draw = draw;
  }

  add(item: NewItem): void {
    this.items.push({ feature: '', ...item } as CaseItem);
  }

  unique(prefix: string): string {
    this.counter++;
    return `${prefix}${this.counter}`;
  }

  /** One of them, rather one that nothing is aimed at yet: features shall not spoil each other. */
  aimable(packets: readonly CasePacket[]): CasePacket {
    const times = packets.map((packet) => this.aimed.get(packet) ?? 0);
    const least = Math.min(...times);
    const packet = this.draw.pick(packets.filter((_, index) => times[index] === least));
    this.aimed.set(packet, least + 1);
    return packet;
  }

  isFree(packet: CasePacket): boolean {
    return !this.aimed.has(packet);
  }

  /** The packet with more than a cable takes at once, so that its sender cuts it into fragments; itself where that cannot be. */
  enlarged(packet: CasePacket): CasePacket {
    const isTunnelled = this.items.some((item) => 'line' in item && item.line.includes('type vxlan'));
    const at = this.packets.indexOf(packet);
    if (isTunnelled || packet.protocol === 'tcp' || at < 0) return packet;
    const large = { ...packet, payloadBytes: this.draw.pick([2000, 3000]), df: false };
    this.packets[at] = large;
    return large;
  }

  host(ns: string): Host {
    const found = this.hosts.find((one) => one.ns === ns);
    if (!found) throw new Error(`no namespace ${ns}`);
    return found;
  }

  hostAt(address: string): Host | undefined {
    return this.hosts.find((one) => one.address[4] === address || one.address[6] === address);
  }

  /** Declares the table's built-in chain, or one of the user's, where it is not yet there. */
  chain(
    ns: string,
    backend: CaseBackend,
    family: Family,
    table: string,
    chain: string,
    policy?: 'ACCEPT' | 'DROP' | '-',
    marks: Pick<CaseItem, 'feature' | 'ignored'> = { feature: '' },
  ): void {
    const key = [ns, backend, family, table, chain].join(' ');
    if (this.chains.has(key)) return;
    this.chains.add(key);
    const isBuiltIn = /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/.test(chain);
    this.add({
      kind: 'iptables-chain',
      ns,
      backend,
      family,
      table,
      chain,
      policy: policy ?? (isBuiltIn ? 'ACCEPT' : '-'),
      ...marks,
    });
  }

  hasChain(
    ...where: readonly [ns: string, backend: CaseBackend, family: Family, table: string, chain: string]
  ): boolean {
    return this.chains.has(where.join(' '));
  }

  rule(rule: {
    readonly ns: string;
    readonly backend: CaseBackend;
    readonly family: Family;
    readonly table: string;
    readonly chain: string;
    readonly rule: string;
    readonly feature: string;
    readonly ignoredRule?: string;
    readonly negatedRule?: string;
    readonly countsOnly?: true;
  }): void {
    this.chain(rule.ns, rule.backend, rule.family, rule.table, rule.chain);
    this.add({ kind: 'iptables', ...rule });
  }

  /** The namespaces that a packet between two hosts passes, ends included: pod, its node, the other node, its pod. */
  way(from: Host, to: Host): readonly Host[] {
    if (from === to) return [from];
    const nodeOf = (one: Host): Host => (one.pod ? this.host(one.node) : one);
    const all = [from, nodeOf(from), nodeOf(to), to];
    return all.filter((one, index) => all.indexOf(one) === index);
  }

  /** Both hang on one bridge, so that their node sees no packet between them. */
  isSwitched(from: Host, to: Host): boolean {
    if (from === to || from.node !== to.node) return false;
    return [from, to].every(
      (end) => end.pod && this.devices.some((one) => one.peer.ns === end.ns && one.bridge !== undefined),
    );
  }

  /** What is bridged there passes IP's rules as well. */
  private callsRules(node: string, family: Family): boolean {
    const setting = new RegExp(`nf[_-]call[_-]${family === 6 ? 'ip6' : 'ip'}tables`);
    return this.items.some(
      (item) =>
        item.ns === node &&
        ((item.kind === 'sysctl' && setting.test(item.key)) || (item.kind === 'ip' && setting.test(item.line))),
    );
  }

  /** The device of `a` by which frames go to `b`, as IP sees it (the bridge, not its port). */
  deviceBetween(a: Host, b: Host): Device | undefined {
    return this.devices.find((one) => one.ns === a.ns && one.peer.ns === b.ns);
  }

  /** The hooks that a packet meets there, and its answer on its way back, if no rule interferes. */
  stops(packet: CasePacket): readonly Stop[] {
    const to = this.hostAt(packet.destination);
    if (!to) return [];
    const from = this.host(packet.ns);
    const way = this.way(from, to);
    const stops = [...this.stopsOf(way, false, packet.ttl ?? 64), ...this.stopsOf([...way].reverse(), true, 64)];
    if (!this.isSwitched(from, to)) return stops;
    const isSeen = this.callsRules(from.node, packet.family);
    return stops.flatMap((stop): Stop[] => {
      if (stop.ns !== from.node)
        return [stop.hook === 'PREROUTING' || stop.hook === 'INPUT' ? this.uncounted(stop) : stop];
      return isSeen ? [stop.hook === 'PREROUTING' ? stop : this.uncounted(stop)] : [];
    });
  }

  /** Where nothing was routed before, no hop was counted. */
  private uncounted(stop: Stop): Stop {
    return { ...stop, ttl: stop.ttl + 1 };
  }

  private stopsOf(way: readonly Host[], isReply: boolean, startTtl: number): Stop[] {
    const name = (device: Device | undefined): string | undefined => device?.bridge ?? device?.name;
    return way.flatMap((here, index): Stop[] => {
      const before = way[index - 1];
      const after = way[index + 1];
      const input = before ? name(this.deviceBetween(here, before)) : undefined;
      const output = after ? name(this.deviceBetween(here, after)) : undefined;
      const ttl = startTtl - Math.max(0, index - 1);
      const base = { ns: here.ns, isReply };
      if (way.length === 1) {
        return (['OUTPUT', 'POSTROUTING', 'PREROUTING', 'INPUT'] as const).map((hook) => ({ ...base, hook, ttl }));
      }
      if (!before) {
        return (['OUTPUT', 'POSTROUTING'] as const).map((hook) => ({ ...base, hook, output: output!, ttl }));
      }
      const arriving = { ...base, input: input! };
      if (!after) return (['PREROUTING', 'INPUT'] as const).map((hook) => ({ ...arriving, hook, ttl }));
      return [
        { ...arriving, hook: 'PREROUTING', ttl },
        { ...arriving, hook: 'FORWARD', output: output!, ttl: ttl - 1 },
        { ...base, hook: 'POSTROUTING', output: output!, ttl: ttl - 1 },
      ];
    });
  }

  /** What is to be done when all else is there. */
  atLast(done: () => void): void {
    this.last.push(done);
  }

  finished(story: string): KernelCase {
    for (const done of this.last.splice(0)) done();
    return {
      story,
      namespaces: this.hosts.map(
        (one): CaseNamespace => ({
          name: one.ns,
          node: one.node,
          pod: one.pod,
          addresses: [one.address[4], one.address[6]],
        }),
      ),
      items: this.items,
      packets: this.packets,
      settleMs: this.settleMs,
    };
  }
}
