import type { Family } from '../../src/net/address.ts';
import { type Random, randomOf } from './route-random.ts';

/** A random network namespace: what makes it, and what is asked about it. */
export interface RouteNetwork {
  /** Commands of `ip -batch`, some of which the kernel may refuse. */
  readonly setup: readonly string[];
  readonly sysctls: readonly string[];
  readonly queries: readonly RouteQuery[];
}

export interface RouteQuery {
  readonly family: Family;
  readonly destination: string;
  readonly source?: string;
  readonly input?: string;
  readonly output?: string;
  readonly mark: number;
  readonly tos: number;
  readonly protocol?: 'tcp' | 'udp';
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly user?: number;
}

export const DEVICES = ['va', 'vb', 'vc', 'vd'] as const;
const QUERIES = 60;
const TABLES = [254, 254, 254, 255, 100, 101, 253];

/** The same seed gives the same network. */
export function randomNetwork(seed: number): RouteNetwork {
  const random = randomOf(seed);
  const make = new Maker(random);
  return {
    setup: [
      ...links(random),
      ...make.addresses(),
      ...make.neighbours(),
      ...make.nexthops(),
      ...make.routes(),
      ...make.rules(),
    ],
    sysctls: sysctlsOf(random),
    queries: Array.from({ length: QUERIES }, () => make.query()),
  };
}

function links(random: Random): string[] {
  const lines = ['link set lo up'];
  for (const device of DEVICES) {
    lines.push(`link add name ${device} type veth peer name ${device}p`, `link set ${device} up`);
    if (random.chance(0.8)) lines.push(`link set ${device}p up`);
    if (random.chance(0.2)) lines.push(`link set ${device} group 7`);
  }
  return lines;
}

function sysctlsOf(random: Random): string[] {
  const each = [...DEVICES, 'all'];
  const some = (probability: number): number => Number(random.chance(probability));
  return [
    'net.ipv6.conf.all.accept_dad=0',
    ...each.flatMap((device) => [
      `net.ipv4.conf.${device}.rp_filter=${random.chance(0.6) ? 0 : random.pick([1, 2])}`,
      `net.ipv4.conf.${device}.ignore_routes_with_linkdown=${some(0.3)}`,
      `net.ipv4.conf.${device}.accept_local=${some(0.3)}`,
      `net.ipv4.conf.${device}.route_localnet=${some(0.2)}`,
      `net.ipv4.conf.${device}.src_valid_mark=${some(0.2)}`,
      `net.ipv4.conf.${device}.send_redirects=${some(0.5)}`,
      `net.ipv4.conf.${device}.bc_forwarding=${some(0.3)}`,
    ]),
    `net.ipv6.conf.all.forwarding=${some(0.7)}`,
    ...DEVICES.map((device) => `net.ipv6.conf.${device}.ignore_routes_with_linkdown=${some(0.3)}`),
    `net.ipv4.conf.all.forwarding=${some(0.8)}`,
    ...DEVICES.map((device) => `net.ipv4.conf.${device}.forwarding=${some(0.8)}`),
    `net.ipv4.fib_multipath_use_neigh=${some(0.3)}`,
    `net.ipv4.nexthop_compat_mode=${some(0.7)}`,
  ];
}

/** Draws from small pools, so that prefixes nest, meet rules, and are asked for. */
class Maker {
  private readonly random: Random;

  /** Routes of IPv6 that join by `append` are shown with the source of the first alone: a network has one or the other. */
  private readonly hasSources6: boolean;

  constructor(random: Random) {
    this.random = random;
    this.hasSources6 = random.chance(0.5);
  }

