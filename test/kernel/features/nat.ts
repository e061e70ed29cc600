import type { Family } from '../../../src/net/address.ts';
import type { Feature } from '../feature.ts';
import type { HookPoint, Host, Network } from '../network.ts';
import { type Aim, addRule, aimAt, aimedWords, endsAt } from './iptables-core.ts';

/*
 * NAT of every kind, by iptables of both backends and by nft. Rules are aimed at the first packet of a flow, since only
 * that one meets nat chains; most translations lead to where an answer can come back from.
 */

const SOURCE_HOOKS: readonly HookPoint[] = ['POSTROUTING', 'POSTROUTING', 'POSTROUTING', 'INPUT'];
const DESTINATION_HOOKS: readonly HookPoint[] = ['PREROUTING', 'PREROUTING', 'OUTPUT'];

/** What a translation says, in the words of both tools; `ports` stand behind the address. */
interface NatWords {
  readonly iptables: string;
  /** Undefined: nft has no such thing, or says it otherwise. */
  readonly nft?: string;
}

interface NatKind {
  readonly name: string;
  readonly hooks: readonly HookPoint[];
  readonly words: (aim: Aim) => NatWords | undefined;
}

function aimAtFirst(network: Network, hooks: readonly HookPoint[]): Aim | undefined {
  for (let tries = 0; tries < 8; tries++) {
    const aim = aimAt(network, [network.draw.pick(hooks)]);
    if (aim && !aim.stop.isReply) return aim;
  }
  return undefined;
}

/** An address with its ports as both tools write it. */
function end(address: string, ports = ''): string {
  if (ports === '') return address;
  return address.includes(':') ? `[${address}]:${ports}` : `${address}:${ports}`;
}

function random({ draw }: Aim): { readonly iptables: string; readonly nft: string } {
  const flag = draw.pick(['', '', '', 'random', 'random-fully']);
  if (flag === '') return { iptables: '', nft: '' };
  return { iptables: ` --${flag}`, nft: flag === 'random' ? ' random' : ' fully-random' };
}

/** Of iptables ports need their protocol named first. */
function hasPorts({ packet }: Aim): boolean {
  return packet.protocol !== 'icmp';
}

/** A gateway's address is everybody's way back; an address nearby loses its answers, which is told as well. */
function sourceAddress({ network, stop, packet, draw }: Aim): string {
  const host = network.host(stop.ns);
  const own = host.address[packet.family];
  return draw.chance(0.8) ? own : network.draw.pick(network.hosts).address[packet.family];
}

function sourcePorts(aim: Aim): string {
  const { draw, packet } = aim;
  if (!hasPorts(aim) || draw.chance(0.6)) return '';
  return draw.pick(['1024-65535', '40000-50000', '5000', `${packet.sourcePort}`, '100-200']);
}

function otherHost({ network, packet, draw }: Aim): Host {
  const candidates = network.hosts.filter(
    (one) => one.address[packet.family] !== packet.destination && one.ns !== packet.ns,
  );
  return candidates.length > 0 ? draw.pick(candidates) : network.host(packet.ns);
}

/** The last byte of an address one further on; ranges of two or more addresses. */
function after(address: string, by: number): string {
  const at = address.search(/\d+$/);
  return `${address.slice(0, at)}${Number.parseInt(address.slice(at), 10) + by}`;
}

