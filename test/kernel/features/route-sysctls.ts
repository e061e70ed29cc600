import { placeOf } from '../collect-case.ts';
import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import { gatewayOf } from '../topology.ts';
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
  { weight = 0.5, fits }: { readonly weight?: number; readonly fits?: (aim: Aim) => boolean } = {},
): Feature {
  return {
    name,
    weight,
    wants: { pods: 2, bridged: false },
    add: (network) => {
      const aim = aimAt(network, { forwarded: true, fits });
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

const isIpv4 = ({ family }: Aim): boolean => family === 4;
const isIpv6 = ({ family }: Aim): boolean => family === 6;
const canBeRedirected = (aim: Aim): boolean => isIpv4(aim) && !aim.isReply && aim.packet.protocol !== 'icmp';
const canBeMarked = (aim: Aim): boolean => isIpv4(aim) && !aim.isReply && aim.packet.mark === undefined;

/** A node's own, on no cable. */
const LOOPED = '10.97.0.1';

function conf({ family }: Aim, device: string, key: string): string {
  return `net.ipv${family}.conf.${device}.${key}`;
}

/** The way back to the source leads elsewhere. */
function astray(aim: Aim, network: Network): string {
  const { draw } = network;
  if (draw.chance(0.2)) return `route replace unreachable ${aim.source}/32`;
  return `route replace ${aim.source}/32 dev ${draw.chance(0.5) ? aim.output : 'lo'}`;
}

/**
 * What goes out where it came in is looked up even without a filter: a source that is no host's is refused then. From one pod of a bridge
 * to another, by way of their gateway.
 */
const SEND_REDIRECTS: Feature = {
  name: 'sysctl send_redirects',
  weight: 0.3,
  wants: { bridged: true, pods: 2, asks: false },
  add: (network) => {
    const pods = network.draw.shuffled(network.hosts.filter(({ pod }) => pod));
    const from = pods.find((one) => pods.some((other) => network.isSwitched(one, other)));
    const to = pods.find((other) => from && network.isSwitched(from, other));
    if (!from || !to || network.packets.length >= 8) return false;
    const sourcePort = REDIRECTED_SOURCE_PORT + network.packets.length;
    const flow = { protocol: 'udp', sourcePort, destinationPort: 80, payloadBytes: 20, df: false } as const;
    network.packets.push({ ns: from.ns, family: 4, destination: to.address[4], ...flow });
    const index = from.node === 'a' ? 1 : 2;
    const line = `route replace ${to.address[4]}/32 via ${gatewayOf(index, 4)} dev eth0`;
    network.add({ kind: 'ip', ns: from.ns, line });
    network.add({ kind: 'ip', ns: from.node, line: `route replace broadcast ${from.address[4]}/32 dev br0` });
    const key = 'net.ipv4.conf.all.send_redirects';
    network.add({ kind: 'sysctl', ns: from.node, key, value: '1', feature: 'sysctl send_redirects' });
    return true;
  },
};

const REDIRECTED_SOURCE_PORT = 25_000;

export const ROUTE_SYSCTL_FEATURES: readonly Feature[] = [
  SEND_REDIRECTS,
  setting(
    'sysctl rp_filter',
    (aim, network) => {
      const device = network.draw.pick(['all', aim.input!]);
      const value = network.draw.pick(['1', '2']);
      return {
        settings: [[conf(aim, device, 'rp_filter'), value]],
        lines: network.draw.chance(0.8) ? [astray(aim, network)] : [],
      };
    },
    { weight: 1, fits: isIpv4 },
  ),
  setting(
    'sysctl forwarding device',
    (aim, network) => {
      return { settings: [[conf(aim, aim.input!, 'forwarding'), network.draw.chance(0.8) ? '0' : '1', '1']] };
    },
    { fits: isIpv4 },
  ),
  setting('sysctl forwarding ipv6', (aim) => ({ settings: [[conf(aim, 'all', 'forwarding'), '0', '1']] }), {
    fits: isIpv6,
  }),
  setting(
    'sysctl force_forwarding',
    (aim) => ({
      settings: [
        [conf(aim, 'all', 'forwarding'), '0', '1'],
        [conf(aim, aim.input!, 'force_forwarding'), '1'],
      ],
    }),
    { fits: isIpv6 },
  ),
  setting(
    'sysctl accept_local',
    (aim, network) => {
      const device = network.draw.pick(['all', aim.input!]);
      return {
        settings: [[conf(aim, device, 'accept_local'), network.draw.chance(0.7) ? '1' : '0']],
        lines: [`addr add ${aim.source}/${hostLength(aim.family)} dev lo`],
      };
    },
    { fits: isIpv4 },
  ),
  setting(
    'sysctl icmp_errors_use_inbound_ifaddr',
    (aim) => {
      return {
        settings: [['net.ipv4.icmp_errors_use_inbound_ifaddr', '1']],
        lines: [
          `route replace prohibit ${aim.destination}/32`,
          // What the route to the sender gives is another than the device's own.
          `addr add ${LOOPED}/32 dev lo`,
          `route replace ${aim.source}/32 ${aim.backward} src ${LOOPED}`,
        ],
      };
    },
    { fits: isIpv4 },
  ),
  setting(
    'sysctl route_localnet',
    (aim, network) => {
      const { packet, input } = aim;
      const rule = `-p ${packet.protocol} -m ${packet.protocol} --sport ${packet.sourcePort} -j DNAT --to-destination 127.0.0.1:80`;
      const backend = network.draw.pick(['legacy', 'nft'] as const);
      network.rule({ ns: aim.ns, backend, family: 4, table: 'nat', chain: 'PREROUTING', rule, feature: '' });
      return { settings: [[conf(aim, network.draw.pick(['all', input!]), 'route_localnet'), '1']] };
    },
    { fits: canBeRedirected },
  ),
  setting(
    'sysctl src_valid_mark',
    (aim, network) => {
      // By its mark the way back is found, without it it leads elsewhere.
      const backend = network.draw.pick(['legacy', 'nft'] as const);
      const rule = `-s ${aim.source} -j MARK --set-xmark 0x200/0x200`;
      network.rule({ ns: aim.ns, backend, family: 4, table: 'mangle', chain: 'PREROUTING', rule, feature: '' });
      return {
        settings: [
          [conf(aim, aim.input!, 'src_valid_mark'), '1'],
          [conf(aim, aim.input!, 'rp_filter'), '1'],
        ],
        lines: [
          `route add ${aim.source}/32 ${aim.backward} table 777`,
          'rule add fwmark 0x200/0x200 to 10.1.0.0/16 lookup 777 pref 777',
          `route replace ${aim.source}/32 dev lo`,
          `route add ${aim.destination}/32 ${aim.onward} table 777`,
        ],
      };
    },
    { fits: canBeMarked },
  ),
];