  addresses(): string[] {
    const { random } = this;
    return DEVICES.flatMap((device, index) => {
      const lines: string[] = [];
      if (random.chance(0.85)) lines.push(`addr add 10.${index}.0.1/${random.pick([16, 24, 30])} brd + dev ${device}`);
      if (random.chance(0.3))
        lines.push(`addr add 10.${index}.${random.below(3)}.${2 + random.below(4)}/24 dev ${device}`);
      if (random.chance(0.1)) lines.push(`addr add 10.${index}.2.9/24 dev ${device} scope link`);
      if (random.chance(0.15)) lines.push(`addr add 10.9.${index}.1 peer 10.9.${index}.2/32 dev ${device}`);
      lines.push(`addr add fe80::${index + 1}/64 dev ${device} nodad`);
      if (random.chance(0.85))
        lines.push(`addr add fd00:${index}::1/${random.pick([48, 64, 112])} dev ${device} nodad`);
      if (random.chance(0.3))
        lines.push(
          `addr add fd00:${index}::${random.below(3)}:5/64 dev ${device} nodad preferred_lft ${random.pick([0, 3000])}`,
        );
      return lines;
    });
  }

  neighbours(): string[] {
    const { random } = this;
    return DEVICES.flatMap((device) =>
      random.chance(0.4)
        ? [
            `neigh add ${this.gateway(4, device)} lladdr 02:00:00:00:00:01 nud permanent dev ${device}`,
            `neigh add ${this.gateway(6, device)} lladdr 02:00:00:00:00:01 nud ${random.pick(['permanent', 'failed'])} dev ${device}`,
            `neigh add ${this.gateway(4, device)} nud failed dev ${device}`,
          ]
        : [],
    );
  }

  nexthops(): string[] {
    const { random } = this;
    if (!random.chance(0.6)) return [];
    const lines = [4, 6].flatMap((family) =>
      [1, 2, 3].map((id) => {
        const device = random.pick(DEVICES);
        return `-${family} nexthop add id ${family * 10 + id} via ${this.gateway(family as Family, device)} dev ${device} onlink`;
      }),
    );
    return [
      ...lines,
      'nexthop add id 7 blackhole',
      '-6 nexthop add id 8 blackhole',
      'nexthop add id 50 group 41,3/42',
      'nexthop add id 51 group 41/42/43,2',
      'nexthop add id 52 group 42/43 type resilient buckets 8',
      'nexthop add id 70 group 61,3/62',
      'nexthop add id 71 group 61/62/63',
    ];
  }

  routes(): string[] {
    const count = 4 + this.random.below(24);
    return Array.from({ length: count }, () => this.route(this.random.chance(0.5) ? 4 : 6));
  }

  private route(family: Family): string {
    const { random } = this;
    const kind = random.below(20);
    const words = [`-${family} route`, random.chance(0.15) && !(family === 6 && this.hasSources6) ? 'append' : 'add'];
    const refusing = kind < 4 ? random.pick(['blackhole', 'unreachable', 'prohibit', 'throw']) : undefined;
    if (refusing) words.push(refusing);
    else if (kind === 4) words.push(random.pick(['local', 'broadcast', 'anycast']));
    words.push(this.prefix(family));
    if (family === 6 && random.chance(0.1)) words.push('from', this.prefix(6));
    if (family === 4 && random.chance(0.15)) words.push('tos', random.pick(['0x04', '0x08', '0x10', '0x1c']));
    words.push('table', String(random.pick(TABLES)));
    if (random.chance(0.3)) words.push('metric', String(random.pick([1, 50, 100, 1024])));
    if (family === 6 && random.chance(0.2)) words.push('pref', random.pick(['low', 'high']));
    if (refusing) return words.join(' ');
    if (kind === 4) return [...words, 'dev', random.pick(['lo', ...DEVICES])].join(' ');
    if (random.chance(0.15) && family === 4) words.push('src', `10.${random.below(4)}.0.1`);
    if (random.chance(0.3) && family === 6 && this.hasSources6) words.push('src', `fd00:${random.below(4)}::1`);
    if (kind === 5 || kind === 6) return [...words, 'nhid', String(this.nexthopId(family))].join(' ');
    if (kind < 10) return [...words, ...this.several(family)].join(' ');
    return [...words, ...this.hop(family)].join(' ');
  }

