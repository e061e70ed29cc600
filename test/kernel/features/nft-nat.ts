import type { Family } from '../../../src/net/address.ts';
import type { Feature } from '../feature.ts';
import type { HookPoint } from '../network.ts';
import { type Aim, endsAt } from './iptables-aim.ts';
import { aimAtFirst, DESTINATION_HOOKS, hasPorts, NAT_KINDS, type NatKind, otherHost } from './nat.ts';

/* NAT by nft's own chains, which stand beside whatever iptables has there, and by its maps. */

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

export const NFT_NAT_FEATURES: readonly Feature[] = [
  ...NAT_KINDS.filter((kind) => kind.name !== 'NETMAP').map(nftFeature),
  ...MAPS.map(nftFeature),
];
