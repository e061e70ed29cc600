import { placeOf } from '../collect-case.ts';
import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import { type Aim, aimAt, hostLength } from './route-aim.ts';

/* Settings that decide whether a packet may come in, be forwarded, and who is told. */

/** `usual`: what it is without the feature; 0 unless told. */
type Setting = readonly [key: string, value: string, usual?: string];

function setting(
  name: string,
  make: (
    aim: Aim,
    network: Network,
  ) => { readonly settings: readonly Setting[]; readonly lines?: readonly string[] } | undefined,
  weight = 0.5,
): Feature {
  return {
    name,
    weight,
    add: (network) => {
      const aim = aimAt(network, { forwarded: true });
      const made = aim && make(aim, network);
      if (!aim || !made) return false;
      for (const line of made.lines ?? []) network.add({ kind: 'ip', ns: aim.ns, family: aim.family, line });
      const here = network.host(aim.ns);
      const place = placeOf({ ...here, name: here.ns, addresses: [] });
      for (const [key, value, usual = '0'] of made.settings) {
        const ignored = [{ op: 'sysctl', place, text: `${key} as ever`, key, value: usual }] as const;
        network.add({ kind: 'sysctl', ns: aim.ns, key, value, feature: name, ignored });
      }
      return true;
    },
  };
}

function conf({ family }: Aim, device: string, key: string): string {
  return `net.ipv${family}.conf.${device}.${key}`;
}

/** The way back to the source leads elsewhere. */
function astray(aim: Aim, network: Network): string {
  const { draw } = network;
  if (draw.chance(0.2)) return `route replace unreachable ${aim.source}/32`;
  return `route replace ${aim.source}/32 dev ${draw.chance(0.5) ? aim.output : 'lo'}`;
}

export const ROUTE_SYSCTL_FEATURES: readonly Feature[] = [
  setting(
    'sysctl send_redirects',
    (aim) => {
      // What goes out where it came in is looked up even without a filter: a source that is no host's is refused then.
      if (aim.family === 6 || aim.input !== aim.output) return undefined;
      return {
        settings: [[conf(aim, 'all', 'send_redirects'), '1']],
        lines: [`route replace broadcast ${aim.source}/32 dev ${aim.input}`],
      };
    },
    0.3,
  ),
  setting(
    'sysctl rp_filter',
    (aim, network) => {
      if (aim.family === 6) return undefined;
      const device = network.draw.pick(['all', aim.input!]);
      const value = network.draw.pick(['1', '2']);
      return {
        settings: [[conf(aim, device, 'rp_filter'), value]],
        lines: network.draw.chance(0.8) ? [astray(aim, network)] : [],
      };
    },
    1,
  ),
  setting(
    'sysctl forwarding device',
    (aim, network) => {
      if (aim.family === 6) return undefined;
      return { settings: [[conf(aim, aim.input!, 'forwarding'), network.draw.chance(0.8) ? '0' : '1', '1']] };
    },
    0.3,
  ),
  setting(
    'sysctl forwarding ipv6',
    (aim) => (aim.family === 4 ? undefined : { settings: [[conf(aim, 'all', 'forwarding'), '0', '1']] }),
    0.3,
  ),
  setting(
    'sysctl force_forwarding',
    (aim) =>
      aim.family === 4
        ? undefined
        : {
            settings: [
              [conf(aim, 'all', 'forwarding'), '0', '1'],
              [conf(aim, aim.input!, 'force_forwarding'), '1'],
            ],
          },
    0.3,
  ),
  setting('sysctl accept_local', (aim, network) => {
    if (aim.family === 6) return undefined;
    const device = network.draw.pick(['all', aim.input!]);
    return {
      settings: [[conf(aim, device, 'accept_local'), network.draw.chance(0.7) ? '1' : '0']],
      lines: [`addr add ${aim.source}/${hostLength(aim.family)} dev lo`],
    };
  }),
  setting('sysctl icmp_errors_use_inbound_ifaddr', (aim) => {
    if (aim.family === 6) return undefined;
    return {
      settings: [['net.ipv4.icmp_errors_use_inbound_ifaddr', '1']],
      lines: [
        `route replace prohibit ${aim.destination}/32`,
        // In the sender's network, and not what its route would give.
        `addr add ${aim.source.replace(/\.\d+$/, '.200')}/24 dev ${aim.input}`,
      ],
    };
  }),
];