  private nexthopId(family: Family): number {
    return this.random.pick(family === 4 ? [41, 42, 7, 50, 51, 52, 61, 70] : [61, 62, 8, 70, 71]);
  }

  private several(family: Family): string[] {
    const count = 2 + this.random.below(2);
    return Array.from({ length: count }, () => {
      const weight = this.random.chance(0.4) ? ['weight', String(2 + this.random.below(5))] : [];
      return ['nexthop', ...this.hop(family, true), ...weight];
    }).flat();
  }

  private hop(family: Family, withGateway = false): string[] {
    const { random } = this;
    const device = random.pick(DEVICES);
    if (!withGateway && random.chance(0.3)) return ['dev', device];
    if (family === 4 && random.chance(0.1)) return ['via', 'inet6', this.gateway(6, device), 'dev', device];
    return [
      'via',
      this.gateway(family, device),
      'dev',
      device,
      ...(family === 4 || random.chance(0.7) ? ['onlink'] : []),
    ];
  }

  private gateway(family: Family, device: string): string {
    const { random } = this;
    const index = DEVICES.indexOf(device as (typeof DEVICES)[number]);
    if (family === 4) return `10.${index}.0.${random.pick([7, 8])}`;
    return random.chance(0.5) ? `fe80::${random.pick([77, 88])}` : `fd00:${index}::${random.pick([7, 8])}`;
  }

  private prefix(family: Family): string {
    const { random } = this;
    if (random.chance(0.12)) return 'default';
    return family === 4 ? this.prefix4() : this.prefix6();
  }

  private prefix4(): string {
    const { random } = this;
    const [a, b, c] = [random.below(10), random.below(3), random.below(4)];
    switch (random.below(6)) {
      case 0:
        return '10.0.0.0/8';
      case 1:
        return `10.${a & ~3}.0.0/14`;
      case 2:
        return `10.${a}.0.0/16`;
      case 3:
        return `10.${a}.${b}.0/24`;
      case 4:
        return `127.${a}.0.0/16`;
      default:
        return `10.${a}.${b}.${c}`;
    }
  }

  private prefix6(): string {
    const { random } = this;
    const [a, b, c] = [random.below(6), random.below(3), random.below(4)];
    switch (random.below(6)) {
      case 0:
        return 'fd00::/16';
      case 1:
        return `fd00:${a & ~1}::/31`;
      case 2:
        return `fd00:${a}::/32`;
      case 3:
        return `fd00:${a}:0:${b}::/64`;
      case 4:
        return `fd00:${a}::${b}:0/112`;
      default:
        return `fd00:${a}::${b}:${c}`;
    }
  }

  rules(): string[] {
    if (this.random.chance(0.3)) return [];
    const count = 1 + this.random.below(6);
    return Array.from({ length: count }, () => this.rule(this.random.chance(0.5) ? 4 : 6));
  }

  private rule(family: Family): string {
    const { random } = this;
    const words = [`-${family} rule add`];
    if (random.chance(0.15)) words.push('not');
    if (random.chance(0.3)) words.push('from', this.prefix(family).replace('default', 'all'));
    if (random.chance(0.3)) words.push('to', this.prefix(family).replace('default', 'all'));
    words.push('pref', String(random.pick([0, 10, 20, 20, 30, 40, 32766, 32800])));
    if (random.chance(0.25)) words.push('fwmark', random.pick(['1', '2', '1/1', '0/1', '3/0', '0x10/0xf0']));
    if (random.chance(0.2)) words.push('iif', random.pick(['lo', ...DEVICES, 'gone']));
    if (random.chance(0.1)) words.push('oif', random.pick([...DEVICES, 'gone']));
    if (random.chance(0.12)) words.push('dsfield', random.pick(['0x04', '0x08', '0x10']));
    if (random.chance(0.15)) words.push('ipproto', random.pick(['tcp', 'udp']));
    if (random.chance(0.15)) words.push('dport', random.pick(['80', '53-100']));
    if (random.chance(0.1)) words.push('sport', random.pick(['4000', '4000-5000']));
    if (random.chance(0.1)) words.push('uidrange', random.pick(['0-0', '1-1000', '0-4294967294']));
    if (random.chance(0.05)) words.push('tun_id', '7');
    if (random.chance(0.05)) words.push('l3mdev');
    else words.push(...this.action(family));
    return words.join(' ');
  }