const KINDS: readonly NatKind[] = [
  {
    name: 'SNAT',
    hooks: SOURCE_HOOKS,
    words: (aim) => {
      const address = sourceAddress(aim);
      const ports = sourcePorts(aim);
      const { iptables, nft } = random(aim);
      return {
        iptables: `-j SNAT --to-source ${end(address, ports)}${iptables}`,
        nft: `snat to ${end(address, ports)}${nft}`,
      };
    },
  },
  {
    name: 'SNAT range',
    hooks: ['POSTROUTING'],
    words: (aim) => {
      const { network, stop, packet, draw } = aim;
      if (stop.output === undefined) return undefined;
      // Each rule has addresses of its own.
      const first = after(network.host(stop.ns).address[packet.family], 10 * Number(network.unique('')));
      const more = draw.pick([1, 3, 8]);
      // The addresses are the translator's own, where its neighbours look for them.
      const length = packet.family === 4 ? 32 : 128;
      for (let by = 1; by <= more; by++) {
        const line = `addr add ${after(first, by)}/${length} dev ${stop.output}${packet.family === 6 ? ' nodad' : ''}`;
        network.add({ kind: 'ip', ns: stop.ns, line });
      }
      const range = `${after(first, 1)}-${after(first, more)}`;
      const flag = draw.chance(0.3) ? 'persistent' : '';
      return {
        iptables: `-j SNAT --to-source ${range}${flag === '' ? '' : ` --${flag}`}`,
        nft: `snat to ${range}${flag === '' ? '' : ` ${flag}`}`,
      };
    },
  },
  {
    name: 'MASQUERADE',
    hooks: ['POSTROUTING'],
    words: (aim) => {
      const ports = sourcePorts(aim);
      const { iptables, nft } = random(aim);
      return {
        iptables: `-j MASQUERADE${ports === '' ? '' : ` --to-ports ${ports}`}${iptables}`,
        nft: `masquerade${ports === '' ? '' : ` to :${ports}`}${nft}`,
      };
    },
  },
  {
    name: 'DNAT',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      const address = otherHost(aim).address[aim.packet.family];
      const ports = hasPorts(aim) ? aim.draw.pick(['', '80', '8080', '53']) : '';
      return {
        iptables: `-j DNAT --to-destination ${end(address, ports)}`,
        nft: `dnat to ${end(address, ports)}`,
      };
    },
  },
  {
    name: 'DNAT range',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      const { network, packet, draw } = aim;
      const all = network.hosts.map((one) => one.address[packet.family]);
      const pairs = all.filter((one) => all.includes(after(one, 1)));
      if (pairs.length === 0) return undefined;
      const first = draw.pick(pairs);
      const flag = draw.chance(0.3) ? 'persistent' : '';
      const range = `${first}-${after(first, 1)}`;
      return {
        iptables: `-j DNAT --to-destination ${range}${flag === '' ? '' : ` --${flag}`}`,
        nft: `dnat to ${range}${flag === '' ? '' : ` ${flag}`}`,
      };
    },
  },
  {
    name: 'DNAT port range',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      if (!hasPorts(aim)) return undefined;
      const address = otherHost(aim).address[aim.packet.family];
      const { destinationPort } = aim.packet;
      const plain = aim.draw.pick(['80-81', '8080-8090', '50-100']);
      const based = aim.draw.chance(0.3) ? `/${Math.max(1, destinationPort - aim.draw.pick([0, 1]))}` : '';
      const flag =
        based === '' && plain === '80-81' && aim.draw.chance(0.4)
          ? { iptables: ' --random', nft: ' random' }
          : { iptables: '', nft: '' };
      return {
        iptables: `-j DNAT --to-destination ${end(address, `${plain}${based}`)}${flag.iptables}`,
        ...(based === '' ? { nft: `dnat to ${end(address, plain)}${flag.nft}` } : {}),
      };
    },
  },
  {
    name: 'REDIRECT',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      const ports = hasPorts(aim) ? aim.draw.pick(['', '80', '8080']) : '';
      return {
        iptables: `-j REDIRECT${ports === '' ? '' : ` --to-ports ${ports}`}`,
        nft: `redirect${ports === '' ? '' : ` to :${ports}`}`,
      };
    },
  },
  {
    name: 'NETMAP',
    hooks: ['PREROUTING', 'OUTPUT', 'POSTROUTING'],
    words: (aim) => {
      const { packet, draw, stop } = aim;
      const ends = endsAt(aim);
      const from = stop.hook === 'POSTROUTING' ? ends.source : ends.destination;
      if (packet.family === 6) return { iptables: `-j NETMAP --to ${from}/${draw.pick(['124', '128'])}` };
      const moved = draw.pick([from, from.replace(/^10\.1\.\d+\./, `10.1.${draw.pick([1, 2])}.`)]);
      return { iptables: `-j NETMAP --to ${moved}/${draw.pick(['24', '28', '32'])}` };
    },
  },
];

function iptablesFeature(kind: NatKind): Feature {
  const name = `iptables target ${kind.name}`;
  return {
    name,
    add: (network) => {
      const aim = aimAtFirst(network, kind.hooks);
      const words = aim && kind.words(aim);
      if (!aim || !words) return false;
      const protocol = aim.packet.protocol;
      const aimed =
        / --to-(?:ports|source|destination) \S*:?\S*\d+|--to-ports/.test(words.iptables) && protocol !== 'icmp';
      const base = aimed ? `-p ${protocol} -m ${protocol} --sport ${aim.packet.sourcePort}` : aimedWords(aim);
      addRule(network, aim, { table: 'nat', rule: `${base} ${words.iptables}`.trim(), feature: name });
      return true;
    },
  };
}

