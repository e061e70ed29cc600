import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import { type Aim, aimAt, hostLength } from './route-aim.ts';

/* Kinds of routes, next hops and their objects, each at a place where a packet or its answer is routed. */

/** `lines` of `ip` at the place aimed at; the first is what the feature is, unless `marked` says otherwise. */
function routeFeature(
  name: string,
  lines: (aim: Aim, network: Network) => readonly string[] | undefined,
  options: { readonly weight?: number; readonly marked?: number; readonly forwarded?: boolean } = {},
): Feature {
  return {
    name,
    weight: options.weight ?? 0.5,
    add: (network) => {
      const aim = aimAt(network, options);
      const made = aim && lines(aim, network);
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
  routeFeature('route throw', (aim) => [
    `route replace throw ${narrow(aim)} table 60`,
    `route replace prohibit ${wide(aim)} table 60`,
    `rule add to ${narrow(aim)} lookup 60 pref 60`,
  ]),
  routeFeature('route metric', (aim) => [
    `route add ${narrow(aim)} ${aim.onward} metric 10 table 61`,
    `route add unreachable ${narrow(aim)} metric 20 table 61`,
    `rule add to ${narrow(aim)} lookup 61 pref 61`,
  ]),
  routeFeature('route longest prefix', (aim) => [
    `route add ${narrow(aim)} ${aim.onward} table 62`,
    `route add prohibit ${wide(aim)} table 62`,
    `rule add to ${narrow(aim)} lookup 62 pref 62`,
  ]),
  routeFeature('route tos', (aim) =>
    aim.family === 6 || aim.packet.tos === undefined || aim.isReply
      ? undefined
      : [
          `route add ${narrow(aim)} tos 0x${(aim.packet.tos & 0x1c).toString(16)} ${aim.onward} table 63`,
          `route add prohibit ${narrow(aim)} table 63`,
          `rule add to ${narrow(aim)} lookup 63 pref 63`,
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
  routeFeature('route onlink', (aim, network) => {
    const { address, line } = gateway(aim, network);
    return [...alone(aim, 66, `via ${address} dev ${aim.output} onlink`), line];
  }),
  routeFeature('route via inet6', (aim, network) => {
    if (aim.family === 6) return undefined;
    const { address, line } = gateway(aim, network, 6);
    return [...alone(aim, 67, `via inet6 ${address} dev ${aim.output}`), line];
  }),
  routeFeature('route multipath', (aim, network) => {
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
      `route add ${narrow(aim)} table 68 ${hop(one.address, weights[0])} ${hop(other.address, weights[1])}`,
      `route add prohibit ${narrow(aim)} metric 9999 table 68`,
      `rule add to ${narrow(aim)} lookup 68 pref 68`,
      one.line,
      ...dead,
    ];
  }),
  routeFeature(
    'route nexthop object',
    (aim, network) => {
      const { address, line } = gateway(aim, network);
      if (!isJoined(aim)) return undefined;
      const id = network.draw.int(100, 100_000);
      return [`nexthop add id ${id} via ${address} dev ${aim.output} onlink`, ...alone(aim, 69, `nhid ${id}`), line];
    },
    { marked: 1 },
  ),
  routeFeature(
    'route nexthop group',
    (aim, network) => {
      const { address, line } = gateway(aim, network);
      if (!isJoined(aim)) return undefined;
      const id = network.draw.int(100, 100_000);
      const type = network.draw.chance(0.3) ? ' type resilient buckets 4' : '';
      return [
        `nexthop add id ${id} via ${address} dev ${aim.output} onlink`,
        `nexthop add id ${id + 1} group ${id}${type}`,
        ...alone(aim, 70, `nhid ${id + 1}`),
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
  routeFeature('route advmss', (aim) => [`route replace ${narrow(aim)} ${aim.onward} advmss 1000`], { weight: 0.3 }),
  routeFeature('route local', (aim) => [`route add local ${narrow(aim)} dev lo table local`], {
    weight: 0.4,
    forwarded: true,
  }),
  routeFeature('route preference', (aim, network) => {
    if (aim.family === 4) return undefined;
    const { address, line } = gateway(aim, network);
    return [
      `route add ${narrow(aim)} ${aim.onward} table 64 metric 5 pref high`,
      `route append ${narrow(aim)} dev lo table 64 metric 5 pref low`,
      `rule add to ${narrow(aim)} lookup 64 pref 64`,
      line,
      address,
    ].slice(0, 4);
  }),
  routeFeature('route from', (aim) =>
    aim.family === 4
      ? undefined
      : [
          `route add ${narrow(aim)} from ${aim.source}/128 ${aim.onward} table 65`,
          `route add prohibit ${narrow(aim)} table 65`,
          `rule add to ${narrow(aim)} lookup 65 pref 65`,
        ],
  ),
];