  private action(family: Family): string[] {
    const { random } = this;
    const kind = random.below(14);
    if (kind === 0) return [random.pick(['blackhole', 'unreachable', 'prohibit'])];
    if (kind === 1) return ['goto', String(random.pick([20, 30, 40, 45, 32766]))];
    if (kind === 2) return ['nop'];
    const words = ['table', String(random.pick([100, 101, 254, 255, 253, 77]))];
    if (random.chance(0.25))
      words.push('suppress_prefixlength', String(random.pick(family === 4 ? [0, 8, 16, 31] : [0, 16, 64])));
    if (random.chance(0.15)) words.push('suppress_ifgroup', random.pick(['7', '0']));
    return words;
  }

  query(): RouteQuery {
    const { random } = this;
    const family: Family = random.chance(0.5) ? 4 : 6;
    const isInput = random.chance(0.4);
    const source = isInput || random.chance(0.3) ? this.source(family, isInput) : undefined;
    const input = isInput ? random.pick(DEVICES) : undefined;
    const output = !isInput && random.chance(0.2) ? random.pick(DEVICES) : undefined;
    return {
      family,
      destination: this.destination(family, isInput),
      ...(source === undefined ? {} : { source }),
      ...(input === undefined ? {} : { input }),
      ...(output === undefined ? {} : { output }),
      mark: random.chance(0.6) ? 0 : random.pick([1, 2, 3, 0x12]),
      tos: random.chance(0.7) ? 0 : random.pick([0x04, 0x08, 0x10, 0x1c, 0x28, 0xb8]),
      ...(random.chance(0.4)
        ? {
            protocol: random.pick(['tcp', 'udp'] as const),
            sourcePort: random.pick([4000, 4500, 9]),
            destinationPort: random.pick([80, 53, 60, 443]),
          }
        : {}),
      ...(random.chance(0.2) ? { user: random.pick([0, 5, 1000, 70_000]) } : {}),
    };
  }

  private destination(family: Family, isInput = false): string {
    const { random } = this;
    if (family === 4) {
      if (random.chance(0.06))
        return random.pick([
          '255.255.255.255',
          ...(isInput ? [] : ['224.0.0.5', '239.1.1.1']),
          '127.0.0.1',
          '127.3.0.1',
          '0.0.0.0',
          '0.1.2.3',
        ]);
      if (random.chance(0.1)) return `10.${random.below(4)}.${random.pick(['255.255', '0.255', '0.3'])}`;
      return `10.${random.below(10)}.${random.below(3)}.${random.below(5)}`;
    }
    if (random.chance(0.06))
      return random.pick(['::1', 'fe80::1', 'fe80::77', ...(isInput ? [] : ['ff02::5', 'ff0e::1'])]);
    return `fd00:${random.below(6)}:0:${random.pick([0, 0, 1])}::${random.below(3)}:${random.below(6)}`;
  }

  private source(family: Family, isInput: boolean): string {
    const { random } = this;
    const index = random.below(4);
    if (isInput && random.chance(0.08)) {
      return family === 4 ? random.pick(['224.0.0.5', '127.0.0.1', '0.0.0.1', '255.255.255.255']) : 'fe80::77';
    }
    if (!isInput || random.chance(0.1)) return family === 4 ? `10.${index}.0.1` : `fd00:${index}::1`;
    return this.destination(family);
  }
}
