import type { IptablesRule } from './iptables-save.ts';
import { splitWords, type Word } from './iptables-save-words.ts';

export type RuleBody = Pick<IptablesRule, 'matches' | 'target' | 'comment'>;
type OpenOption = { name: string; negated: boolean; values: string[] };
type OpenGroup = { kind: 'match' | 'target'; name: string; goto: boolean; options: OpenOption[] };

/** Options whose one value may begin with a dash, since iptables-save quotes only other characters. */
const TAKES_ANY_WORD = new Set([
  'comment',
  'log-prefix',
  'nflog-prefix',
  'string',
  'hex-string',
  'name',
  'hashlimit-name',
  'match-set',
  'nfacct-name',
  'helper',
  'i',
  'o',
  'in-interface',
  'out-interface',
  'physdev-in',
  'physdev-out',
  'm',
  'j',
  'g',
]);

/** What stands behind `-A CHAIN`, split into modules and target. Undefined where it has not the format's shape. */
export function parseRuleBody(text: string): RuleBody | undefined {
  const words = splitWords(text);
  if (!words) return undefined;
  const groups = groupOptions(words);
  if (!groups) return undefined;
  const target = groups.find((group) => group.kind === 'target');
  const matches = groups
    .filter((group) => group.kind === 'match' && (group.name !== 'ip' || group.options.length > 0))
    .map((group) => ({ module: group.name, options: group.options }));
  const comment = matches.find((match) => match.module === 'comment')?.options[0]?.values[0];
  return {
    matches,
    ...(target ? { target: { name: target.name, goto: target.goto, options: target.options } } : {}),
    ...(comment === undefined ? {} : { comment }),
  };
}

function groupOptions(words: readonly Word[]): OpenGroup[] | undefined {
  const groups: OpenGroup[] = [{ kind: 'match', name: 'ip', goto: false, options: [] }];
  let negated = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const group = groups.at(-1)!;
    if (word.text === '!' && !word.quoted) {
      if (negated) return undefined;
      negated = true;
      continue;
    }
    const name = word.quoted ? undefined : optionName(word.text);
    if (name === undefined) {
      if (negated) return undefined;
      addValue(group, word.text);
      continue;
    }
    const next = words[at + 1];
    if (name === 'm' || name === 'j' || name === 'g') {
      if (!next || negated) return undefined;
      groups.push({ kind: name === 'm' ? 'match' : 'target', name: next.text, goto: name === 'g', options: [] });
      at++;
      continue;
    }
    const option: OpenOption = { name, negated, values: [] };
    negated = false;
    group.options.push(option);
    if (TAKES_ANY_WORD.has(name) && next) {
      option.values.push(next.text);
      at++;
    }
  }
  return negated ? undefined : groups;
}

const OPTION = /^--?[A-Za-z][\w-]*$/;

function optionName(word: string): string | undefined {
  if (word[0] !== '-' || !OPTION.test(word)) return undefined;
  return word.slice(word[1] === '-' ? 2 : 1);
}

function addValue(group: OpenGroup, value: string): void {
  const last = group.options.at(-1);
  if (last) last.values.push(value);
  else group.options.push({ name: '', negated: false, values: [value] });
}
