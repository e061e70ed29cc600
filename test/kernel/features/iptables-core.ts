import type { Family } from '../../../src/net/address.ts';
import type { CaseBackend, CasePacket } from '../case.ts';
import type { Draw } from '../draw.ts';
import type { Feature } from '../feature.ts';
import type { HookPoint, Network } from '../network.ts';
import { type Aim, aimAt, aimedWords, HOOKS_OF } from './iptables-aim.ts';

/** A match's words in a rule: as they are, and turned round where it can be. */
export interface MatchWords {
  readonly match: string;
  readonly negated?: string;
}

export interface XtMatch {
  readonly name: string;
  /** The tables that it can stand in; all unless told. */
  readonly tables?: readonly string[];
  readonly hooks?: readonly HookPoint[];
  /** Only of packets of these protocols, which the rule then names (`-p tcp`). */
  readonly protocols?: readonly CasePacket['protocol'][];
  readonly families?: readonly Family[];
  readonly isUndecidable?: boolean;
  readonly wants?: Feature['wants'];
  /** How often it is turned round; a quarter unless told. */
  readonly turns?: number;
  /** Another packet or place than the one aimed at, made for it; undefined: there is none. */
  readonly place?: (aim: Aim) => Aim | undefined;
  /** Words that hold of the packet, or now and then do not; undefined where it is of no use for this packet. */
  readonly words: (aim: Aim) => MatchWords | undefined;
}

export interface XtTarget {
  readonly name: string;
  readonly table: string;
  readonly hooks: readonly HookPoint[];
  /** Terminal drops are rare: most packets shall come through. */
  readonly weight: number;
  readonly protocols?: readonly CasePacket['protocol'][];
  readonly families?: readonly Family[];
  readonly isUndecidable?: boolean;
  readonly countsOnly?: true;
  /** Not in pods. */
  readonly onNodes?: true;
  readonly words: (aim: Aim) => string | undefined;
  /** A rule behind it whose counter shows the effect that no cable shows: a mark, a verdict that ends the chain. */
  readonly witness?: (words: string) => string;
}

/** What has the mark that `words` set. */
export function markWitness(words: string): string {
  const mark = / --set-xmark (\S+)/.exec(words)?.[1] ?? '0x0';
  return `-m mark --mark ${mark}`;
}

const EFFECTS: readonly XtTarget[] = [
  {
    name: 'MARK',
    table: 'mangle',
    hooks: HOOKS_OF.mangle!,
    weight: 2,
    words: ({ draw }) => `-j MARK --set-xmark 0x${draw.pick(['1', '2', '40'])}/0x${draw.pick(['ff', 'ffffffff'])}`,
    witness: markWitness,
  },
  {
    name: 'TTL',
    table: 'mangle',
    hooks: HOOKS_OF.mangle!,
    weight: 4,
    words: ({ packet, draw }) =>
      `-j ${packet.family === 6 ? 'HL --hl' : 'TTL --ttl'}-${draw.pick(['set 40', 'dec 1', 'inc 2'])}`,
  },
  {
    name: 'TOS',
    table: 'mangle',
    hooks: HOOKS_OF.mangle!,
    weight: 3,
    words: ({ draw }) => `-j TOS --set-tos 0x${draw.pick(['10', '08', '04'])}/0xff`,
  },
  {
    name: 'DSCP',
    table: 'mangle',
    hooks: HOOKS_OF.mangle!,
    weight: 2,
    words: ({ draw }) => `-j DSCP --set-dscp 0x${draw.pick(['0a', '2e'])}`,
  },
  { name: 'ACCEPT', table: 'filter', hooks: HOOKS_OF.filter!, weight: 1, words: () => '-j ACCEPT', witness: () => '' },
  { name: 'RETURN', table: 'filter', hooks: HOOKS_OF.filter!, weight: 1, words: () => '-j RETURN', witness: () => '' },
  { name: 'DROP', table: 'filter', hooks: HOOKS_OF.filter!, weight: 1, words: () => '-j DROP' },
  {
    name: 'REJECT',
    table: 'filter',
    hooks: HOOKS_OF.filter!,
    weight: 1,
    words: ({ packet, draw }) => `-j REJECT --reject-with ${rejectWith(packet, draw)}`,
  },
  { name: 'DROP early', table: 'raw', hooks: HOOKS_OF.raw!, weight: 0.5, words: () => '-j DROP' },
  {
    name: 'ACCEPT in security',
    table: 'security',
    hooks: HOOKS_OF.security!,
    weight: 0.7,
    words: () => '-j ACCEPT',
    witness: () => '',
  },
  { name: 'DROP in security', table: 'security', hooks: HOOKS_OF.security!, weight: 0.4, words: () => '-j DROP' },
];

