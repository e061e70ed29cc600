import type { CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import { type Aim, aimAt, endsAt, HOOKS_OF } from './iptables-aim.ts';
import { addRule, markWitness } from './iptables-core.ts';

/** IP's own selectors (iptables(8), PARAMETERS), which the aiming of other features uses up. */
interface Selector {
  readonly name: string;
  readonly protocols?: readonly CasePacket['protocol'][];
  /** About packets in fragments. */
  readonly isLarge?: boolean;
  readonly words: (aim: Aim) => { readonly plain: string; readonly turned: string };
}

function one(words: string): { plain: string; turned: string } {
  return { plain: words, turned: `! ${words}` };
}

const SELECTORS: readonly Selector[] = [
  {
    name: 'address mask',
    words: (aim) => {
      const ends = endsAt(aim);
      const [letter, address] = aim.draw.pick([
        ['-s', ends.source],
        ['-d', ends.destination],
      ] as const);
      const masks =
        aim.packet.family === 6
          ? ['ffff::ffff', 'ffff:ffff::', '0:0:ffff::ff', '64', '0']
          : ['255.0.255.255', '0.0.0.255', '255.255.255.0', '25', '0'];
      return one(`${letter} ${address}/${aim.draw.pick(masks)}`);
    },
  },
  {
    name: 'protocol',
    words: ({ packet, draw }) => {
      const icmp = packet.family === 6 ? ['58', 'ipv6-icmp'] : ['1', 'icmp'];
      const own = { tcp: ['6', 'tcp'], udp: ['17', 'udp'], icmp }[packet.protocol];
      return one(`-p ${draw.pick([...own, ...own, 'sctp', '250', 'vrrp'])}`);
    },
  },
  {
    name: 'fragment',
    protocols: ['udp', 'icmp'],
    isLarge: true,
    words: ({ packet, draw }) =>
      packet.family === 6 ? one('-p tcp') : draw.chance(0.5) ? one('-f') : { plain: '! -f', turned: '-f' },
  },
];

export const IPTABLES_SELECTOR_FEATURES: readonly Feature[] = SELECTORS.map((selector) => ({
  name: `iptables selector ${selector.name}`,
  add: (network) => {
    const { draw } = network;
    const table = draw.pick(['mangle', 'mangle', 'filter']);
    const found = aimAt(network, HOOKS_OF[table]!, ...(selector.protocols ? [selector.protocols] : []));
    if (!found) return false;
    const aim = selector.isLarge && draw.chance(0.7) ? { ...found, packet: network.enlarged(found.packet) } : found;
    const { plain, turned } = selector.words(aim);
    const target = table === 'filter' ? '-j ACCEPT' : `-j MARK --set-xmark 0x${draw.pick(['4', '80'])}/0xff`;
    // `-s A/0` and `-p all` can't be turned round.
    const canTurn = !plain.endsWith('/0');
    const isTurned = canTurn && draw.chance(0.3);
    const [used, other] = isTurned ? [turned, plain] : [plain, turned];
    addRule(network, aim, {
      table,
      rule: `${used} ${target}`,
      feature: `iptables selector ${selector.name}`,
      witness: table === 'filter' ? '' : markWitness(target),
      ignoredRule: target,
      ...(canTurn ? { negatedRule: `${other} ${target}` } : {}),
    });
    return true;
  },
}));