const NFT_HOOKS: Readonly<Record<HookPoint, readonly [name: string, priority: string] | undefined>> = {
  PREROUTING: ['prerouting', 'dstnat'],
  OUTPUT: ['output', '-100'],
  INPUT: ['input', '100'],
  POSTROUTING: ['postrouting', 'srcnat'],
  FORWARD: undefined,
};

/** A nat chain of nft's own, beside whatever iptables has there. */
function nftFeature(kind: NatKind): Feature {
  const name = `nft ${kind.name.toLowerCase()}`;
  return {
    name,
    add: (network) => {
      const aim = aimAtFirst(network, kind.hooks);
      const words = aim && kind.words(aim);
      const hook = aim && NFT_HOOKS[aim.stop.hook];
      if (!aim || words?.nft === undefined || !hook) return false;
      const { stop, packet, draw } = aim;
      const family: Family = packet.family;
      const of = draw.chance(0.3) ? 'inet' : family === 4 ? 'ip' : 'ip6';
      const table = network.unique('n');
      const line = (text: string, feature = ''): void => network.add({ kind: 'nft', ns: stop.ns, line: text, feature });
      line(`add table ${of} ${table}`);
      const priority = draw.chance(0.8) ? hook[1] : draw.pick(['-110', '-90', '90', '110']);
      line(`add chain ${of} ${table} c { type nat hook ${hook[0]} priority ${priority}; }`);
      const matches =
        packet.protocol === 'icmp'
          ? `meta l4proto ${family === 6 ? 'icmpv6' : 'icmp'}`
          : `${packet.protocol} sport ${packet.sourcePort}`;
      const to =
        of === 'inet' ? words.nft.replace(/^(snat|dnat) to/, `$1 ${family === 4 ? 'ip' : 'ip6'} to`) : words.nft;
      const only = of === 'inet' ? `meta nfproto ipv${family} ` : '';
      line(`add rule ${of} ${table} c ${only}${matches} counter ${to}`, name);
      return true;
    },
  };
}

/** Only nft has them: what is translated to comes out of a map. */
const MAPS: readonly NatKind[] = [
  {
    name: 'dnat map',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      const { ip, source, to } = mapped(aim);
      return { iptables: '', nft: `dnat to ${ip} saddr map { ${source} : ${to} }` };
    },
  },
  {
    name: 'dnat map with port',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      if (!hasPorts(aim)) return undefined;
      const { ip, to } = mapped(aim);
      const { protocol, destinationPort } = aim.packet;
      const held = aim.draw.chance(0.85) ? destinationPort : destinationPort + 1;
      const typed = `dnat ${ip} to ${protocol} dport map { ${held} : ${to} . 8080 }`;
      return { iptables: '', nft: typed };
    },
  },
  {
    name: 'dnat map by hash',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      const { ip, to } = mapped(aim);
      const other = aim.packet.destination;
      const seed = aim.draw.int(1, 99);
      return { iptables: '', nft: `dnat to jhash ${ip} saddr mod 2 seed 0x${seed} map { 0 : ${to}, 1 : ${other} }` };
    },
  },
  {
    name: 'snat map',
    hooks: ['POSTROUTING'],
    words: (aim) => {
      const { ip } = mapped(aim);
      const own = aim.network.host(aim.stop.ns).address[aim.packet.family];
      return { iptables: '', nft: `snat to ${ip} daddr map { ${aim.packet.destination} : ${own} }` };
    },
  },
  {
    name: 'redirect map',
    hooks: DESTINATION_HOOKS,
    words: (aim) => {
      if (!hasPorts(aim)) return undefined;
      const { protocol, destinationPort } = aim.packet;
      return { iptables: '', nft: `redirect to :${protocol} dport map { ${destinationPort} : 8080 }` };
    },
  },
];

function mapped(aim: Aim): { readonly ip: 'ip' | 'ip6'; readonly source: string; readonly to: string } {
  const { packet, draw } = aim;
  const to = otherHost(aim).address[packet.family];
  const source = draw.chance(0.85) ? endsAt(aim).source : to;
  return { ip: packet.family === 4 ? 'ip' : 'ip6', source, to };
}

export const NAT_FEATURES: readonly Feature[] = [
  ...KINDS.map(iptablesFeature),
  ...KINDS.filter((kind) => kind.name !== 'NETMAP').map(nftFeature),
  ...MAPS.map(nftFeature),
];