function rejectWith(packet: CasePacket, draw: Draw): string {
  const reset = packet.protocol === 'tcp' && draw.chance(0.4);
  if (reset) return 'tcp-reset';
  return packet.family === 6
    ? draw.pick(['icmp6-port-unreachable', 'icmp6-adm-prohibited', 'icmp6-no-route', 'icmp6-addr-unreachable'])
    : draw.pick([
        'icmp-port-unreachable',
        'icmp-admin-prohibited',
        'icmp-net-unreachable',
        'icmp-host-unreachable',
        'icmp-proto-unreachable',
      ]);
}

/** A rule with this match and some target, where the packet passes. */
export function matchFeature(match: XtMatch): Feature {
  return {
    name: `iptables match ${match.name}`,
    ...(match.isUndecidable ? { isUndecidable: true } : {}),
    ...(match.wants ? { wants: match.wants } : {}),
    add: (network) => {
      const { draw } = network;
      const usable = EFFECTS.filter((one) => match.tables?.includes(one.table) ?? true);
      if (usable.length === 0) return false;
      const effect = draw.weighted(usable);
      const hooks = effect.hooks.filter((hook) => match.hooks?.includes(hook) ?? true);
      const found = aimAt(network, hooks, match.protocols, match);
      const aim = found && match.place ? match.place(found) : found;
      const words = aim && match.words(aim);
      const target = aim && effect.words(aim);
      if (!aim || !words || target === undefined) return false;
      const aimed = aimedWords(aim, match.protocols !== undefined);
      const turned = words.negated !== undefined && draw.chance(match.turns ?? 0.25);
      const [plain, other] = turned ? [words.negated!, words.match] : [words.match, words.negated];
      const line = (match_: string): string => [aimed, match_, target].filter((part) => part !== '').join(' ');
      addRule(network, aim, {
        table: effect.table,
        rule: line(plain),
        feature: `iptables match ${match.name}`,
        ignoredRule: line(''),
        ...(other === undefined ? {} : { negatedRule: line(other) }),
        ...(effect.witness ? { witness: effect.witness(target) } : {}),
      });
      return true;
    },
  };
}

/** A rule for this packet with this target. */
export function targetFeature(target: XtTarget): Feature {
  return {
    name: `iptables target ${target.name}`,
    ...(target.isUndecidable ? { isUndecidable: true } : {}),
    add: (network) => {
      const aim = aimAt(network, target.hooks, target.protocols, target);
      const words = aim && target.words(aim);
      if (!aim || words === undefined) return false;
      const rule = [aimedWords(aim, target.protocols !== undefined), words].filter((part) => part !== '').join(' ');
      addRule(network, aim, {
        table: target.table,
        rule,
        feature: `iptables target ${target.name}`,
        ...(target.countsOnly ? { countsOnly: true } : {}),
        ...(target.witness ? { witness: target.witness(words) } : {}),
      });
      return true;
    },
  };
}

