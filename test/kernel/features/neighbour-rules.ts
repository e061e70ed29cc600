import type { Family } from '../../../src/net/address.ts';
import type { CasePacket } from '../case.ts';
import type { Feature, Layout } from '../feature.ts';
import type { Device, HookPoint, Host, Network } from '../network.ts';

/*
 * Rules that neighbours' questions and answers meet: ip6tables and nft on ICMPv6 135 and 136, chains of bridges and devices on ARP and on
 * those. Only one packet is sent: whoever was asked once knows the asker, and does not ask in its turn.
 */

interface Asking {
  readonly family: Family;
  readonly asker: string;
  readonly answerer: string;
  /** The ends of their cable; between pods of one bridge each one's own. */
  readonly out: Device;
  readonly into: Device;
  /** The node whose bridge is between them, or nobody's. */
  readonly bridge?: string;
}

/** A hop of a packet, where it asks for its next one. */
function askingAt(network: Network, families: readonly Family[]): Asking | undefined {
  const { draw } = network;
  const packet = draw.shuffled(network.packets.filter(({ family }) => families.includes(family)))[0];
  const to = packet && network.hostAt(packet.destination);
  const from = packet && network.host(packet.ns);
  if (!to || !from || to === from) return undefined;
  const asking = network.isSwitched(from, to) ? switched(network, packet, from, to) : routed(network, packet, from, to);
  if (asking) network.packets.splice(0, network.packets.length, packet);
  return asking;
}

function switched(network: Network, { family }: CasePacket, from: Host, to: Host): Asking | undefined {
  const node = network.host(from.node);
  const [out, into] = [network.deviceBetween(from, node), network.deviceBetween(to, node)];
  return out && into && { family, asker: from.ns, answerer: to.ns, out, into, bridge: node.ns };
}

function routed(network: Network, { family }: CasePacket, from: Host, to: Host): Asking | undefined {
  const way = network.way(from, to);
  const at = network.draw.int(0, way.length - 2);
  const [here, next] = [way[at]!, way[at + 1]!];
  const [out, into] = [network.deviceBetween(here, next), network.deviceBetween(next, here)];
  const bridged = [out, into].find((one) => one?.bridge !== undefined);
  return (
    out && into && { family, asker: here.ns, answerer: next.ns, out, into, ...(bridged && { bridge: bridged.ns }) }
  );
}

/** Who meets it where: the question goes out from the asker and in to the answerer, the answer the other way. */
function meeting(network: Network, { asker, answerer }: Asking): { ns: string; leaves: boolean; isQuestion: boolean } {
  const isQuestion = network.draw.chance(0.5);
  const leaves = network.draw.chance(0.5);
  return { ns: isQuestion === leaves ? asker : answerer, leaves, isQuestion };
}

interface RuleOptions {
  readonly families?: readonly Family[];
  readonly wants?: Partial<Layout>;
}

function questionFeature(
  name: string,
  add: (network: Network, asking: Asking, feature: string) => boolean,
  { families = [6], wants = {} }: RuleOptions = {},
): Feature {
  const feature = `neighbour rule ${name}`;
  return {
    name: feature,
    wants: { ...wants, asks: true },
    add: (network) => {
      const asking = askingAt(network, families);
      return asking !== undefined && add(network, asking, feature);
    },
  };
}

const typeOf = (isQuestion: boolean): string => (isQuestion ? '135' : '136');

function addIptables(network: Network, asking: Asking, feature: string): boolean {
  const { draw } = network;
  const { ns, leaves, isQuestion } = meeting(network, asking);
  const [table, chain] = draw.pick<readonly [string, HookPoint]>(
    leaves
      ? [
          ['filter', 'OUTPUT'],
          ['mangle', 'POSTROUTING'],
          ['raw', 'OUTPUT'],
        ]
      : [
          ['filter', 'INPUT'],
          ['mangle', 'PREROUTING'],
          ['raw', 'PREROUTING'],
        ],
  );
  const match = `-p ipv6-icmp -m icmp6 --icmpv6-type ${typeOf(isQuestion)}`;
  const more = draw.pick(['', '', ' -m hl --hl-eq 255', ' -m hl --hl-lt 255']);
  const at = { ns, backend: draw.pick(['legacy', 'nft'] as const), family: 6, table, chain } as const;
  network.rule({ ...at, rule: `${match}${more} -j DROP`, feature });
  return true;
}

