import type { Feature } from '../feature.ts';
import type { HookPoint, Host, Network } from '../network.ts';
import { type Aim, aimAt, aimedWords, endsAt } from './iptables-aim.ts';
import { addRule } from './iptables-core.ts';

/*
 * NAT of every kind, by iptables of both backends and by nft. Rules are aimed at the first packet of a flow, since only
 * that one meets nat chains; most translations lead to where an answer can come back from.
 */

const SOURCE_HOOKS: readonly HookPoint[] = ['POSTROUTING', 'POSTROUTING', 'POSTROUTING', 'INPUT'];
export const DESTINATION_HOOKS: readonly HookPoint[] = ['PREROUTING', 'PREROUTING', 'OUTPUT'];

/** What a translation says, in the words of both tools; `ports` stand behind the address. */
export interface NatWords {
  readonly iptables: string;
  /** Undefined: nft has no such thing, or says it otherwise. */
  readonly nft?: string;
}

export interface NatKind {
  readonly name: string;
  readonly hooks: readonly HookPoint[];
  readonly words: (aim: Aim) => NatWords | undefined;
}

export function aimAtFirst(network: Network, hooks: readonly HookPoint[]): Aim | undefined {
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
export function hasPorts({ packet }: Aim): boolean {
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

export function otherHost({ network, packet, draw }: Aim): Host {
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

export const NAT_KINDS: readonly NatKind[] = [
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

export const NAT_FEATURES: readonly Feature[] = NAT_KINDS.map(iptablesFeature);
