import { placeOf } from '../collect-case.ts';
import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import type { StateChange } from '../shown-change.ts';
import { type Aim, aimAt, hostLength } from './route-aim.ts';

/*
 * Policy-routing rules. Each lets what it selects be routed as ever, and a rule behind it refuses the rest: so a rule that
 * serves is seen by what comes through.
 */

/** Undefined: there is no place for it. */
type Selector = (aim: Aim, network: Network) => string | undefined;

const ACTIONS = ['prohibit', 'unreachable', 'blackhole'] as const;

function selecting(
  name: string,
  selector: Selector,
  options: {
    readonly weight?: number;
    readonly forwarded?: boolean;
    readonly more?: (aim: Aim) => readonly string[];
  } = {},
): Feature {
  return {
    name,
    weight: options.weight ?? 0.5,
    add: (network) => {
      const aim = aimAt(network, options);
      const words = aim && selector(aim, network);
      if (!aim || words === undefined) return false;
      const { draw } = network;
      const isNegated = draw.chance(0.2);
      const pref = draw.int(100, 9000);
      const add = (line: string, feature = ''): void =>
        network.add({ kind: 'ip', ns: aim.ns, family: aim.family, line, feature });
      add(`rule add${isNegated ? ' not' : ''} ${words} lookup main pref ${pref}`, name);
      for (const line of options.more?.(aim) ?? []) add(line);
      add(`rule add to ${aim.destination}/${hostLength(aim.family)} ${draw.pick(ACTIONS)} pref ${pref + 1}`);
      return true;
    },
  };
}

function prefixOf(network: Network, { family }: Aim, address: string): string {
  if (network.draw.chance(0.5)) return `${address}/${hostLength(family)}`;
  return family === 4 ? `${address.replace(/\.\d+$/, '.0')}/24` : `${address.replace(/::.*$/, '::')}/48`;
}

/** A rule that is something else than a look-up in main. */
function acting(
  name: string,
  lines: (aim: Aim, pref: number, network: Network) => readonly string[],
  weight = 0.4,
): Feature {
  return {
    name,
    weight,
    add: (network) => {
      const aim = aimAt(network);
      if (!aim) return false;
      const pref = network.draw.int(12_000, 30_000);
      lines(aim, pref, network).forEach((line, index) => {
        network.add({ kind: 'ip', ns: aim.ns, family: aim.family, line, feature: index === 0 ? name : '' });
      });
      return true;
    },
  };
}

/** A look-up that does not count for some routes; a simulator that overlooks it takes them. */
function suppressing(name: string, lines: (aim: Aim, pref: number, network: Network) => readonly string[]): Feature {
  return {
    name,
    weight: 0.4,
    add: (network) => {
      const aim = aimAt(network, { forwarded: network.draw.chance(0.75) });
      if (!aim) return false;
      const pref = network.draw.int(12_000, 30_000);
      const here = network.host(aim.ns);
      const change: StateChange = {
        op: 'shown',
        place: placeOf({ ...here, name: here.ns, addresses: [] }),
        action: 'rules',
        args: { family: aim.family },
        where: { priority: pref },
        set: { suppress_prefixlen: null, suppress_ifgroup: null },
      };
      lines(aim, pref, network).forEach((line, index) => {
        const own = index === 0 ? { feature: name, ignored: [change] } : {};
        network.add({ kind: 'ip', ns: aim.ns, family: aim.family, line, ...own });
      });
      return true;
    },
  };
}

/** The same packet once more, of a socket that is bound to its device. */
function boundAgain(aim: Aim, network: Network): string | undefined {
  if (aim.input !== undefined || aim.isReply || network.packets.length >= 8) return undefined;
  const sourcePort = BOUND_SOURCE_PORT + network.packets.length;
  network.packets.push({ ...aim.packet, sourcePort, device: aim.output });
  return aim.output;
}

const BOUND_SOURCE_PORT = 24_000;

function to({ destination, family }: Aim): string {
  return `to ${destination}/${hostLength(family)}`;
}

/** A port of the packet as it stands there; ICMP has none. */
function portsOf({ packet, isReply }: Aim): { readonly source: number; readonly destination: number } | undefined {
  if (packet.protocol === 'icmp') return undefined;
  return isReply
    ? { source: packet.destinationPort, destination: packet.sourcePort }
    : { source: packet.sourcePort, destination: packet.destinationPort };
}

