import { formatPrefix, networkOf } from '../../../src/net/prefix.ts';
import type { Feature } from '../feature.ts';
import { type Aim, endsAt } from './iptables-aim.ts';
import { type MatchWords, matchFeature } from './iptables-core.ts';

/* ipsets of every type that this kernel has, with members that hold of the packet or just do not. */

interface SetKind {
  readonly type: string;
  /** Only for this family. */
  readonly family?: 4 | 6;
  readonly make: (aim: Aim) => SetMembers | undefined;
}

interface SetMembers {
  readonly options?: string;
  readonly members: readonly string[];
  readonly directions: string;
}

type Direction = 'src' | 'dst';

interface Ends {
  readonly address: Readonly<Record<Direction, string>>;
  readonly port: Readonly<Record<Direction, string>>;
}

function ends(aim: Aim): Ends {
  const { source, destination, sourcePort, destinationPort } = endsAt(aim);
  const { protocol, family } = aim.packet;
  const icmp = family === 6 ? `icmpv6:${aim.stop.isReply ? 129 : 128}/0` : `icmp:${aim.stop.isReply ? 0 : 8}/0`;
  const port = (number: number): string => (protocol === 'icmp' ? icmp : `${protocol}:${number}`);
  return { address: { src: source, dst: destination }, port: { src: port(sourcePort), dst: port(destinationPort) } };
}

/** As `ipset save` prints it: without host bits. */
function network(address: string, length: number): string {
  return formatPrefix(networkOf({ address, length }));
}

/** Networks around an address, as long as the families allow. */
function lengths(aim: Aim): readonly number[] {
  return aim.packet.family === 4 ? [8, 16, 24, 28, 32] : [16, 48, 64, 112, 128];
}

const direction = (aim: Aim): Direction => aim.draw.pick(['src', 'dst'] as const);
/** Now and then something else than what the packet has. */
const perhaps = (aim: Aim, right: string, wrong: string): string => (aim.draw.chance(0.75) ? right : wrong);
const elsewhere = (aim: Aim): string => (aim.packet.family === 4 ? '10.77.0.1' : 'fd77::1');

