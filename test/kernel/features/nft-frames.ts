import type { CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { Device, Host, Network } from '../network.ts';

/*
 * Chains of devices (netdev, inet ingress) and of bridges. A packet is found by its ends; the device is one of a cable that
 * it passes.
 */

interface FrameAim {
  readonly packet: CasePacket;
  readonly device: Device;
  /** The frame goes out by the device. */
  readonly leaves: boolean;
}

/** A cable's end on the way of a packet, there. */
export function frameAim(network: Network, wants: (aim: FrameAim) => boolean): FrameAim | undefined {
  const { draw } = network;
  for (let tries = 0; tries < 8; tries++) {
    const packet = network.aimable(network.packets);
    const to = network.hostAt(packet.destination);
    if (!to) continue;
    const way = network.way(network.host(packet.ns), to);
    if (way.length < 2) continue;
    const index = draw.int(0, way.length - 2);
    const out = network.deviceBetween(way[index]!, way[index + 1]!);
    const into = network.deviceBetween(way[index + 1]!, way[index]!);
    const [device, leaves] = draw.chance(0.5) ? [out, true] : [into, false];
    if (device && wants({ packet, device, leaves })) return { packet, device, leaves };
  }
  return undefined;
}

function aimed(network: Network, { packet }: FrameAim): string {
  const { draw } = network;
  const ip = packet.family === 4 ? 'ip' : 'ip6';
  const from = packet.source ?? network.host(packet.ns).address[packet.family];
  // Neighbours ask each other by ICMPv6 as well.
  const icmp = packet.family === 4 ? 'icmp' : 'icmpv6';
  const protocol =
    packet.protocol === 'icmp'
      ? `${icmp} type { echo-request, echo-reply }`
      : `${packet.protocol} dport ${packet.destinationPort}`;
  return `${ip} saddr ${from}${draw.chance(0.5) ? ` ${ip} daddr ${packet.destination}` : ''} ${protocol}`;
}

function effect(network: Network, { packet }: FrameAim): string {
  const { draw } = network;
  const ip = packet.family === 4 ? 'ip' : 'ip6';
  return draw.pick([
    `${ip} ${ip === 'ip' ? 'ttl' : 'hoplimit'} set ${draw.int(30, 60)}`,
    `${ip} ${ip === 'ip' ? 'ttl' : 'hoplimit'} set ${draw.int(30, 60)}`,
    `${ip} dscp set ${draw.pick(['ef', 'cs1'])}`,
    'meta mark set 0x77',
    'accept',
    'drop',
  ]);
}

function conditions(network: Network, aim: FrameAim, family: 'bridge' | 'netdev'): string {
  const { draw } = network;
  const ip = aim.packet.family === 4 ? 'ip' : 'ip6';
  const both = [
    '',
    '',
    `ether type ${ip}`,
    `meta protocol ${ip}`,
    'meta length < 2000',
    'ether saddr != 02:99:99:99:99:99',
  ];
  const own = family === 'bridge' ? ['ether type != arp', 'meta mark 0'] : ['meta mark 0', '@ll,96,16 != 0x0806'];
  return draw.pick([...both, ...own]);
}

function addChain(
  network: Network,
  ns: string,
  family: string,
  definition: string,
  rule: string,
  feature: string,
): void {
  const table = `${family} ${network.unique('f')}`;
  network.add({ kind: 'nft', ns, line: `add table ${table}` });
  network.add({ kind: 'nft', ns, line: `add chain ${table} c { ${definition}; policy accept; }` });
  network.add({ kind: 'nft', ns, line: `add rule ${table} c ${rule}`, feature });
}

function deviceChain(name: string, family: 'netdev' | 'inet', hook: 'ingress' | 'egress'): Feature {
  const feature = `nft ${name}`;
  return {
    name: feature,
    add: (network) => {
      const aim = frameAim(network, ({ leaves }) => leaves === (hook === 'egress'));
      if (!aim) return false;
      const device = aim.device.bridge !== undefined && network.draw.chance(0.4) ? aim.device.bridge : aim.device.name;
      const definition = `type filter hook ${hook} device "${device}" priority ${network.draw.pick([-10, 0, 5])}`;
      const rule = `${aimed(network, aim)} ${conditions(network, aim, 'netdev')} counter ${effect(network, aim)}`;
      addChain(network, aim.device.ns, family, definition, rule, feature);
      return true;
    },
  };
}

/** The frame goes out by another device as it is: whoever is behind takes it for somebody else's. */
const FORWARD_FRAME: Feature = {
  name: 'nft statement fwd',
  // The walk does not follow it.
  isUndecidable: true,
  wants: { pods: 2 },
  add: (network) => {
    const aim = frameAim(network, ({ leaves }) => !leaves);
    const others = aim && network.devices.filter((one) => one.ns === aim.device.ns && one.name !== aim.device.name);
    if (!aim || !others?.length) return false;
    const to = network.draw.pick(others).name;
    const definition = `type filter hook ingress device "${aim.device.name}" priority ${network.draw.pick([-10, 0, 5])}`;
    addChain(
      network,
      aim.device.ns,
      'netdev',
      definition,
      `${aimed(network, aim)} counter fwd to "${to}"`,
      'nft statement fwd',
    );
    return true;
  },
};

/** What bears ports in IP's payload: of a datagram in fragments the first alone. */
const FIRST_FRAGMENT: Feature = {
  name: 'nft drop of a first fragment',
  add: (network) => {
    const aim = frameAim(network, ({ packet, leaves }) => !leaves && packet.protocol === 'udp');
    if (!aim) return false;
    const large = network.enlarged(aim.packet);
    if (large === aim.packet) return false;
    const definition = `type filter hook ingress device "${aim.device.name}" priority 3`;
    const rule = `udp dport ${large.destinationPort} udp sport ${large.sourcePort} counter drop`;
    addChain(network, aim.device.ns, 'netdev', definition, rule, 'nft drop of a first fragment');
    return true;
  },
};

const BRIDGE_PRIORITIES = [-300, -250, -200, -100, 10, 100, 200, 300];

type BridgeHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

interface BridgeAim extends FrameAim {
  /** The port's name as the rule may ask for it; undefined: none at this hook. */
  readonly ports: readonly string[];
}

/** A packet that meets this hook of a bridge: from port to port, up to the host, or out from it. */
function bridgeAim(network: Network, hook: BridgeHook): BridgeAim | undefined {
  const { draw } = network;
  for (let tries = 0; tries < 12; tries++) {
    const packet = network.aimable(network.packets);
    const to = network.hostAt(packet.destination);
    if (!to) continue;
    const way = network.way(network.host(packet.ns), to);
    const index = draw.int(0, way.length - 1);
    const end = (other: Host | undefined) => (other ? network.deviceBetween(way[index]!, other) : undefined);
    const [into, out] = [end(way[index - 1]), end(way[index + 1])].map((one) =>
      one?.bridge === undefined ? undefined : one,
    );
    const isForwarded = into?.bridge !== undefined && into.bridge === out?.bridge;
    const hooks: readonly BridgeHook[] = [
      ...(into ? (['prerouting', isForwarded ? 'forward' : 'input'] as const) : []),
      ...(out ? (isForwarded ? (['postrouting'] as const) : (['output', 'postrouting'] as const)) : []),
    ];
    const device = hook === 'prerouting' || hook === 'input' ? into : out;
    if (!hooks.includes(hook) || !device) continue;
    const comes = hook === 'output' || hook === 'postrouting' ? [] : [`iifname "${into!.name}"`];
    const goes = hook === 'prerouting' || hook === 'input' ? [] : [`oifname "${out!.name}"`];
    return { packet, device, leaves: hook !== 'input', ports: [...comes, ...goes] };
  }
  return undefined;
}

function bridgeChain(hook: BridgeHook): Feature {
  const feature = `nft bridge ${hook}`;
  return {
    name: feature,
    add: (network) => {
      const aim = bridgeAim(network, hook);
      if (!aim) return false;
      const definition = `type filter hook ${hook} priority ${network.draw.pick(BRIDGE_PRIORITIES)}`;
      const port = network.draw.pick(['', ...aim.ports]);
      const rule = `${aimed(network, aim)} ${port} ${conditions(network, aim, 'bridge')} counter ${effect(network, aim)}`;
      addChain(network, aim.device.ns, 'bridge', definition, rule, feature);
      return true;
    },
  };
}

/** Where neighbours ask each other: chains that let the questions through, look at them, or now and then do not. */
const ARP: Feature = {
  name: 'nft arp',
  wants: { asks: true },
  add: (network) => {
    const { draw } = network;
    const aim = frameAim(network, ({ packet }) => packet.family === 4);
    if (!aim || !network.realNeighbours) return false;
    // Who sends the frame asks, who gets it answers.
    const asks = draw.chance(0.5);
    const hook = asks === aim.leaves ? 'output' : 'input';
    const operation = asks ? 'request' : 'reply';
    const other = operation === 'request' ? 'reply' : 'request';
    const rule = draw.weighted([
      { words: `arp operation ${operation} counter drop`, weight: 4 },
      {
        words: `arp ptype ip arp hlen 6 ${hook === 'input' ? 'iif' : 'oif'}name "${aim.device.name}" counter drop`,
        weight: 2,
      },
      { words: `arp operation ${other} counter drop`, weight: 1 },
      { words: `arp operation ${operation} counter accept`, weight: 1 },
    ]).words;
    addChain(network, aim.device.ns, 'arp', `type filter hook ${hook} priority 0`, rule, 'nft arp');
    // Whoever has been asked once knows the asker, and does not ask in its turn.
    network.packets.splice(0, network.packets.length, aim.packet);
    return true;
  },
};

export const NFT_FRAME_FEATURES: readonly Feature[] = [
  deviceChain('netdev ingress', 'netdev', 'ingress'),
  deviceChain('netdev egress', 'netdev', 'egress'),
  deviceChain('inet ingress', 'inet', 'ingress'),
  bridgeChain('prerouting'),
  bridgeChain('input'),
  bridgeChain('forward'),
  bridgeChain('output'),
  bridgeChain('postrouting'),
  ARP,
  FORWARD_FRAME,
  FIRST_FRAGMENT,
];