function addHopLimit(network: Network, asking: Asking, feature: string): boolean {
  const { draw } = network;
  const isQuestion = draw.chance(0.5);
  const rule = `-p ipv6-icmp -m icmp6 --icmpv6-type ${typeOf(isQuestion)} -j HL --hl-set ${draw.pick([64, 64, 255])}`;
  const chain = draw.pick(['OUTPUT', 'POSTROUTING'] as const);
  const ns = isQuestion ? asking.asker : asking.answerer;
  network.rule({
    ns,
    backend: draw.pick(['legacy', 'nft'] as const),
    family: 6,
    table: 'mangle',
    chain,
    rule,
    feature,
  });
  return true;
}

function addBridged(network: Network, { bridge, family }: Asking, feature: string): boolean {
  const { draw } = network;
  if (bridge === undefined || family !== 6) return false;
  network.add({ kind: 'sysctl', ns: bridge, key: 'net.bridge.bridge-nf-call-ip6tables', value: '1' });
  const match = `-p ipv6-icmp -m icmp6 --icmpv6-type ${typeOf(draw.chance(0.5))}`;
  const chain = draw.pick(['PREROUTING', 'FORWARD', 'POSTROUTING'] as const);
  const backend = draw.pick(['legacy', 'nft'] as const);
  network.rule({ ns: bridge, backend, family: 6, table: 'mangle', chain, rule: `${match} -j DROP`, feature });
  return true;
}

function addNft(
  network: Network,
  ns: string,
  family: string,
  definition: string,
  rule: string,
  feature: string,
): boolean {
  const table = `${family} ${network.unique('q')}`;
  network.add({ kind: 'nft', ns, line: `add table ${table}` });
  network.add({ kind: 'nft', ns, line: `add chain ${table} c { ${definition}; policy accept; }` });
  network.add({ kind: 'nft', ns, line: `add rule ${table} c ${rule} counter drop`, feature });
  return true;
}

function addIp6(network: Network, asking: Asking, feature: string): boolean {
  const { draw } = network;
  const { ns, leaves, isQuestion } = meeting(network, asking);
  const hook = leaves ? draw.pick(['output', 'postrouting']) : draw.pick(['prerouting', 'input']);
  const definition = `type filter hook ${hook} priority ${draw.pick([-10, 0, 10])}`;
  const type = isQuestion ? 'nd-neighbor-solicit' : 'nd-neighbor-advert';
  const rule = draw.pick([`icmpv6 type ${type}`, `icmpv6 type ${type} ip6 hoplimit 255`, 'icmpv6 type 133-136']);
  return addNft(network, ns, draw.pick(['ip6', 'inet']), definition, rule, feature);
}

/** What tells a question, or an answer, in a frame. */
function frameWords(network: Network, family: Family, isQuestion: boolean): string {
  const { draw } = network;
  if (family === 4) {
    const operation = `arp operation ${isQuestion ? 'request' : 'reply'}`;
    return draw.pick([operation, operation, 'ether type arp']);
  }
  const type = `icmpv6 type nd-neighbor-${isQuestion ? 'solicit' : 'advert'}`;
  return draw.pick([type, type, `meta protocol ip6 ${type}`]);
}

function addBridge(network: Network, { bridge, family }: Asking, feature: string): boolean {
  const { draw } = network;
  if (bridge === undefined) return false;
  const hook = draw.pick(['prerouting', 'forward', 'postrouting', 'input', 'output']);
  const definition = `type filter hook ${hook} priority ${draw.pick([-200, 0, 100])}`;
  return addNft(network, bridge, 'bridge', definition, frameWords(network, family, draw.chance(0.5)), feature);
}

function addDevice(network: Network, asking: Asking, feature: string): boolean {
  const { draw } = network;
  const { leaves, isQuestion } = meeting(network, asking);
  const device = isQuestion === leaves ? asking.out : asking.into;
  const hook = leaves ? 'egress' : 'ingress';
  const definition = `type filter hook ${hook} device "${device.name}" priority ${draw.pick([-10, 0, 5])}`;
  return addNft(network, device.ns, 'netdev', definition, frameWords(network, asking.family, isQuestion), feature);
}

const BRIDGED = { bridged: true, pods: 2 } as const;
const BOTH: readonly Family[] = [4, 6];

export const NEIGHBOUR_RULE_FEATURES: readonly Feature[] = [
  questionFeature('ip6tables', addIptables),
  questionFeature('hop limit', addHopLimit),
  questionFeature('ip6tables on a bridge', addBridged, { wants: BRIDGED }),
  questionFeature('nft ip6', addIp6),
  questionFeature('nft bridge', addBridge, { families: BOTH, wants: BRIDGED }),
  questionFeature('nft netdev', addDevice, { families: BOTH }),
];