function range(network: Network, port: number): string {
  return network.draw.chance(0.5) ? String(port) : `${Math.max(1, port - 3)}-${port + 2}`;
}

export const RULE_FEATURES: readonly Feature[] = [
  selecting('rule from', (aim, network) => `from ${prefixOf(network, aim, aim.source)}`),
  selecting('rule to', (aim, network) => `to ${prefixOf(network, aim, aim.destination)}`),
  selecting('rule iif', (aim) => (aim.input === undefined ? 'iif lo' : `iif ${aim.input}`)),
  selecting('rule oif', (aim, network) => {
    const device = boundAgain(aim, network);
    return device && `oif ${device}`;
  }),
  selecting('rule tos', (aim) =>
    aim.isReply || aim.packet.tos === undefined || (aim.packet.tos & 0x1c) === 0
      ? undefined
      : `tos 0x${(aim.packet.tos & 0x1c).toString(16)}`,
  ),
  selecting(
    'rule ipproto',
    ({ packet, family }) => `ipproto ${packet.protocol === 'icmp' && family === 6 ? 'ipv6-icmp' : packet.protocol}`,
  ),
  selecting('rule sport', (aim, network) => {
    const ports = portsOf(aim);
    return ports && `ipproto ${aim.packet.protocol} sport ${range(network, ports.source)}`;
  }),
  selecting('rule dport', (aim, network) => {
    const ports = portsOf(aim);
    return ports && `ipproto ${aim.packet.protocol} dport ${range(network, ports.destination)}`;
  }),
  selecting('rule uidrange', (aim, network) => {
    if (aim.input !== undefined) return 'uidrange 0-0';
    if (aim.isReply) return undefined;
    const user = aim.packet.uid ?? 0;
    return `uidrange ${network.draw.chance(0.5) ? user : 0}-${user}`;
  }),
  selecting('rule fwmark', (aim) => {
    if (aim.isReply || aim.input !== undefined || aim.packet.mark === undefined) return undefined;
    return `fwmark 0x${aim.packet.mark.toString(16)}`;
  }),
  selecting('rule fwmark mask', (aim, network) => {
    const mark = aim.isReply || aim.input !== undefined ? 0 : (aim.packet.mark ?? 0);
    const mask = network.draw.pick([0x1, 0xf, 0xff]);
    return `fwmark 0x${(mark & mask).toString(16)}/0x${mask.toString(16)}`;
  }),
  acting('rule prohibit', (aim, pref) => [`rule add ${to(aim)} prohibit pref ${pref}`], 0.25),
  acting('rule unreachable', (aim, pref) => [`rule add ${to(aim)} unreachable pref ${pref}`], 0.25),
  acting('rule blackhole', (aim, pref) => [`rule add ${to(aim)} blackhole pref ${pref}`], 0.25),
  acting('rule goto', (aim, pref) => [
    `rule add ${to(aim)} goto 32766 pref ${pref}`,
    `rule add ${to(aim)} prohibit pref ${pref + 1}`,
  ]),
  // To where another rule leads: without it that one leads nowhere, and the next one counts.
  acting('rule nop', (aim, pref) => [
    `rule add ${to(aim)} nop pref ${pref + 2}`,
    `rule add ${to(aim)} goto ${pref + 2} pref ${pref}`,
    `rule add ${to(aim)} unreachable pref ${pref + 1}`,
  ]),
  acting(
    'rule l3mdev',
    (aim, pref) => [`rule add not l3mdev pref ${pref}`, `rule add ${to(aim)} prohibit pref ${pref + 1}`],
    0.2,
  ),
  suppressing('rule suppress_prefixlength', (aim, pref, network) => {
    // A pod's way leads by its default route, a node's by a longer one.
    const isHit = network.draw.chance(aim.ns.length > 1 ? 0.6 : 0.25);
    const length = isHit ? (aim.family === 4 ? 32 : 128) : 0;
    return [
      `rule add ${to(aim)} lookup main suppress_prefixlength ${length} pref ${pref}`,
      `rule add ${to(aim)} prohibit pref ${pref + 1}`,
    ];
  }),
  suppressing('rule suppress_ifgroup', (aim, pref, network) => {
    const isHit = network.draw.chance(0.4);
    return [
      `rule add ${to(aim)} lookup main suppress_ifgroup 7 pref ${pref}`,
      `link set dev ${aim.output} group ${isHit ? 7 : 8}`,
      `rule add ${to(aim)} unreachable pref ${pref + 1}`,
    ];
  }),
];
