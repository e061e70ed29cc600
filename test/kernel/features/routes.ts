import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import { type Aim, aimAt, hostLength } from './route-aim.ts';

/* Kinds of routes, next hops and their objects, each at a place where a packet or its answer is routed. */

/** `lines` of `ip` at the place aimed at; the first is what the feature is, unless `marked` says otherwise. */
function routeFeature(
  name: string,
  lines: (aim: Aim, network: Network, table: number) => readonly string[] | undefined,
  options: {
    readonly weight?: number;
    readonly marked?: number;
    readonly forwarded?: boolean;
    readonly fits?: (aim: Aim) => boolean;
  } = {},
): Feature {
  return {
    name,
    weight: options.weight ?? 0.5,
    add: (network) => {
      const aim = aimAt(network, options);
      // A table of its own, and rules of that priority.
      const made = aim && lines(aim, network, network.draw.int(1000, 30_000));
      if (!aim || !made) return false;
      made.forEach((line, index) => {
        const feature = index === (options.marked ?? 0) ? name : '';
        // A group of nexthop objects is of no family, and they are made before the routes of either.
        const family = /^nexthop .* (via|group) /.test(line) ? {} : { family: aim.family };
        network.add({ kind: 'ip', ns: aim.ns, ...family, line, feature });
      });
      return true;
    },
  };
}

function wide({ destination, family }: Aim): string {
  return `${destination}/${family === 4 ? 24 : 64}`.replace(/\.\d+\/24$/, '.0/24').replace(/::\w+\/64$/, '::/64');
}

/** A nexthop object needs a carrier: the other end must be up before. */
function isJoined({ ns, output }: Aim): boolean {
  return ns.length > 1 || (ns === 'b' && output === 'eth0');
}

function narrow({ destination, family }: Aim): string {
  return `${destination}/${hostLength(family)}`;
}

function refusing(type: string): Feature {
  return routeFeature(`route ${type}`, (aim) => [`route replace ${type} ${narrow(aim)}`], { weight: 0.35 });
}

/** A gateway of its own, with the MAC of who is there. */
function gateway(aim: Aim, network: Network, family = aim.family): { readonly address: string; readonly line: string } {
  const number = network.draw.int(1, 200);
  const address = family === 4 ? `10.99.0.${number}` : `fe80::99:${number}`;
  return { address, line: `neigh replace ${address} lladdr ${aim.mac} dev ${aim.output} nud permanent` };
}

