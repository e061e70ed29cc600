import { parseAddress } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';
import { parsePrefix } from '../../net/prefix.ts';
import { type IptablesRule, parseIptablesRule } from '../../parse/iptables-save.ts';
import { plainText } from '../../report/plain-text.ts';
import { targetNames } from '../../simulate/iptables-target.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { nearNames } from '../../target/near-names.ts';
import { type ChainAt, chainsAt } from './chains-at.ts';
import { type Meant, nothing, type WhatIfContext } from './what-if-context.ts';
import { nearChains } from './without-rule.ts';

/** Behind the last rule of any chain. */
const LAST = Number.MAX_SAFE_INTEGER;

/**
 * A rule to put in, as iptables is told it: `[iptables-nft|iptables-legacy] [-t TABLE] -A|-I CHAIN [NUMBER] …`; or into
 * nftables `nft FAMILY TABLE CHAIN JSON`, since nft's own words are not read anywhere.
 */
export function withRule(words: string, place: Place, context: WhatIfContext): Meant {
  const chains = chainsAt(context.snapshot, place, context.family);
  const json = /^(?:nft\s+)?(?<family>\S+)\s+(?<table>\S+)\s+(?<chain>\S+)\s+(?<rule>[[{].*)$/s.exec(words)?.groups;
  return json ? withNftRule(words, json, chains) : withIptablesRule(words, chains);
}

function withNftRule(
  words: string,
  { family = '', table = '', chain = '', rule = '' }: Record<string, string | undefined>,
  chains: readonly ChainAt[],
): Meant {
  const meant = chains.find(
    (one) => one.backend === 'nft' && one.table === `${family} ${table}` && one.chain === chain,
  );
  if (!meant) return noChain(`nft ${family} ${table} ${chain}`, chain, chains);
  return inserted(words, meant, LAST, rule, `the rule ${rule} in ${meant.name}`);
}

interface RuleWords {
  readonly backend?: string;
  readonly table: string;
  readonly chain: string;
  readonly number: number;
  readonly rest: string;
}

function withIptablesRule(words: string, chains: readonly ChainAt[]): Meant {
  const asked = ruleWords(words);
  const rule = asked && `-A ${asked.chain}${asked.rest === '' ? '' : ` ${asSaved(asked.rest)}`}`;
  const parsed = rule === undefined ? undefined : parseIptablesRule(rule, 1);
  if (!asked || rule === undefined || !parsed)
    return nothing(`'rule ${words}' is no rule: say -A CHAIN … or -I CHAIN [NUMBER] … as iptables is told it`);
  const named = chains.filter((one) => one.backend !== 'nft' && one.chain === asked.chain && one.table === asked.table);
  const meant = named.filter((one) => asked.backend === undefined || one.words.has(asked.backend));
  // Where both backends have the chain, the one that is in use is meant.
  const used = meant.filter((one) => one.rules().length > 0);
  const chain = (used.length > 0 ? used : meant)[0];
  if (!chain) return noChain(`${asked.table} ${asked.chain}`, asked.chain, chains);
  const problem = nameProblem(parsed) ?? targetProblem(parsed, chain, chains);
  if (problem) return problem;
  return inserted(
    words,
    chain,
    asked.number,
    rule,
    `the rule ${rule} in ${chain.name}${asked.number === LAST ? '' : `, as number ${asked.number}`}`,
  );
}

const PORTS: ReadonlySet<string> = new Set(['dport', 'sport', 'dports', 'sports', 'ports']);

/** iptables looks names up when it is told a rule; iptables-save, and so the walk, knows numbers alone. */
function nameProblem({ matches }: IptablesRule): Meant | undefined {
  for (const { name, values } of matches.flatMap((match) => match.options)) {
    const [value = ''] = values;
    if (PORTS.has(name) && /[a-z]/i.test(value)) return nothing(`'${value}' is a port's name: give its number`);
    const isAddress = value.split(',').every((one) => parsePrefix(one) ?? parseAddress(one.split('/')[0]!));
    if ((name === 's' || name === 'd') && !isAddress) return nothing(`'${value}' is no address: give it as a number`);
  }
  return undefined;
}

const VERDICTS: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'RETURN']);
/** What is an option of no target: iptables takes it in any order, iptables-save prints it before -j. */
const TESTS: ReadonlySet<string> = new Set([...PORTS, 's', 'd', 'p', 'i', 'o', 'm', 'f']);