/** In the base chain, or behind a jump or a goto to a chain of its own. */
export function addRule(
  network: Network,
  { stop, packet, draw }: Aim,
  {
    witness,
    ...rule
  }: {
    readonly table: string;
    readonly rule: string;
    readonly feature: string;
    readonly ignoredRule?: string;
    readonly negatedRule?: string;
    readonly countsOnly?: true;
    readonly witness?: string;
  },
): void {
  const backend: CaseBackend = draw.pick(['legacy', 'nft']);
  const family: Family = packet.family;
  const at = { ns: stop.ns, backend, family, table: rule.table };
  network.chain(at.ns, backend, family, rule.table, stop.hook);
  // Who ignores a target still counts its rule.
  const idle = rule.countsOnly ? undefined : / ?-j .*$/.exec(rule.rule);
  const ignoredRule = rule.ignoredRule ?? (idle ? rule.rule.slice(0, idle.index) : undefined);
  const addTo = (chain: string): void => {
    network.rule({ ...at, ...rule, ...(ignoredRule !== undefined && { ignoredRule }), chain });
    if (witness !== undefined) network.rule({ ...at, table: rule.table, chain, rule: witness, feature: '' });
  };
  if (!draw.chance(0.3)) {
    addTo(stop.hook);
    return;
  }
  const chain = network.unique('C');
  const word = draw.pick(['-j', '-j', '-g']);
  network.chain(at.ns, backend, family, rule.table, chain);
  network.rule({
    ...at,
    chain: stop.hook,
    rule: `${word} ${chain}`,
    feature: word === '-j' ? 'iptables target jump' : 'iptables target goto',
  });
  addTo(chain);
}

const off = (value: number, draw: Draw): number => (draw.chance(0.8) ? value : value + 1);

const MATCHES: readonly XtMatch[] = [
  {
    name: 'ttl',
    words: ({ stop, packet, draw }) => {
      const [module, option] = packet.family === 6 ? ['hl', '--hl'] : ['ttl', '--ttl'];
      const value = off(stop.ttl, draw);
      return {
        match: `-m ${module} ${option}-eq ${value}`,
        ...(packet.family === 6
          ? { negated: `-m ${module} ! ${option}-eq ${value}` }
          : { negated: `-m ${module} ! ${option}-eq ${value}` }),
      };
    },
  },
  {
    name: 'mark',
    words: ({ packet, draw }) => {
      const value = draw.chance(0.6) ? (packet.mark ?? 0) : draw.pick([1, 2, 0x40]);
      return { match: `-m mark --mark 0x${value.toString(16)}`, negated: `-m mark ! --mark 0x${value.toString(16)}` };
    },
  },
  {
    name: 'length',
    words: ({ draw }) => {
      const range = draw.pick(['0:100', '28:60', '100:65535', '40:1000']);
      return { match: `-m length --length ${range}`, negated: `-m length ! --length ${range}` };
    },
  },
  {
    name: 'conntrack ctstate',
    tables: ['mangle', 'filter', 'security'],
    words: ({ draw, stop }) => {
      const holds = stop.isReply ? ['ESTABLISHED', 'RELATED,ESTABLISHED'] : ['NEW', 'NEW,UNTRACKED'];
      const states = draw.pick([...holds, ...holds, 'ESTABLISHED', 'INVALID', 'NEW']);
      return { match: `-m conntrack --ctstate ${states}`, negated: `-m conntrack ! --ctstate ${states}` };
    },
  },
  {
    name: 'addrtype',
    words: ({ draw }) => {
      const type = draw.pick(['--dst-type LOCAL', '--src-type LOCAL', '--dst-type UNICAST', '--src-type UNICAST']);
      return { match: `-m addrtype ${type}`, negated: `-m addrtype ! ${type}` };
    },
  },
];

/** Terminal ones stand back behind the others. */
const ENDING = /^(DROP|REJECT)/;

export const IPTABLES_FEATURES: readonly Feature[] = [
  ...MATCHES.map(matchFeature),
  ...EFFECTS.map((one) => ({ ...targetFeature(one), ...(ENDING.test(one.name) && { weight: 0.5 }) })),
];