/** The route is all that leads on: without it the packet is refused. */
function alone(aim: Aim, table: number, words: string): readonly string[] {
  return [
    `route add ${narrow(aim)} ${words} table ${table}`,
    `route add prohibit ${narrow(aim)} metric 9999 table ${table}`,
    `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
  ];
}

export const ROUTE_FEATURES: readonly Feature[] = [
  refusing('blackhole'),
  refusing('unreachable'),
  refusing('prohibit'),
  routeFeature('route throw', (aim, _network, table) => [
    `route replace throw ${narrow(aim)} table ${table}`,
    `route replace prohibit ${wide(aim)} table ${table}`,
    `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
  ]),
  routeFeature('route metric', (aim, _network, table) => [
    `route add ${narrow(aim)} ${aim.onward} metric 10 table ${table}`,
    `route add unreachable ${narrow(aim)} metric 20 table ${table}`,
    `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
  ]),
  routeFeature('route longest prefix', (aim, _network, table) => [
    `route add ${narrow(aim)} ${aim.onward} table ${table}`,
    `route add prohibit ${wide(aim)} table ${table}`,
    `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
  ]),
  routeFeature('route tos', (aim, _network, table) =>
    aim.family === 6 || aim.packet.tos === undefined || aim.isReply
      ? undefined
      : [
          `route add ${narrow(aim)} tos 0x${(aim.packet.tos & 0x1c).toString(16)} ${aim.onward} table ${table}`,
          `route add prohibit ${narrow(aim)} table ${table}`,
          `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
        ],
  ),
  routeFeature(
    'route src',
    (aim, network) => {
      const source = aim.family === 4 ? `10.98.0.${network.draw.int(1, 200)}` : `fd00:98::${network.draw.int(1, 200)}`;
      if (aim.input !== undefined) return undefined;
      const nodad = aim.family === 6 ? ' nodad' : '';
      return [
        `addr add ${source}/${hostLength(aim.family)} dev lo${nodad}`,
        `route replace ${narrow(aim)} ${aim.onward} src ${source}`,
      ];
    },
    { marked: 1 },
  ),
  routeFeature('route onlink', (aim, network, table) => {
    const { address, line } = gateway(aim, network);
    return [...alone(aim, table, `via ${address} dev ${aim.output} onlink`), line];
  }),
  routeFeature('route via inet6', (aim, network, table) => {
    if (aim.family === 6) return undefined;
    const { address, line } = gateway(aim, network, 6);
    return [...alone(aim, table, `via inet6 ${address} dev ${aim.output}`), line];
  }),
  routeFeature('route multipath', (aim, network, table) => {
    const one = gateway(aim, network);
    const other = gateway(aim, network);
    if (one.address === other.address) return undefined;
    const hop = (address: string, weight: number): string =>
      `nexthop via ${address} dev ${aim.output} onlink weight ${weight}`;
    const weights = [network.draw.int(1, 4), network.draw.int(1, 4)] as const;
    const dead = network.draw.chance(0.3)
      ? [`neigh replace ${other.address} lladdr 02:00:00:99:99:99 dev ${aim.output} nud permanent`]
      : [other.line];
    return [
      // A table is told before the next hops.
      `route add ${narrow(aim)} table ${table} ${hop(one.address, weights[0])} ${hop(other.address, weights[1])}`,
      `route add prohibit ${narrow(aim)} metric 9999 table ${table}`,
      `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
      one.line,
      ...dead,
    ];
  }),
  routeFeature(
    'route nexthop object',
    (aim, network, table) => {
      const { address, line } = gateway(aim, network);
      if (!isJoined(aim)) return undefined;
      const id = network.draw.int(100, 100_000);
      return [`nexthop add id ${id} via ${address} dev ${aim.output} onlink`, ...alone(aim, table, `nhid ${id}`), line];
    },
    { marked: 1 },
  ),
  routeFeature(
    'route nexthop group',
    (aim, network, table) => {
      const { address, line } = gateway(aim, network);
      if (!isJoined(aim)) return undefined;
      const id = network.draw.int(100, 100_000);
      const type = network.draw.chance(0.3) ? ' type resilient buckets 4' : '';
      return [
        `nexthop add id ${id} via ${address} dev ${aim.output} onlink`,
        `nexthop add id ${id + 1} group ${id}${type}`,
        ...alone(aim, table, `nhid ${id + 1}`),
        line,
      ];
    },
    { marked: 2 },
  ),
  routeFeature(
    'route nexthop blackhole',
    (aim, network) => {
      const id = network.draw.int(100, 100_000);
      return [`nexthop add id ${id} blackhole`, `route replace ${narrow(aim)} nhid ${id}`];
    },
    { marked: 1, weight: 0.3 },
  ),
  routeFeature('route mtu', (aim) => [
    `route replace ${narrow(aim)} ${aim.onward} mtu ${aim.family === 4 ? 600 : 1280}`,
  ]),
  routeFeature(
    'route advmss',
    (aim, network) => {
      // Only a rule sees it.
      const at = { ns: aim.ns, backend: network.draw.pick(['legacy', 'nft'] as const), family: aim.family };
      const rule = '-p tcp -m tcp --tcp-flags SYN,RST SYN -m tcpmss --mss 1:1000';
      network.rule({ ...at, table: 'mangle', chain: 'POSTROUTING', rule, feature: '' });
      return [`route replace ${narrow(aim)} ${aim.onward} advmss 1000`];
    },
    { weight: 0.3, fits: ({ packet, input }) => packet.protocol === 'tcp' && input === undefined },
  ),
  routeFeature('route local', (aim) => [`route replace local ${narrow(aim)} dev lo table local`], {
    weight: 0.4,
    forwarded: true,
  }),
  routeFeature('route preference', (aim, _network, table) =>
    aim.family === 4
      ? undefined
      : [
          `route add ${narrow(aim)} ${aim.onward} table ${table} metric 5 pref high`,
          `route append ${narrow(aim)} dev lo table ${table} metric 5 pref low`,
          `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
        ],
  ),
  routeFeature('route from', (aim, _network, table) =>
    aim.family === 4
      ? undefined
      : [
          `route add ${narrow(aim)} from ${aim.source}/128 ${aim.onward} table ${table}`,
          `route add prohibit ${narrow(aim)} table ${table}`,
          `rule add to ${narrow(aim)} lookup ${table} pref ${table}`,
        ],
  ),
];