function targetProblem({ target }: IptablesRule, chain: ChainAt, chains: readonly ChainAt[]): Meant | undefined {
  if (!target) return undefined;
  const [late] = target.options.filter(({ name }) => TESTS.has(name) || VERDICTS.has(target.name));
  if (late) return nothing(`'${late.name}' stands behind -j ${target.name}: put what the rule tests before -j`);
  const own = chains.filter((one) => one.backend === chain.backend && one.table === chain.table);
  const names = [...targetNames(), ...own.map((one) => one.chain)];
  if (names.includes(target.name)) return undefined;
  const what = `'${target.name}' is neither a target that the walk knows nor a chain of ${chain.table}`;
  return nothing(what, nearNames(target.name, names));
}

function ruleWords(words: string): RuleWords | undefined {
  const groups =
    /^(?:(?<backend>iptables-nft|iptables-legacy|legacy|nft)\s+)?(?:(?:-t|--table)\s+(?<table>\S+)\s+)?(?<act>-A|-I|--append|--insert)\s+(?<chain>\S+)(?:\s+(?<number>\d+)(?=\s|$))?(?<rest>.*)$/s.exec(
      words,
    )?.groups;
  if (!groups) return undefined;
  const isInsert = groups['act'] === '-I' || groups['act'] === '--insert';
  // -t may stand anywhere.
  const later = /(?:^|\s)(?:-t|--table)\s+(?<table>\S+)/.exec(groups['rest'] ?? '');
  return {
    ...(groups['backend'] !== undefined && { backend: groups['backend'] }),
    table: groups['table'] ?? later?.groups?.['table'] ?? 'filter',
    chain: groups['chain']!,
    number: isInsert ? Number(groups['number'] ?? 1) : LAST,
    rest: (groups['rest'] ?? '').replace(later?.[0] ?? '', '').trim(),
  };
}

/** Long names of options that iptables-save prints short (iptables(8)). */
const SHORT: readonly (readonly [RegExp, string])[] = [
  [/--(?:source|src)(?=\s)/g, '-s'],
  [/--(?:destination|dst)(?=\s)/g, '-d'],
  [/--in-interface(?=\s)/g, '-i'],
  [/--out-interface(?=\s)/g, '-o'],
  [/--(?:protocol|proto)(?=\s)/g, '-p'],
  [/--match(?=\s)/g, '-m'],
  [/--jump(?=\s)/g, '-j'],
  [/--goto(?=\s)/g, '-g'],
  [/--destination-port(?=\s)/g, '--dport'],
  [/--source-port(?=\s)/g, '--sport'],
];

/** Options of a protocol's own match, which iptables loads by itself and iptables-save names. */
const IMPLIED = /--(?:dport|sport|tcp-flags|syn|icmp-type|icmpv6-type)\b/;

function asSaved(rest: string): string {
  const short = SHORT.reduce((text, [long, name]) => text.replaceAll(long, name), rest);
  const protocol = /(?:^|\s)-p\s+(?<name>tcp|udp|sctp|icmp|icmpv6|ipv6-icmp)\b/.exec(short);
  const name = protocol?.groups?.['name'];
  if (!protocol || name === undefined || !IMPLIED.test(short)) return short;
  const module = name === 'icmpv6' || name === 'ipv6-icmp' ? 'icmp6' : name;
  if (new RegExp(`-m\\s+(?:${module}|multiport)\\b`).test(short)) return short;
  return short.replace(protocol[0], `${protocol[0]} -m ${module}`);
}

function inserted(words: string, chain: ChainAt, number: number, rule: string, name: string): Meant {
  const change: SnapshotChange = {
    op: 'rule',
    act: 'insert',
    backend: chain.backend,
    family: chain.family,
    table: chain.table,
    chain: chain.chain,
    number,
    rule,
    place: chain.place,
    text: `with ${plainText(name)}`,
  };
  return { candidates: [{ change, name: `rule ${words}`, shown: `in ${chain.name}`, met: 0 }] };
}

function noChain(asked: string, chain: string, chains: readonly ChainAt[]): Meant {
  return nothing(`there is no chain ${asked}`, nearChains(chain, chains));
}