const KINDS: readonly SetKind[] = [
  {
    type: 'hash:ip',
    make: (aim) => {
      const one = direction(aim);
      const length = aim.draw.pick(lengths(aim).slice(1));
      const netmask = aim.draw.chance(0.3) ? `netmask ${length}` : '';
      return { options: netmask, members: [perhaps(aim, ends(aim).address[one], elsewhere(aim))], directions: one };
    },
  },
  {
    type: 'hash:net',
    make: (aim) => {
      const one = direction(aim);
      const { address } = ends(aim);
      const [wide, narrow] = aim.draw
        .shuffled(lengths(aim))
        .slice(0, 2)
        .toSorted((a, b) => a - b);
      return {
        members: [
          network(address[one], wide!),
          ...(aim.draw.chance(0.5) ? [`${network(address[one], narrow!)} nomatch`] : []),
          network(elsewhere(aim), narrow!),
        ],
        directions: one,
      };
    },
  },
  {
    type: 'hash:ip,port',
    make: (aim) => {
      const [a, b] = [direction(aim), direction(aim)];
      const { address, port } = ends(aim);
      return { members: [`${address[a]},${perhaps(aim, port[b], 'tcp:7')}`], directions: `${a},${b}` };
    },
  },
  {
    type: 'hash:ip,port,ip',
    make: (aim) => {
      const [a, b, c] = [direction(aim), direction(aim), direction(aim)];
      const { address, port } = ends(aim);
      const members = [`${address[a]},${port[b]},${perhaps(aim, address[c], elsewhere(aim))}`];
      return { members, directions: `${a},${b},${c}` };
    },
  },
  {
    type: 'hash:ip,port,net',
    make: (aim) => {
      const [a, b, c] = [direction(aim), direction(aim), direction(aim)];
      const { address, port } = ends(aim);
      const length = aim.draw.pick(lengths(aim));
      const members = [`${address[a]},${port[b]},${network(perhaps(aim, address[c], elsewhere(aim)), length)}`];
      return { members, directions: `${a},${b},${c}` };
    },
  },
  {
    type: 'hash:net,port',
    make: (aim) => {
      const [a, b] = [direction(aim), direction(aim)];
      const { address, port } = ends(aim);
      const [wide, narrow] = aim.draw
        .shuffled(lengths(aim))
        .slice(0, 2)
        .toSorted((x, y) => x - y);
      return {
        members: [
          `${network(address[a], wide!)},${port[b]}`,
          ...(aim.draw.chance(0.4) ? [`${network(address[a], narrow!)},${port[b]} nomatch`] : []),
        ],
        directions: `${a},${b}`,
      };
    },
  },
  {
    type: 'hash:net,iface',
    make: (aim) => {
      const a = direction(aim);
      const b = aim.stop.input === undefined ? 'dst' : aim.stop.output === undefined ? 'src' : direction(aim);
      const device = b === 'src' ? aim.stop.input : aim.stop.output;
      if (device === undefined) return undefined;
      const { address } = ends(aim);
      const name = aim.draw.chance(0.3) ? `${device.slice(0, 1)} wildcard` : perhaps(aim, device, 'other0');
      return { members: [`${network(address[a], aim.draw.pick(lengths(aim)))},${name}`], directions: `${a},${b}` };
    },
  },
  {
    type: 'bitmap:port',
    make: (aim) => {
      const one = direction(aim);
      const text = ends(aim).port[one];
      const port = aim.packet.protocol === 'icmp' ? '80' : text.slice(text.indexOf(':') + 1);
      return { options: 'range 0-65535', members: [perhaps(aim, port, '7')], directions: one };
    },
  },
  {
    type: 'bitmap:ip,mac',
    family: 4,
    make: (aim) => {
      // The MAC of the frame that a node gets from its own pod.
      const { stop, packet, network: net } = aim;
      const sender = net.devices.find((one) => one.ns === packet.ns && one.peer.ns === stop.ns);
      if (!sender || stop.input === undefined || stop.isReply) return undefined;
      const { address } = ends(aim);
      const mac = perhaps(aim, sender.mac, '02:00:00:77:77:77');
      return {
        options: `range ${address.src.replace(/\d+$/, '0')}/24`,
        members: [aim.draw.chance(0.2) ? address.src : `${address.src},${mac}`],
        directions: 'src,src',
      };
    },
  },
  {
    type: 'bitmap:ip',
    family: 4,
    make: (aim) => {
      const one = direction(aim);
      const address = ends(aim).address[one];
      const base = address.replace(/\d+\.\d+$/, '0.0');
      return {
        options: `range ${base}/16${aim.draw.chance(0.3) ? ' netmask 24' : ''}`,
        members: [perhaps(aim, address, `${base.replace(/0\.0$/, '')}250.1`)],
        directions: one,
      };
    },
  },
];

/** Some sets are one of two in a list. */
function setFeature(kind: SetKind): Feature {
  return matchFeature({
    name: `set ${kind.type}`,
    words: (aim): MatchWords | undefined => {
      const { packet, stop, draw, network: net } = aim;
      if (kind.family !== undefined && kind.family !== packet.family) return undefined;
      const made = kind.make(aim);
      if (!made) return undefined;
      const name = net.unique('s');
      const family = kind.type.startsWith('bitmap') ? '' : ` family ${packet.family === 6 ? 'inet6' : 'inet'}`;
      const extra = draw.pick(['', '', ' timeout 600', ' counters', ' comment']);
      const line = (text: string, feature = ''): void => net.add({ kind: 'ipset', ns: stop.ns, line: text, feature });
      line(`create ${name} ${kind.type}${family} ${made.options ?? ''}${extra}`.trim());
      for (const member of new Set(made.members)) line(`add ${name} ${member}`, `ipset ${kind.type}`);
      let used = name;
      if (draw.chance(0.2)) {
        used = net.unique('l');
        line(`create ${used} list:set`);
        line(`add ${used} ${name}`, 'ipset list:set');
      }
      const match = `--match-set ${used} ${made.directions}`;
      const nomatch = kind.type.includes('net') && draw.chance(0.2) ? ' --return-nomatch' : '';
      return { match: `-m set ${match}${nomatch}`, negated: `-m set ! ${match}${nomatch}` };
    },
  });
}

export const IPSET_FEATURES: readonly Feature[] = KINDS.map(setFeature);
